"""What stands for a photo in Python, and its pixels."""

import contextlib
import os
import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spatialflow.errors import DataError
from spatialflow.image_io import pillow_warnings, pixels_of, read_photo

Photo = str | os.PathLike[str] | NDArray[np.uint8] | Tensor | Image.Image
"""A path; an (H, W, 3) uint8 RGB array, or (H, W) or (H, W, 1) grey, or (H, W, 4) RGBA; a (3, H, W) uint8 RGB
tensor, or (1, H, W) grey; or a PIL image of any mode. Transparency is laid over white, 16 bits become 8."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:")
"""A scheme of two letters or more: one letter may be a Windows drive. Path() makes one slash of two."""
_SEVERAL_PICTURES = ("GIF", "WEBP", "PNG", "TIFF")
"""Formats whose further pictures somebody may miss; those of a phone's MPO are of the same view."""


def load_image(path: str | os.PathLike[str]) -> Tensor:
    """Decode a photo to (3, H, W) uint8 RGB, upright by its EXIF orientation.

    Raises:
        DataError: the file is missing, not an image, or truncated.
    """
    return torch.from_numpy(read_photo(path).copy()).permute(2, 0, 1)


def as_photo(image: Any) -> NDArray[np.uint8]:
    """Any of :data:`Photo` as (H, W, 3) uint8 RGB.

    Raises:
        DataError: a path that is no readable image, an array of another shape or type, or something else.
    """
    if isinstance(image, str | os.PathLike):
        check_local(os.fspath(image))
        return read_photo(image)
    if isinstance(image, Image.Image):
        return pixels_of(image)
    if isinstance(image, bytes | bytearray | memoryview):
        raise DataError(
            "image: bytes are no photo; decode them first: PIL.Image.open(io.BytesIO(data)), and give that"
        )
    if isinstance(image, list | tuple):
        raise DataError("image: a list is no photo; for several photos call predict_many, or predict_stream")
    if isinstance(image, Tensor):
        return _from_tensor(image)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    raise DataError(f"image: {type(image).__name__} is no photo; give a path, array, tensor or PIL image")


def check_local(path: str) -> None:
    """Refuse addresses on the net.

    Raises:
        DataError: it is one.
    """
    if _URL.match(path):
        raise DataError(
            f"{path}: is a URL, which is not fetched here; download it first, as with `curl -LO URL`, and "
            f"give the file"
        )


def _from_tensor(image: Tensor) -> NDArray[np.uint8]:
    pixels = image.numpy(force=True) if image.dtype != torch.bfloat16 else image.float().numpy(force=True)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or 0 in pixels.shape:
        raise _no_photo(pixels, str(image.dtype).removeprefix("torch."))
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))


def _from_array(image: NDArray[Any]) -> NDArray[np.uint8]:
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise _no_photo(image, str(image.dtype))
    if pixels.shape[2] == 4:
        return pixels_of(Image.fromarray(np.ascontiguousarray(pixels), "RGBA"))
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _no_photo(pixels: NDArray[Any], dtype: str) -> DataError:
    """The error for an array or tensor, with what may be meant."""
    remedy = "an array (H, W, 3) or a tensor (3, H, W)"
    if pixels.dtype.kind == "f":
        remedy += "; values 0..1 become that by (image * 255).round() in uint8"
    elif pixels.dtype == np.uint16:
        remedy += "; 16 bits become 8 by (image // 257) in uint8"
    elif pixels.ndim == 4:
        remedy += "; for several photos call predict_many with a list of such"
    elif pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) and pixels.dtype == np.uint8:
        remedy += "; an array with its channels first needs .transpose(1, 2, 0)"
    return DataError(f"image: {dtype} of shape {pixels.shape} is no photo; give uint8 RGB, {remedy}")


def note_on(path: str | os.PathLike[str]) -> str | None:
    """What somebody may not expect of a file that was read: of several pictures in it, the first counts."""
    broken = contextlib.suppress(OSError, SyntaxError, ValueError, EOFError)
    with broken, pillow_warnings(), Image.open(path) as image:
        count = getattr(image, "n_frames", 1) if image.format in _SEVERAL_PICTURES else 1
        if count > 1:
            return f"{path}: holds {count} pictures; the first is used"
    return None
