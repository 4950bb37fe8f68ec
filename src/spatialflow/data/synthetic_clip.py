"""Moving synthetic scenes with known ids: things of the demo's kind that cross a frame and cover one another.

For trying and testing video: every frame is made as it is asked for, so that a clip may be of any length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.data.synthetic import CATEGORIES, SIZE
from spatialflow.data.synthetic_drawing import (
    TEXTURES,
    Floats,
    Size,
    color_pair,
    place_outlines,
    random_color,
    smooth_noise,
    stamp,
    texture,
)

SPEEDS = (2.0, 8.0)
"""Of things, pixels a frame."""
_RADII = (11.0, 20.0)
_THINGS = 4
"""In the frame at once, about."""
_CLASSES = 2
"""Of things in one clip: so few that things of one class meet often."""
_GRAIN = 2.5


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """A frame and its truth."""

    photo: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    ids: NDArray[np.int32]
    """(H, W) id of the thing that is seen, 0 where there is none; the same in all frames."""
    labels: dict[int, int]
    """Contiguous label of each thing that is seen."""
    stuff: NDArray[np.int32]
    """(H, W) contiguous label of the stuff, also behind things."""


@dataclass(slots=True)
class _Mover:
    """A thing on its way."""

    id: int
    label: int
    outlines: tuple[Floats, ...]
    reach: float
    """From the middle to the farthest pixel."""
    place: NDArray[np.float64]
    """(2,) x and y."""
    velocity: NDArray[np.float64]
    color: Floats
    light: Floats
    """(2 R, 2 R) brightness about the middle."""


def draw_clip(seed: int, num_frames: int, size: Size = SIZE) -> Iterator[ClipFrame]:
    """Draw a clip, frame after frame.

    Things cross the frame in straight lines, 2 to 8 pixels a frame, from one side out of it to another. A
    thing that has left does not come back: another one comes, with an id of its own.

    Args:
        seed: 0 or more; fixes every pixel.
        num_frames: of the clip; the first frames do not depend on it.
        size: (H, W), 64 or more each.
    """
    rng = np.random.default_rng((seed, 0x636C6970))
    background, stuff = _background(rng, size)
    labels = rng.permutation(CATEGORIES.num_things)[:_CLASSES].tolist()
    movers: list[_Mover] = []
    count = 0
    for index in range(num_frames):
        movers = [mover for mover in movers if _is_near(mover, size)]
        while len(movers) < _THINGS:
            count += 1
            movers.append(_enter(rng, count, int(rng.choice(labels)), size, inside=index == 0))
        yield _draw(background, stuff, sorted(movers, key=lambda mover: mover.id % 7), rng)
        for mover in movers:
            mover.place += mover.velocity


def _background(rng: np.random.Generator, size: Size) -> tuple[Floats, NDArray[np.int32]]:
    """Two textures, one above the other, (3, H, W), and the label of each pixel."""
    rows = np.linspace(-0.5, 0.5, size[0], dtype=np.float32)[:, None]
    below = rows + 0.08 * smooth_noise(rng, size, 45) > rng.uniform(-0.15, 0.15)
    first, second = (str(name) for name in rng.permutation(list(TEXTURES))[:2])
    pattern = np.where(below, texture(first, size, rng), texture(second, size, rng))
    pairs = [color_pair(rng) for _ in range(2)]
    low, high = (np.where(below, pairs[0][i][:, None, None], pairs[1][i][:, None, None]) for i in (0, 1))
    label_of = {category.name: label for label, category in enumerate(CATEGORIES)}
    canvas = ((low + high) + (high - low) * pattern) * np.float32(0.5)
    return canvas.astype(np.float32), np.where(below, label_of[first], label_of[second]).astype(np.int32)


def _enter(rng: np.random.Generator, number: int, label: int, size: Size, inside: bool) -> _Mover:
    """A new thing, outside of the frame and on its way in, or already in it."""
    radius = float(np.exp(rng.uniform(*np.log(_RADII))))
    outlines = place_outlines(CATEGORIES[label].name, radius, rng)
    reach = float(max(np.hypot(*outline.T).max() for outline in outlines)) + 4
    target = rng.uniform(0.25, 0.75, 2) * size[::-1]
    if inside:
        place = rng.uniform(0.1, 0.9, 2) * size[::-1]
    else:
        side, along = int(rng.integers(4)), rng.uniform(0.1, 0.9)
        height, width = size
        place = np.array(
            (
                (-reach, along * height),
                (width + reach, along * height),
                (along * width, -reach),
                (along * width, height + reach),
            )[side]
        )
    direction = target - place
    velocity = rng.uniform(*SPEEDS) * direction / max(float(np.hypot(*direction)), 1e-6)
    return _Mover(
        number, label, outlines, reach, place, velocity, random_color(rng), _light(rng, reach, radius)
    )


def _light(rng: np.random.Generator, reach: float, radius: float) -> Floats:
    """Shading of a thing's surface, now and then mottled."""
    side = 2 * int(np.ceil(reach)) + 2
    axis = (np.arange(side, dtype=np.float32) - side / 2) / np.float32(radius)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.float32(np.cos(angle)) * axis + np.float32(np.sin(angle)) * axis[:, None]
    light = 1 + np.float32(rng.uniform(0.05, 0.22)) * along
    if rng.uniform() < 0.3:
        light += 0.12 * smooth_noise(rng, (side, side), 6)
    return light.astype(np.float32)


def _is_near(mover: _Mover, size: Size) -> bool:
    """Whether it is in the frame, or on its way in."""
    for place, speed, side in zip(mover.place, mover.velocity, size[::-1], strict=True):
        if (place < -mover.reach and speed <= 0) or (place > side + mover.reach and speed >= 0):
            return False
    return True


def _draw(
    background: Floats, stuff: NDArray[np.int32], movers: list[_Mover], rng: np.random.Generator
) -> ClipFrame:
    """One frame; later movers cover earlier ones."""
    canvas, size = background.copy(), (background.shape[1], background.shape[2])
    ids = np.zeros(size, np.int32)
    for mover in movers:
        thing = stamp(mover.outlines, (float(mover.place[0]), float(mover.place[1])), size)
        if thing is None:
            continue
        below = canvas[:, *thing.window]
        below *= (1 - np.float32(0.45) * thing.shadow) * (1 - thing.alpha)
        below += mover.color[:, None, None] * (_lit(mover, thing.window) * thing.alpha)
        ids[thing.window][thing.mask] = mover.id
    soft = np.stack([cv2.GaussianBlur(channel, (3, 3), 0.5) for channel in canvas])
    soft += np.float32(_GRAIN) * rng.standard_normal(soft.shape, np.float32)
    photo = np.clip(soft + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    seen = set(np.unique(ids).tolist())
    labels = {mover.id: mover.label for mover in movers if mover.id in seen}
    return ClipFrame(np.ascontiguousarray(photo), ids, labels, stuff)


def _lit(mover: _Mover, window: tuple[slice, slice]) -> Floats:
    """The part of the mover's light that falls into a window of the frame."""
    side = len(mover.light)
    rows, columns = (
        np.clip(np.arange(part.start, part.stop) - round(float(middle)) + side // 2, 0, side - 1)
        for part, middle in zip(window, mover.place[::-1], strict=True)
    )
    return mover.light[np.ix_(rows, columns)]
