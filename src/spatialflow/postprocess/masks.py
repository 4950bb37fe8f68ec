"""From 28 x 28 mask probabilities to pixels of the photo."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MASK_THRESHOLD = 0.5
_STRIP_PIXELS = 1 << 22
"""Probabilities of a mask held at a time: those of a thing as large as a large photo are no small matter."""


class MaskWindow(NamedTuple):
    """A mask and where it lies; outside the window it is false."""

    y: int
    x: int
    pixels: NDArray[np.bool_]
    """(h, w)."""

    @property
    def slices(self) -> tuple[slice, slice]:
        """The window in an image-sized array."""
        height, width = self.pixels.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


def paste_mask(
    probabilities: NDArray[np.float32], box: NDArray[np.float32], image_size: tuple[int, int]
) -> MaskWindow:
    """Stretch a mask over its box.

    A pixel belongs to the mask if the map, sampled bilinearly at the pixel's centre and zero outside, reaches
    one half. A box without width (or height) samples the map's middle over the columns that it touches: so
    does the original, whose masks of such boxes are therefore not empty.

    Args:
        probabilities: (M, M).
        box: (4,) xyxy in pixels of the image.
        image_size: (H, W).

    Returns:
        The mask in a window around its box.
    """
    height, width = image_size
    size = probabilities.shape[0]
    x, horizontal = _samples(float(box[0]), float(box[2]), width, size)
    y, vertical = _samples(float(box[1]), float(box[3]), height, size)
    rows = vertical @ probabilities
    step = max(1, _STRIP_PIXELS // max(len(horizontal), 1))
    pixels = np.empty((len(rows), len(horizontal)), np.bool_)
    for start in range(0, len(rows), step):
        strip = slice(start, start + step)
        np.greater_equal(rows[strip] @ horizontal.T, MASK_THRESHOLD, out=pixels[strip])
    return MaskWindow(y, x, pixels)


def _samples(start: float, end: float, limit: int, size: int) -> tuple[int, NDArray[np.float32]]:
    """First pixel of the window along one axis, and its pixels' bilinear weights, (pixels, map cells)."""
    first = max(int(np.floor(start)) - 1, 0)
    last = min(int(np.ceil(end)) + 1, limit)
    centres = np.arange(first, max(last, first), dtype=np.float32) + np.float32(0.5)
    extent = np.float32(end) - np.float32(start)
    if extent > 0:
        cells = (centres - np.float32(start)) / extent * size - np.float32(0.5)
    else:
        cells = np.full_like(centres, (size - 1) / 2)
    distance = np.abs(cells[:, None] - np.arange(size, dtype=np.float32))
    return first, np.maximum(1 - distance, 0, dtype=np.float32)
