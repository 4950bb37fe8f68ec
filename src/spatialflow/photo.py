"""What stands for a photo in Python, and its pixels."""

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spatialflow.errors import DataError
from spatialflow.image_io import pixels_of, read_photo

Photo = str | os.PathLike[str] | NDArray[np.uint8] | Tensor | Image.Image
"""A path, an (H, W, 3) uint8 RGB array, a (3, H, W) uint8 RGB tensor, or a PIL image."""


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
        return read_photo(image)
    if isinstance(image, Image.Image):
        return pixels_of(image)
    if isinstance(image, Tensor):
        image = image.numpy(force=True).transpose(1, 2, 0) if image.ndim == 3 else image.numpy(force=True)
    if not isinstance(image, np.ndarray):
        raise DataError(f"image: {type(image).__name__} is no photo; give a path, array, tensor or PIL image")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(
            f"image: {image.dtype} of shape {image.shape} is no photo; give uint8 RGB, "
            f"an array (H, W, 3) or a tensor (3, H, W)"
        )
    return np.ascontiguousarray(image)
