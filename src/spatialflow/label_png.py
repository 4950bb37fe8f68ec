"""PNGs whose pixel values are labels: categories, instances, or both in several channels."""

import io
import os
import struct
import warnings
from typing import Any

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8
from numpy.typing import NDArray
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.image_io import check_png, encode_png, read_png_bytes

_GREY, _RGB, _PALETTE, _GREY_ALPHA = 0, 2, 3, 4
"""Colour types of the PNG format (w3.org/TR/png, 11.2.2)."""
_MAX_PIXELS = 1 << 28


def read_label_png(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Decode a PNG to its values as they are stored.

    Returns:
        (H, W) uint8 or uint16 for grey levels, or for a palette its indices; (H, W, C) for several channels,
        red first.

    Raises:
        DataError: the file is missing, truncated, or no PNG.
    """
    encoded = read_png_bytes(path, "PNG of labels")
    check_png(encoded, str(path))
    width, height, depth, color_type = struct.unpack(">IIBB", encoded[16:26].ljust(10, b"\0"))
    pixels = None
    if 0 < width * height < _MAX_PIXELS:
        pixels = _decode(encoded, (height, width), depth, color_type)
    if pixels is None:
        raise DataError(f"{path}: the PNG cannot be decoded; write or fetch it again")
    return pixels


def _decode(encoded: bytes, size: tuple[int, int], depth: int, color_type: int) -> NDArray[Any] | None:
    """The pixels, or None if the PNG is broken."""
    try:
        if (depth, color_type) == (8, _RGB):  # three times as fast as OpenCV
            return np.asarray(decode_image_png_u8(encoded, size, "rgb"))
        if depth < 8 or color_type in (_PALETTE, _GREY_ALPHA):  # which OpenCV turns into other values
            return _decode_as_stored(encoded, depth, color_type)
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except Exception:  # the decoders raise nothing more special for a broken file
        return None
    if pixels is None or pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _decode_as_stored(encoded: bytes, depth: int, color_type: int) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(encoded)) as image:
            pixels = np.asarray(image)
    pixels = pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels
    if color_type == _GREY and 1 < depth < 8:  # Pillow spreads them over 0..255
        pixels = pixels // (255 // (2**depth - 1))
    return pixels


def encode_label_png(labels: NDArray[np.unsignedinteger[Any]]) -> bytes:
    """Encode (H, W) uint8 or uint16 labels as the bytes of a PNG of one channel."""
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"labels must be (H, W) uint8 or uint16, got {labels.shape} {labels.dtype}")
    return encode_png(labels)
