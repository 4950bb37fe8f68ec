"""The pictures of one image: its truth, a prediction, and what is wrong with it."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.browsing.mistakes import Kind, Mistake
from spatialflow.browsing.scene import Layer, Scene, Shape
from spatialflow.categories import Category
from spatialflow.structures import Segment
from spatialflow.visualize import draw_overlay, paint_void, write_names

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Color = tuple[int, int, int]

COLORS: dict[Kind, Color] = {
    Kind.WRONG: (240, 228, 66),
    Kind.FALSE: (213, 94, 0),
    Kind.MISSED: (86, 180, 233),
}
"""Yellow, vermilion and sky blue, which people with any colour vision tell apart (Okabe and Ito, Color
Universal Design, jfly.uni-koeln.de/color, 2008)."""
_WORDS = {Kind.WRONG: "", Kind.FALSE: "false: ", Kind.MISSED: "missed: "}
_DIMMED = 0.55
"""Brightness of the grey photo behind the mistakes."""
_TINT = 0.25
"""Opacity of a mistake's colour between its hatching."""
_SMALL = 24
"""Pixels of the picture: a mistake less wide and high than this is ringed."""


def draw_segments(photo: Pixels, layer: Layer) -> Image.Image:
    """The photo with segments and their names; void is grey and hatched, crowds are dotted.

    Args:
        photo: (h, w, 3) RGB.
        layer: what to draw on it.
    """
    unit = _unit(photo)
    canvas = _with_void(photo, layer.ids == 0, unit)
    crowds = [shape.id for shape in layer.shapes if shape.is_crowd]
    if crowds:
        _blend(canvas, np.isin(layer.ids, crowds) & _dots(layer.ids.shape, unit), (255, 255, 255), 0.55)
    return draw_overlay(canvas, layer.ids, [_segment(s) for s in layer.shapes], scores=False, min_side=0)


def draw_mistakes(scene: Scene, mistakes: Sequence[Mistake], found: Iterable[Shape]) -> Image.Image:
    """The photo in grey with each mistake outlined, hatched and named; what is right has a thin outline.

    Args:
        scene: an image with a prediction.
        mistakes: of it.
        found: true segments that are matched.
    """
    truth, pred = scene.truth, scene.pred
    assert truth is not None
    assert pred is not None
    unit = _unit(scene.photo)
    grey = cv2.cvtColor(scene.photo, cv2.COLOR_RGB2GRAY)
    dimmed = np.repeat((grey * _DIMMED).astype(np.uint8)[..., None], 3, axis=2)
    canvas = _with_void(dimmed, truth.ids == 0, unit)
    for shape in found:
        _outline(canvas, truth.ids == shape.id, (200, 200, 200), unit)
    masks = [(truth if m.pred is None else pred).ids == m.shape.id for m in mistakes]
    for kind in reversed(Kind):  # the first kind on top
        of_kind = [mask for mask, mistake in zip(masks, mistakes, strict=True) if mistake.kind == kind]
        if of_kind:
            mask = np.logical_or.reduce(of_kind)
            _blend(canvas, mask, COLORS[kind], _TINT)
            _blend(canvas, mask & _hatching(kind, mask.shape, unit), COLORS[kind], 0.9)
    for mask, mistake in reversed(list(zip(masks, mistakes, strict=True))):
        _outline(canvas, mask, (0, 0, 0), 4 * unit)
        _outline(canvas, mask, COLORS[mistake.kind], 2 * unit)
    for mistake in mistakes:
        _ring(canvas, mistake, scene.scale, unit)
    picture = Image.fromarray(canvas)
    _name_mistakes(picture, mistakes, masks)
    return picture


def _segment(shape: Shape) -> Segment:
    """A segment as :func:`draw_overlay` takes it; a crowd is as calm as stuff."""
    category, is_thing = shape.category, shape.category.is_thing and not shape.is_crowd
    if shape.is_crowd:
        category = Category(category.id, f"{category.name} (crowd)", False, category.color)
    return Segment(shape.id, 0, category, is_thing, 1.0, shape.area, shape.box)


def _name_mistakes(picture: Image.Image, mistakes: Sequence[Mistake], masks: Sequence[Mask]) -> None:
    """Write names, where mistakes cover each other on what is left of the larger."""
    place = np.zeros(picture.size[::-1], np.int32)
    segments = []
    for number, mistake in enumerate(mistakes, start=1):
        name = _WORDS[mistake.kind] + mistake.name
        category = Category(number, name, True, COLORS[mistake.kind])
        segments.append(Segment(number, 0, category, True, 1.0, mistake.shape.area, mistake.shape.box))
    for number in sorted(range(len(mistakes)), key=lambda i: -mistakes[i].shape.area):
        place[masks[number]] = number + 1
    write_names(picture, place, segments)


def _unit(photo: Pixels) -> int:
    """Width of a thin line, in pixels."""
    return max(1, round(min(photo.shape[:2]) / 450))


def _with_void(photo: Pixels, void: Mask, unit: int) -> Pixels:
    """A copy with grey, faintly hatched void."""
    canvas = np.array(photo)
    paint_void(canvas, void, "hatch", unit)
    return canvas


def _hatching(kind: Kind, size: tuple[int, ...], unit: int) -> Mask:
    """Lines of false positives rise to the right, those of misses fall, and those of wrong matches cross."""
    y, x = _grid(size)
    rising = (x + y) % (10 * unit) < 2 * unit
    falling = (x - y) % (10 * unit) < 2 * unit
    return {Kind.FALSE: rising, Kind.MISSED: falling, Kind.WRONG: rising | falling}[kind]


def _dots(size: tuple[int, ...], unit: int) -> Mask:
    y, x = _grid(size)
    spacing = 10 * unit
    shifted = x + (y // spacing % 2) * (spacing // 2)
    dots = np.hypot(shifted % spacing - spacing / 2, y % spacing - spacing / 2) < 1.4 * unit
    return np.asarray(dots)


def _grid(size: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of each pixel."""
    return np.arange(size[0])[:, None], np.arange(size[1])[None]


def _blend(canvas: Pixels, mask: Mask, color: Color, opacity: float) -> None:
    canvas[mask] = (canvas[mask] * (1 - opacity) + np.array(color) * opacity).astype(np.uint8)


def _outline(canvas: Pixels, mask: Mask, color: Color, width: int) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, color, width, cv2.LINE_AA)


def _ring(canvas: Pixels, mistake: Mistake, scale: float, unit: int) -> None:
    """Circle what is too small to be seen, and may have lost all pixels where the picture is reduced."""
    x1, y1, x2, y2 = (value * scale for value in mistake.shape.box)
    if mistake.shape.area and max(x2 - x1, y2 - y1) < _SMALL * unit:
        centre = round((x1 + x2) / 2), round((y1 + y2) / 2)
        cv2.circle(canvas, centre, _SMALL * unit, (0, 0, 0), 4 * unit, cv2.LINE_AA)
        cv2.circle(canvas, centre, _SMALL * unit, COLORS[mistake.kind], 2 * unit, cv2.LINE_AA)
