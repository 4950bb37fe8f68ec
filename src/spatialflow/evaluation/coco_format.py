"""Predictions as a COCO-panoptic result (cocodataset.org/#format-results): a folder of PNGs and one JSON."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from PIL import Image

from spatialflow.categories import Categories
from spatialflow.data.panoptic_files import image_entry, is_png_inside, listed_pngs
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import OutputError
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.files import check_writable_folder, write_json
from spatialflow.image_io import write_photo
from spatialflow.panoptic_annotation import ImageId
from spatialflow.staging import Staging, check_ours, remove_earlier
from spatialflow.structures import PanopticPrediction

INFO = {"description": "prediction of SpatialFlow"}
"""Of the JSON files written here, which a new result may replace, with what they list."""
OVERLAYS = "overlay"
_JPEG_SIDE = 65500
"""Pixels of a JPEG's side that its encoder takes."""


class ResultWriter:
    """Writes predictions out of sight, and shows them all, in the place of an earlier result, at the end.

    The files are ``<folder>/<name>/*.png`` and ``<folder>/<name>.json``, where ``evaluate_pq`` looks for
    them, and ``<folder>/overlay/*.jpg``. Until :meth:`close` an earlier result stays as it is; whatever ends
    the ``with`` block before that leaves no trace.

    Example:
        >>> with ResultWriter("out") as writer:
        ...     writer.add(9, "000000000009.png", predictor.predict("000000000009.jpg"))
        ...     writer.close(categories)
        PosixPath('out/panoptic.json')
    """

    def __init__(self, folder: str | os.PathLike[str], name: str = "panoptic") -> None:
        """Make a hidden folder for what is to come, one for each process.

        Args:
            folder: of the result.
            name: of the JSON file and the folder of PNGs.

        Raises:
            OutputError: it cannot be written to, or its JSON file is of something else.
        """
        self.folder = Path(folder)
        self.json_path = self.folder / f"{name}.json"
        check_ours(self.json_path, INFO)
        self._name = name
        self._staging = Staging(self.folder, name)
        self._entries: dict[ImageId, dict[str, Any]] = {}
        self._file_names: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has not been shown."""
        self._staging.__exit__(kind, error, trace)

    def __len__(self) -> int:
        """Number of predictions so far."""
        return len(self._entries)

    def add(
        self,
        image_id: ImageId,
        png_name: str,
        prediction: PanopticPrediction,
        overlay: Image.Image | None = None,
    ) -> None:
        """Write one prediction's PNG, and perhaps its picture.

        Args:
            image_id: of the photo.
            png_name: relative to the folder of PNGs; the picture has the same but for the suffix.
            prediction: what to write.
            overlay: the picture.

        Raises:
            OutputError: a file cannot be written.
            ValueError: the image or the name was added before, or the name leaves the folder.
        """
        name = PurePosixPath(png_name)
        if not is_png_inside(name):
            raise ValueError(f"{png_name!r} is not the name of a PNG inside the folder")
        if image_id in self._entries or png_name in self._file_names:
            raise ValueError(f"image {image_id!r} or {png_name!r} was added before")
        prediction.save(self._staging.hidden / self._name / name)
        if overlay is not None:
            overlay.thumbnail((_JPEG_SIDE, _JPEG_SIDE))
            write_photo(self._staging.hidden / OVERLAYS / name.with_suffix(".jpg"), overlay)
        self._entries[image_id] = prediction.to_coco(image_id, png_name)
        self._file_names.add(png_name)

    def close(self, categories: Categories, images: Sequence[ImageInfo] = (), ranks: Ranks = ALONE) -> Path:
        """Replace an earlier result by this one.

        Args:
            categories: of the predictions.
            images: the photos of all processes, which results need not describe; their order is the list's.
            ranks: the processes that write this one result; all of them close it.

        Returns:
            The path of the JSON file.

        Raises:
            OutputError: the earlier one cannot be removed, or this one cannot be written.
        """
        entries = {
            entry["image_id"]: entry for part in ranks.gather(self._entries) for entry in part.values()
        }
        self._check_free()
        self._staging.check_places()
        ranks.wait()
        if ranks.is_first:  # the JSON first, so that none is left that names missing PNGs
            remove_earlier([self.json_path, *self._earlier()])
        ranks.wait()
        check_writable_folder(self.folder / self._name)
        self._staging.show()
        ranks.wait()
        if ranks.is_first:
            ordered = [entries[image.id] for image in images] or list(entries.values())
            self._write_list(ordered, categories, images)
        ranks.wait()
        return self.json_path

    def _check_free(self) -> None:
        """See that what has been written so far replaces nothing but files of an earlier result.

        Raises:
            OutputError: it names the file that is in the way.
        """
        target = self._staging.in_the_way(allowed=set(self._earlier()))
        if target is not None:
            raise OutputError(
                f"{target}: is of no earlier result that {self.json_path} lists, so it is not replaced; "
                f"remove it, or choose another output folder"
            )

    def _earlier(self) -> list[Path]:
        """Files of an earlier result besides its JSON."""
        pngs = listed_pngs(self.json_path, "info", INFO)
        pictures = [self.folder / OVERLAYS / png.with_suffix(".jpg") for png in pngs]
        return [self.folder / self._name / png for png in pngs] + pictures

    def _write_list(
        self, entries: list[dict[str, Any]], categories: Categories, images: Sequence[ImageInfo]
    ) -> None:
        """Write the JSON file, atomically; ``entries`` are those of all processes."""
        content = {
            "info": INFO,
            "images": [image_entry(image) for image in images],
            "annotations": entries,
            "categories": categories.to_json(),
        }
        write_json(self.json_path, content)
