"""Composing one synthetic scene: textured regions, things that cover one another, light, lens and sensor."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.data.synthetic_drawing import (
    SHAPES,
    TEXTURES,
    Floats,
    Size,
    Stamp,
    color_pair,
    place_outlines,
    random_color,
    smooth_noise,
    stamp,
    texture,
)

MIN_THING_AREA = 40
"""Pixels of a thing that must stay visible."""
MIN_THING_SHARE = 0.55
"""Share of a thing inside the image that must stay visible."""
MIN_STUFF_AREA = 300
"""Pixels of a stuff region that must stay visible (of a small image, a sixteenth of it)."""
RADIUS_RANGE = (11.0, 34.0)
"""Of things, pixels."""
CROWD_CHANCE = 0.04
VOID_CHANCE = 0.05

_VOID = -1
_SHAPE_NAMES = tuple(SHAPES)
_TEXTURE_NAMES = tuple(TEXTURES)


@dataclass(frozen=True, slots=True)
class Layer:
    """One segment of a scene."""

    name: str
    """Of its class."""
    is_crowd: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo and its truth."""

    photo: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    layer_map: NDArray[np.int32]
    """(H, W) index into ``layers`` of each pixel, -1 = void; every layer has pixels."""
    layers: tuple[Layer, ...]


def draw_scene(rng: np.random.Generator, size: Size) -> Scene:
    """Draw one scene of ``size`` (H, W)."""
    composer = _Composer(rng, size)
    composer.add_stuff()
    if rng.uniform() < VOID_CHANCE:
        composer.add_void()
    composer.add_things()
    if rng.uniform() < CROWD_CHANCE:
        composer.add_crowd()
    return Scene(_photograph(composer.canvas, rng), composer.layer_map, tuple(composer.layers))


class _Composer:
    """A scene in the making: the canvas, the layer of each pixel, and how much of each layer must stay.

    The canvas is (3, H, W), which makes the blending several times faster than (H, W, 3).
    """

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        self.rng = rng
        self.size = size
        self.canvas: Floats = np.zeros((3, *size), np.float32)
        self.layer_map = np.zeros(size, np.int32)
        self.layers: list[Layer] = []
        self.visible: list[int] = []
        self.needed: list[float] = []

    def add_stuff(self) -> None:
        """Fill the image with one to four regions, each of another texture."""
        rng, size = self.rng, self.size
        count = int(rng.choice(4, p=(0.12, 0.48, 0.28, 0.12))) + 1
        needed = min(MIN_STUFF_AREA, size[0] * size[1] // 16)
        while True:
            self.layer_map = (
                _horizons(rng, size, count) if rng.uniform() < 0.6 else _patches(rng, size, count)
            )
            self.visible = np.bincount(self.layer_map.ravel(), minlength=count).tolist()
            if min(self.visible) >= 2 * needed:
                break
        self.needed = [needed] * count
        self.layers = [Layer(str(name)) for name in rng.permutation(_TEXTURE_NAMES)[:count]]
        pattern = texture(self.layers[0].name, size, rng)
        for index, layer in enumerate(self.layers[1:], 1):
            np.copyto(pattern, texture(layer.name, size, rng), where=self.layer_map == index)
        pairs = np.stack([color_pair(rng) for _ in self.layers])
        half = np.float32(0.5)
        middle, swing = (pairs[:, 0] + pairs[:, 1]) * half, (pairs[:, 1] - pairs[:, 0]) * half
        self.canvas = swing.T.take(self.layer_map, 1)
        self.canvas *= pattern
        self.canvas += middle.T.take(self.layer_map, 1)

    def add_void(self) -> None:
        """A shapeless blob of no class."""
        rng = self.rng
        angles = np.linspace(0, 2 * np.pi, 36, endpoint=False, dtype=np.float32)
        reach = np.ones_like(angles)
        for lobes in (2, 3, 5):
            reach += np.float32(rng.uniform(0, 0.16)) * np.sin(
                lobes * angles + np.float32(rng.uniform(0, 6.3))
            )
        outline = np.float32(rng.uniform(8, 14)) * np.stack(
            [reach * np.cos(angles), reach * np.sin(angles)], 1
        )
        blob = stamp((outline,), self._anywhere(), self.size)
        if blob is not None and not self._hides_too_much(blob.mask, blob.window):
            self._paint(blob, random_color(rng), radius=14)
            self._cover(blob.mask, blob.window, None)

    def add_things(self) -> None:
        """Things all over the image, and in a quarter of scenes a huddle of one class."""
        rng = self.rng
        for _ in range(int(rng.integers(1, 7))):
            self._add_thing(str(rng.choice(_SHAPE_NAMES)), self._anywhere(), _radius(rng))
        if rng.uniform() < 0.25:
            shape, radius = str(rng.choice(_SHAPE_NAMES)), min(_radius(rng), 16.0)
            x, y = self._anywhere()
            for _ in range(int(rng.integers(3, 7))):
                spread = rng.normal(0, 1.5 * radius, 2)
                self._add_thing(shape, (x + spread[0], y + spread[1]), radius * rng.uniform(0.85, 1.2))

    def add_crowd(self) -> None:
        """A swarm of many tiny things of one class, one segment; none if it would hide others."""
        rng = self.rng
        shape = str(rng.choice(_SHAPE_NAMES))
        x, y = self._anywhere()
        color = random_color(rng)
        places = [(x + dx, y + dy) for dx, dy in rng.normal(0, 11, (int(rng.integers(14, 26)), 2))]
        stamps = [
            stamp(place_outlines(shape, rng.uniform(3.5, 5), rng), place, self.size) for place in places
        ]
        together = np.zeros(self.size, bool)
        inside = [s for s in stamps if s is not None]
        for one in inside:
            together[one.window] |= one.mask
        if together.sum() < MIN_THING_AREA or self._hides_too_much(together, (slice(None), slice(None))):
            return
        for one in inside:
            self._paint(one, np.clip(color + rng.normal(0, 18, 3).astype(np.float32), 0, 255), radius=5)
        self._cover(together, (slice(None), slice(None)), Layer(shape, is_crowd=True))

    def _add_thing(self, shape: str, centre: tuple[float, float], radius: float) -> None:
        """Put a thing on top, unless most of it lies outside or it hides another."""
        thing = stamp(place_outlines(shape, radius, self.rng), centre, self.size)
        if thing is None or thing.share_inside < 0.6 or np.count_nonzero(thing.mask) < MIN_THING_AREA:
            return
        if not self._hides_too_much(thing.mask, thing.window):
            self._paint(thing, self._standing_out(thing), radius)
            self._cover(thing.mask, thing.window, Layer(shape))

    def _hides_too_much(self, mask: NDArray[np.bool_], window: tuple[slice, slice]) -> bool:
        hidden = self._count(mask, window)
        return bool(((hidden > 0) & (np.array(self.visible) - hidden < self.needed)).any())

    def _count(self, mask: NDArray[np.bool_], window: tuple[slice, slice]) -> NDArray[np.intp]:
        """Pixels of each layer under a mask."""
        return np.bincount(self.layer_map[window][mask] - _VOID, minlength=len(self.layers) + 1)[1:]

    def _cover(self, mask: NDArray[np.bool_], window: tuple[slice, slice], layer: Layer | None) -> None:
        """Put a layer on top; None is void."""
        self.visible = (np.array(self.visible) - self._count(mask, window)).tolist()
        self.layer_map[window][mask] = _VOID if layer is None else len(self.layers)
        if layer is not None:
            area = int(np.count_nonzero(mask))
            self.layers.append(layer)
            self.visible.append(area)
            self.needed.append(max(MIN_THING_AREA, MIN_THING_SHARE * area))

    def _standing_out(self, thing: Stamp) -> Floats:
        """A random colour unlike what the thing will cover."""
        below = self.canvas[:, *thing.window]
        behind = np.einsum("chw,hw->c", below, thing.alpha) / thing.alpha.sum()
        for _ in range(8):
            color = random_color(self.rng)
            if np.abs(color - behind).sum() > 150:
                break
        return color

    def _paint(self, thing: Stamp, color: Floats, radius: float) -> None:
        """Lay a shaded, faintly mottled surface and its shadow on the canvas."""
        rng = self.rng
        below = self.canvas[:, *thing.window]
        height, width = thing.alpha.shape
        rows = np.arange(height, dtype=np.float32)[:, None] - height / 2
        columns = np.arange(width, dtype=np.float32)[None] - width / 2
        angle = rng.uniform(0, 2 * np.pi)
        along = (np.float32(np.cos(angle)) * columns + np.float32(np.sin(angle)) * rows) / np.float32(radius)
        light = 1 + np.float32(rng.uniform(0.05, 0.22)) * along
        finish = rng.uniform()
        if finish < 0.3:
            light += 0.12 * smooth_noise(rng, (height, width), rng.uniform(4, 9))
        elif finish < 0.45:
            light += 0.1 * np.sin(along * np.float32(rng.uniform(5, 9)))
        below *= (1 - np.float32(0.45) * thing.shadow) * (1 - thing.alpha)
        below += color[:, None, None] * (light * thing.alpha).astype(np.float32, copy=False)

    def _anywhere(self) -> tuple[float, float]:
        return self.rng.uniform(0.06, 0.94) * self.size[1], self.rng.uniform(0.06, 0.94) * self.size[0]


def _radius(rng: np.random.Generator) -> float:
    """As many small things as large ones: uniform in the logarithm."""
    low, high = np.log(RADIUS_RANGE)
    return float(np.exp(rng.uniform(low, high)))


def _horizons(rng: np.random.Generator, size: Size, count: int) -> NDArray[np.int32]:
    """Wavy layers, one above the other or aslant."""
    angle = rng.choice((rng.normal(0, 0.2), rng.uniform(-1.6, 1.6)), p=(0.7, 0.3))
    rows = np.linspace(-0.5, 0.5, size[0], dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, size[1], dtype=np.float32)[None]
    depth = rows * np.float32(np.cos(angle)) + columns * np.float32(np.sin(angle))
    depth = depth + np.float32(rng.uniform(0.04, 0.12)) * smooth_noise(rng, size, rng.uniform(30, 60))
    index = np.zeros(size, np.int32)
    for i in range(1, count):
        index += depth > i / count - 0.5 + rng.uniform(-0.3, 0.3) / count
    return index


def _patches(rng: np.random.Generator, size: Size, count: int) -> NDArray[np.int32]:
    """Patches about random centres, with bent borders."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] + 14 * smooth_noise(rng, size, 36)
    columns = np.arange(size[1], dtype=np.float32)[None] + 14 * smooth_noise(rng, size, 36)
    centres = rng.uniform(0.1, 0.9, (count, 2)) * size
    return (
        np.stack([(rows - y) ** 2 + (columns - x) ** 2 for y, x in centres.astype(np.float32)])
        .argmin(0)
        .astype(np.int32)
    )


def _photograph(canvas: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven light, a lens that is a little soft, and sensor noise."""
    rows = np.linspace(-1, 1, canvas.shape[1], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, canvas.shape[2], dtype=np.float32)[None]
    slope = rng.uniform(-0.12, 0.12, 2).astype(np.float32)
    canvas *= 1 + slope[0] * rows + slope[1] * columns
    sigma = rng.uniform(0.3, 0.7)
    soft = np.stack([cv2.GaussianBlur(channel, (3, 3), sigma) for channel in canvas])
    soft += _grain(rng, canvas.shape) * np.float32(rng.uniform(1, 4))
    return cv2.merge(list(np.clip(soft + 0.5, 0, 255, out=soft).astype(np.uint8))).astype(
        np.uint8, copy=False
    )


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise, cut at a random place out of one fixed sheet: much faster than new noise."""
    _, height, width = shape
    sheet = _grain_sheet(2 * height, 2 * width)
    top, left = rng.integers(0, height), rng.integers(0, width)
    return sheet[:, top : top + height, left : left + width]


@functools.lru_cache(maxsize=2)
def _grain_sheet(height: int, width: int) -> Floats:
    return np.random.default_rng(0).standard_normal((3, height, width), np.float32)
