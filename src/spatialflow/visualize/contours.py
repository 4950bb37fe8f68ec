"""Smooth, anti-aliased outlines of segments."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.masks.extents import measure
from spatialflow.visualize.colors import Color, lighter
from spatialflow.visualize.index_map import Index

_SHIFT = 4
"""Bits of a coordinate behind the point, as OpenCV draws them."""
_WINDOW = 5
"""Points of an outline over which steps of pixels are smoothed."""
_CASING = 0.3
"""Opacity of the dark rim that sets a thing's outline off from its surroundings."""
_STUFF = 0.3
"""Opacity of stuff's thin light outline."""
_LIGHT = 0.35
"""Share of white in a thing's outline."""

Line = NDArray[np.int32]


def draw_contours(
    pixels: NDArray[np.uint8], index: Index, is_thing: Sequence[bool], colors: Sequence[Color], unit: float
) -> None:
    """Outline things in a lighter shade of their colour, on a dark rim, and stuff in a faint thin white.

    Nothing is drawn along the edges of the picture.

    Args:
        pixels: (H, W, 3) RGB; changed.
        index: see :func:`spatialflow.visualize.index_map.index_map`; of this size.
        is_thing: of each segment.
        colors: of each segment.
        unit: width of a thin line, in pixels.
    """
    lines = _outlines(index)
    stuff = [line for place, found in lines.items() if not is_thing[place] for line in found]
    things = {place: found for place, found in lines.items() if is_thing[place]}
    width = max(1, round(unit))
    _draw_faintly(pixels, stuff, width, (255, 255, 255), _STUFF)
    rims = [line for found in things.values() for line in found]
    _draw_faintly(pixels, rims, width + 2, (0, 0, 0), _CASING)
    for place, found in things.items():
        color = lighter(colors[place], _LIGHT)
        cv2.polylines(pixels, found, True, color, width, cv2.LINE_AA, _SHIFT)


def _outlines(index: Index) -> dict[int, list[Line]]:
    """The outlines of each place in the list, in fractions of pixels."""
    margin = _WINDOW  # beyond the edge, where the outline closes unseen
    padded: NDArray[Any] = cv2.copyMakeBorder(index, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    extents = measure(padded)
    lines = {}
    for value, (x, y, width, height) in zip(extents.ids.tolist(), extents.boxes.tolist(), strict=True):
        mask = (padded[y : y + height, x : x + width] == value).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        lines[value - 1] = [_smooth(contour[:, 0], (x - margin, y - margin)) for contour in found]
    return lines


def _smooth(points: NDArray[Any], offset: tuple[int, int]) -> Line:
    """The mean of neighbouring points, so that pixels make no steps; short outlines stay as they are."""
    if len(points) > 3 * _WINDOW:
        half = _WINDOW // 2
        around = np.concatenate([points[-half:], points, points[:half]]).cumsum(axis=0)
        sums = around[_WINDOW - 1 :].copy()
        sums[1:] -= around[:-_WINDOW]
        points = sums[:: _WINDOW // 2] / _WINDOW
    return ((points + offset) * (1 << _SHIFT)).round().astype(np.int32)


def _draw_faintly(
    pixels: NDArray[np.uint8], lines: Sequence[Line], width: int, color: Color, opacity: float
) -> None:
    """Draw lines that let the picture through, once where they cross."""
    if not lines:
        return
    cover = np.zeros(pixels.shape[:2], np.uint8)
    cv2.polylines(cover, lines, True, 255, width, cv2.LINE_AA, _SHIFT)
    touched = np.flatnonzero(cover > 0)
    flat = pixels.reshape(-1, 3)
    share = (np.take(cover, touched) * np.float32(opacity / 255))[:, None]
    under = np.take(flat, touched, axis=0)
    flat[touched] = (under + (np.array(color, np.float32) - under) * share).astype(np.uint8)
