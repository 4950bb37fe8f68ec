"""A COCO-panoptic data set as what is converted: its list of images, and each one's segments as masks."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.converters.category_list import CategoryEntries, complete
from spatialflow.data.converters.mask_runs import MaskRuns
from spatialflow.data.panoptic_json import (
    ImageAnnotation,
    ImageId,
    ImageInfo,
    parse_truth,
    read_panoptic,
)
from spatialflow.data.reading import check_painted, read_sized_id_map, segments_folder
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
        image = self.images[annotation.image_id]
        path = self.folder / annotation.file_name
        painted, runs = MaskRuns.of_id_map(read_sized_id_map(path, image, self.path))
        ids: NDArray[np.int32] = np.array([segment.id for segment in annotation.segments], np.int32)
        check_painted(path, painted, image, ids, self.path)
        return runs.select(np.searchsorted(painted, ids))


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
