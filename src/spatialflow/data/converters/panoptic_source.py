"""A COCO-panoptic data set as what is converted: its list of images, and each one's segments as masks."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.converters.category_list import CategoryEntries, complete
from spatialflow.data.panoptic_json import ImageInfo, parse_truth, read_panoptic
from spatialflow.data.reading import check_painted, read_sized_id_map, segments_folder
from spatialflow.masks.mask_runs import Integer, MaskRuns
from spatialflow.panoptic_annotation import ImageAnnotation, ImageId
from spatialflow.zip_path import ReadPath

_HEAD = ("info", "licenses", "images")
"""What a conversion takes over from its source as it is."""


@dataclass(frozen=True, slots=True)
class PanopticSource:
    """One COCO-panoptic file and its PNGs."""

    path: Path
    folder: ReadPath
    """Of the PNGs."""
    head: dict[str, Any]
    """``info``, ``licenses`` and ``images`` as the file has them."""
    categories: Categories
    entries: CategoryEntries
    """The ``categories`` list."""
    images: dict[ImageId, ImageInfo]
    annotations: list[ImageAnnotation]

    def read_runs(self, annotation: ImageAnnotation) -> MaskRuns:
        """The mask of each of an image's segments, in their order.

        Raises:
            DataError: the PNG is missing or wrong, or disagrees with the JSON.
        """
        image, path, ids = self._of(annotation)
        painted, runs = MaskRuns.of_id_map(read_sized_id_map(path, image, self.path))
        check_painted(path, painted, image, ids, self.path)
        return runs.select(np.searchsorted(painted, ids))

    def read_values(
        self, annotation: ImageAnnotation, values: NDArray[Integer], fill: int
    ) -> NDArray[Integer]:
        """(H, W) map of each segment's value, (N,) in the order of the segments; ``fill`` elsewhere.

        Raises:
            DataError: see :meth:`read_runs`.
        """
        image, path, ids = self._of(annotation)
        id_map = read_sized_id_map(path, image, self.path)
        flat = id_map.ravel()
        starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
        of_run = flat[starts]
        painted = np.unique(of_run)
        check_painted(path, painted[painted != 0], image, ids, self.path)
        table = np.full(len(painted), fill, values.dtype)
        table[np.searchsorted(painted, ids)] = values
        run_values = table[np.searchsorted(painted, of_run)]
        return np.repeat(run_values, np.diff(starts, append=flat.size)).reshape(id_map.shape)

    def _of(self, annotation: ImageAnnotation) -> tuple[ImageInfo, ReadPath, NDArray[np.int32]]:
        """An image, the path of its PNG, and the ids of its segments."""
        ids = np.array([segment.id for segment in annotation.segments], np.int32)
        return self.images[annotation.image_id], self.folder / annotation.file_name, ids


def open_panoptic(
    path: str | os.PathLike[str], segments: str | os.PathLike[str] | None = None
) -> PanopticSource:
    """Read the JSON; no PNG yet. Area and iscrowd of segments may be missing.

    Raises:
        DataError: the file or the folder is missing or wrong.
    """
    path = Path(path)
    content = read_panoptic(path)
    file = parse_truth(content, path, is_complete=False)
    assert file.categories is not None
    head = {key: content[key] for key in _HEAD if key in content}
    entries = complete(content["categories"], str(path))
    annotations = list(file.annotations.values())
    folder = segments_folder(path, segments, file.example)
    return PanopticSource(path, folder, head, file.categories, entries, file.images, annotations)
