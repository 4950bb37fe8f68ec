"""What all who write COCO-panoptic files share: names of PNGs, entries of images, an earlier file's list."""

import contextlib
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.files import read_json


def is_png_inside(name: PurePosixPath) -> bool:
    """Whether this names a PNG that does not leave the folder it is relative to."""
    return not name.is_absolute() and ".." not in name.parts and name.suffix.lower() == ".png"


def image_entry(image: ImageInfo) -> dict[str, Any]:
    """The photo's entry in ``images``."""
    return {"id": image.id, "file_name": image.file_name, "height": image.height, "width": image.width}


def listed_pngs(json_path: Path, key: str, value: Any) -> list[PurePosixPath]:
    """PNGs inside the folder of PNGs that a file lists; none unless its ``key`` has this value."""
    with contextlib.suppress(DataError, KeyError, TypeError):  # missing, or not as it was written
        content = read_json(json_path)
        if content[key] == value:
            names = [PurePosixPath(entry["file_name"]) for entry in content["annotations"]]
            return [name for name in names if is_png_inside(name)]
    return []
