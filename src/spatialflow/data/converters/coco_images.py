"""A COCO JSON file of any kind: its images typed and checked, the rest as it is."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.data.panoptic_json import ImageInfo, parse_images
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.json_fields import FieldError
from spatialflow.panoptic_annotation import ImageId

_MAX_PIXELS = 1 << 28
"""More than a photo has; a map of so many would not fit into memory."""


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
        images = {i: _checked(image) for i, image in parse_images(content["images"]).items()}
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None
    entries = {entry["id"]: entry for entry in content["images"]}
    head = {key: content[key] for key in ("info", "licenses") if key in content}
    return CocoImages(path, head, images, entries, content.get("annotations"), content.get("categories"))


def _checked(image: ImageInfo) -> ImageInfo:
    """The image with slashes in its name, as Windows programs write backslashes, if its size can be."""
    if image.height * image.width > _MAX_PIXELS:
        size = f"{image.width}x{image.height} pixels"
        raise FieldError("images", f"{image.file_name} of {size} is too large; correct height and width")
    name = fields.file_name({"file_name": image.file_name.replace("\\", "/")})
    return dataclasses.replace(image, file_name=name)
