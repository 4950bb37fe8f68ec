"""A COCO JSON file of any kind: its images typed and checked, the rest as it is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow.data.json_fields import FieldError
from spatialflow.data.panoptic_json import ImageId, ImageInfo, read_images
from spatialflow.errors import DataError
from spatialflow.files import read_json


@dataclass(frozen=True, slots=True)
class CocoImages:
    """What such a file says."""

    path: Path
    head: dict[str, Any]
    """``info`` and ``licenses``."""
    images: dict[ImageId, ImageInfo]
    """By id, in the order of the file."""
    entries: dict[ImageId, Mapping[str, Any]]
    """The entry of ``images`` that each is from."""
    annotations: Any
    categories: Any


def open_coco(path: str | os.PathLike[str]) -> CocoImages:
    """Read a file that has ``images``.

    Raises:
        DataError: it cannot be read, or its images are missing or wrong.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, Mapping) or "images" not in content:
        raise DataError(
            f"{path}: images: the key is missing; a COCO file that lists id, file_name, height and width of "
            f"the images is expected"
        )
    try:
        images = read_images(content["images"])
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None
    entries = {entry["id"]: entry for entry in content["images"]}
    head = {key: content[key] for key in ("info", "licenses") if key in content}
    return CocoImages(path, head, images, entries, content.get("annotations"), content.get("categories"))
