"""Predictions as a COCO-panoptic result (cocodataset.org/#format-results): a folder of PNGs and one JSON."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageId, ImageInfo
from spatialflow.files import check_writable_folder, write_json
from spatialflow.structures import PanopticPrediction


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
        """Make the folders.

        Raises:
            OutputError: they cannot be made or written to.
        """
        self.json_path = Path(folder) / f"{name}.json"
        self.png_folder = check_writable_folder(Path(folder) / name)
        self.json_path.unlink(missing_ok=True)  # of an earlier run, whose PNGs are about to change
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
        if name.is_absolute() or ".." in name.parts or name.suffix.lower() != ".png":
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
            "images": [
                {"id": i.id, "file_name": i.file_name, "height": i.height, "width": i.width} for i in images
            ],
            "annotations": list(self._entries.values()),
            "categories": categories.to_json(),
        }
        write_json(self.json_path, content)
        return self.json_path
