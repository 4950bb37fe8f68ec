"""Shapes and textures of the synthetic scenes: outlines, coverage masks, patterns, colours.

Everything here is drawn from a ``numpy.random.Generator`` that the caller owns, so a seed fixes every pixel.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Size = tuple[int, int]

_OVERSAMPLING = 4
_SUBPIXEL_BITS = 4  # of OpenCV's fixed-point coordinates
_MARGIN = 4  # pixels around a shape that its shadow may reach


def _circle(radius: float, corners: int = 40) -> Floats:
    angles = np.arange(corners, dtype=np.float32) * np.float32(2 * np.pi / corners)
    return np.float32(radius) * np.stack([np.cos(angles), np.sin(angles)], 1)


def _star(outer: float, inner: float, points: int = 5) -> Floats:
    corners = _circle(outer, 2 * points)
    corners[1::2] *= inner / outer
    return corners


SHAPES: dict[str, tuple[Floats, ...]] = {
    "disc": (_circle(1.0),),
    "square": (_circle(1.22, 4),),
    "triangle": (_circle(1.3, 3),),
    "star": (_star(1.3, 0.52),),
    "ring": (_circle(1.08), _circle(0.56)),
}
"""Outlines about the origin of shapes of much the same size; a second outline is a hole."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A shape put somewhere in the image: which part of each pixel it covers."""

    window: tuple[slice, slice]
    """Rows and columns of the image that ``alpha`` stands for; they lie inside the image."""
    alpha: Floats
    """(h, w) covered share of each pixel, 0..1."""
    shadow: Floats
    """(h, w) softness of the shape's shadow, 0..1."""
    share_inside: float
    """Share of the shape that lies inside the image, about."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels that belong to the shape: those it covers by half or more, (h, w)."""
        return self.alpha >= 0.5


def stamp(outlines: tuple[Floats, ...], centre: tuple[float, float], size: Size) -> Stamp | None:
    """Cover the pixels of an image of ``size`` (H, W) by a shape; None if it lies outside.

    Args:
        outlines: polygons in pixels about the origin; where two overlap there is a hole.
        centre: x and y in pixels.
        size: (H, W) of the image.
    """
    corners = np.concatenate(outlines) + np.array(centre, np.float32)
    low, high = np.floor(corners.min(0)) - _MARGIN, np.ceil(corners.max(0)) + _MARGIN
    x1, y1 = np.maximum(low, 0).astype(int)
    x2, y2 = np.minimum(high, (size[1], size[0])).astype(int)
    if x2 - x1 < 1 or y2 - y1 < 1:
        return None
    offset = np.array((centre[0] - x1, centre[1] - y1), np.float32)
    height, width = int(y2 - y1), int(x2 - x1)
    fine = _fill([outline + offset for outline in outlines], (height, width), _OVERSAMPLING)
    alpha = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    shade = cv2.blur(_fill([outline + offset + 2 for outline in outlines], (height, width), 1), (5, 5))
    total = cv2.contourArea(outlines[0]) - sum(cv2.contourArea(hole) for hole in outlines[1:])
    window = slice(int(y1), int(y2)), slice(int(x1), int(x2))
    unit = np.float32(1 / 255)
    alpha *= unit
    return Stamp(window, alpha, shade.astype(np.float32) * unit, float(alpha.sum()) / max(total, 1.0))


def _fill(outlines: list[Floats], size: Size, scale: int) -> NDArray[np.uint8]:
    """Polygons in pixel coordinates (0 = left edge of the first pixel) on a grid ``scale`` times as fine."""
    canvas = np.zeros((size[0] * scale, size[1] * scale), np.uint8)
    fixed = [np.rint((o * scale - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32) for o in outlines]
    cv2.fillPoly(canvas, fixed, 255, cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas


def place_outlines(
    shape: str, radius: float, rng: np.random.Generator, stretch: float = 1.2
) -> tuple[Floats, ...]:
    """Outlines of a shape, turned by any angle and stretched by up to ``stretch``, in pixels."""
    angle, lengthen = rng.uniform(0, 2 * np.pi), stretch ** rng.uniform(-0.5, 0.5)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = radius * np.array(
        [[cos * lengthen, sin * lengthen], [-sin / lengthen, cos / lengthen]], np.float32
    )
    return tuple(outline @ turn for outline in SHAPES[shape])


def smooth_noise(rng: np.random.Generator, size: Size, cell: float) -> Floats:
    """Random hills about ``cell`` pixels wide, (H, W), about -1..1."""
    rows, columns = int(size[0] / cell) + 3, int(size[1] / cell) + 3
    coarse = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC).astype(
        np.float32, copy=False
    )


def _stripes(u: Floats, v: Floats, rng: np.random.Generator) -> Floats:
    return _steep(np.sin(u * np.float32(2 * np.pi / rng.uniform(7, 14))), 3)


def _checks(u: Floats, v: Floats, rng: np.random.Generator) -> Floats:
    step = np.float32(np.pi / rng.uniform(6, 11))
    return _steep(np.sin(u * step) * np.sin(v * step), 6)


def _dots(u: Floats, v: Floats, rng: np.random.Generator) -> Floats:
    step = np.float32(np.pi / rng.uniform(4, 6.5))
    return _steep(np.cos(u * step) + np.cos(v * step) - np.float32(1.1), 4)


def _clouds(u: Floats, v: Floats, rng: np.random.Generator) -> Floats:
    shape = (u.shape[0], u.shape[1])
    return smooth_noise(rng, shape, rng.uniform(22, 40)) + 0.35 * smooth_noise(rng, shape, 11)


def _steep(wave: Floats, slope: float) -> Floats:
    """Sharpen a wave to bands with soft edges, -1..1."""
    return np.clip(wave * np.float32(slope), -1, 1)


TEXTURES: dict[str, Callable[[Floats, Floats, np.random.Generator], Floats]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "clouds": _clouds,
}
"""Patterns, -1..1, of turned and gently bent pixel coordinates u and v."""


def texture(name: str, size: Size, rng: np.random.Generator) -> Floats:
    """One pattern, turned by any angle, (H, W), -1..1."""
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    columns = np.arange(size[1], dtype=np.float32)[None]
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    bend = smooth_noise(rng, size, 48)
    u = columns * cos + rows * sin + 3 * bend + np.float32(rng.uniform(0, 40))
    v = rows * cos - columns * sin + 3 * bend + np.float32(rng.uniform(0, 40))
    return TEXTURES[name](u, v, rng)


def color_pair(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two related colours that differ clearly in brightness."""
    hue, saturation, dark = rng.uniform(), rng.uniform(0.08, 0.55), rng.uniform(0.25, 0.6)
    light = dark + rng.uniform(0.25, 0.4)
    pair = _rgb(hue, saturation, dark), _rgb(hue + rng.uniform(-0.08, 0.08), saturation * 0.8, light)
    return pair if rng.uniform() < 0.5 else pair[::-1]


def random_color(rng: np.random.Generator) -> Floats:
    """A colour of a thing: any hue, pale to strong."""
    return _rgb(rng.uniform(), rng.uniform(0.25, 0.8), rng.uniform(0.3, 1.0))


def _rgb(hue: float, saturation: float, value: float) -> Floats:
    return np.float32(255) * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)
