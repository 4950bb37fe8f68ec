"""How pixels in no segment are shown."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

VoidStyle = Literal["darken", "hatch"]
"""``darken`` the photo there, or make it grey and ``hatch`` it with faint lines."""
_DARK = 0.35
"""Brightness of darkened void."""


def paint_void(photo: NDArray[np.uint8], void: NDArray[np.bool_], style: VoidStyle, unit: int) -> None:
    """Change the pixels of a photo that are void.

    Args:
        photo: (H, W, 3) RGB; changed.
        void: (H, W).
        style: how.
        unit: width of a thin line, in pixels.
    """
    pixels: NDArray[Any]
    if style == "darken":
        pixels = photo[void] * _DARK
    else:
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[void] * 0.4 + 60
        y, x = np.nonzero(void)
        line = (x + y) % (12 * unit) < unit
        pixels = np.repeat((grey * np.where(line, 0.75, 1.0) + 255 * 0.25 * line)[:, None], 3, axis=1)
    photo[void] = pixels.astype(np.uint8)
