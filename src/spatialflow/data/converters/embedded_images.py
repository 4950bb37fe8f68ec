"""Pictures that a JSON file holds as base64 text."""

import base64
import binascii
import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.image_io import upright_size
from spatialflow.json_fields import FieldError, show


def mask_of_base64(text: Any, name: str) -> NDArray[np.bool_]:
    """(H, W), true where a one-channel picture is not 0.

    Raises:
        FieldError: at the field ``name``, it is no such picture.
    """
    with _opened(text, name) as picture:
        try:
            pixels = np.asarray(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise _broken(name, error) from None
    if pixels.ndim != 2:
        raise FieldError(name, f"a PNG of one channel is expected, it has {pixels.shape[2]}; draw it again")
    return pixels != 0


def size_of_base64(text: Any, name: str) -> tuple[int, int]:
    """(H, W) of a picture, upright by its EXIF orientation.

    Raises:
        FieldError: at the field ``name``, it is no picture.
    """
    with _opened(text, name) as picture:
        return upright_size(picture)


def _opened(text: Any, name: str) -> Image.Image:
    if not isinstance(text, str):
        raise FieldError(name, f"a picture as base64 text is expected, got {show(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
    except (
        OSError,
        SyntaxError,
        ValueError,
        binascii.Error,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise _broken(name, error) from None


def _broken(name: str, error: Exception) -> FieldError:
    reason = " ".join(str(error).split())
    return FieldError(name, f"is no picture that can be decoded ({reason}); draw it again")
