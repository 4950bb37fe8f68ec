"""Predictions as a COCO-panoptic result (cocodataset.org/#format-results): a folder of PNGs and one JSON."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageId, ImageInfo
from spatialflow.errors import DataError, OutputError
from spatialflow.files import check_writable_folder, read_json, write_json
from spatialflow.structures import PanopticPrediction

INFO = {"description": "prediction of SpatialFlow"}
"""Of the JSON files written here: their PNGs may be removed when a new result takes their place."""


class ResultWriter:
    """Writes each prediction's PNG at once, and the JSON that lists them all when it is closed.

    The files are ``<folder>/<name>/*.png`` and ``<folder>/<name>.json``, where ``evaluate_pq``
    looks for them.

    Example:
        >>> writer = ResultWriter("out")
        >>> writer.add(9, "000000000009.png", predictor.predict("000000000009.jpg"))
        >>> writer.close(categories)
        PosixPath('out/panoptic.json')
    """

    def __init__(self, folder: str | os.PathLike[str], name: str = "panoptic") -> None:
        """Make the folders; an earlier result there is removed, its JSON and the PNGs that this lists.

        Raises:
            OutputError: they cannot be made or written to, or the earlier result cannot be removed.
        """
        self.json_path = Path(folder) / f"{name}.json"
        self.png_folder = check_writable_folder(Path(folder) / name)
        self._remove_earlier()
        self._entries: dict[ImageId, dict[str, Any]] = {}
        self._file_names: set[str] = set()

    def __len__(self) -> int:
        """Number of predictions so far."""
        return len(self._entries)

    def add(self, image_id: ImageId, png_name: str, prediction: PanopticPrediction) -> Path:
        """Write one prediction's PNG; ``png_name`` is relative to the folder of PNGs.

        Returns:
            The path of the PNG.

        Raises:
            OutputError: the PNG cannot be written.
            ValueError: the image or the name was added before, or the name leaves the folder.
        """
        name = PurePosixPath(png_name)
        if not _is_png_inside(name):
            raise ValueError(f"{png_name!r} is not the name of a PNG inside the folder")
        if image_id in self._entries or png_name in self._file_names:
            raise ValueError(f"image {image_id!r} or {png_name!r} was added before")
        path = self.png_folder / name
        prediction.save(path)
        self._entries[image_id] = prediction.to_coco(image_id, png_name)
        self._file_names.add(png_name)
        return path

    def close(self, categories: Categories, images: Iterable[ImageInfo] = ()) -> Path:
        """Write the JSON file, atomically; ``images`` describes the photos, which results need not.

        Returns:
            The path of the JSON file.

        Raises:
            OutputError: it cannot be written.
        """
        content = {
            "info": INFO,
            "images": [
                {"id": i.id, "file_name": i.file_name, "height": i.height, "width": i.width} for i in images
            ],
            "annotations": list(self._entries.values()),
            "categories": categories.to_json(),
        }
        write_json(self.json_path, content)
        return self.json_path

    def _remove_earlier(self) -> None:
        """Remove an earlier result, the JSON first, so that none is left that names missing PNGs."""
        path = self.json_path
        try:
            stale = _pngs_of_result(path)
            path.unlink(missing_ok=True)
            for name in stale:
                path = self.png_folder / name
                path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: of an earlier result, cannot be removed ({error.strerror or error}); remove it, or "
                f"choose another output folder"
            ) from error


def _is_png_inside(name: PurePosixPath) -> bool:
    return not name.is_absolute() and ".." not in name.parts and name.suffix.lower() == ".png"


def _pngs_of_result(json_path: Path) -> list[PurePosixPath]:
    """PNGs that a result written here lists; none of any other file, which may be someone's ground truth."""
    with contextlib.suppress(DataError, KeyError, TypeError):  # missing, or not as it was written
        content = read_json(json_path)
        if content["info"] == INFO:
            names = [PurePosixPath(entry["file_name"]) for entry in content["annotations"]]
            return [name for name in names if _is_png_inside(name)]
    return []
