"""Names of segments in a picture, none over another."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.visualize.colors import Color
from spatialflow.visualize.index_map import Index
from spatialflow.visualize.text import Box, draw_tag, font_size, tag_size

if TYPE_CHECKING:
    from spatialflow.structures import Segment

_MAP_SIDE = 320
"""Places are searched on a map reduced to this many pixels."""


def write_labels(
    picture: Image.Image,
    index: Index,
    segments: "Sequence[Segment]",
    colors: Sequence[Color],
    scores: bool,
    named: Sequence[bool],
) -> None:
    """Write names where they fit, the largest thing first and stuff last.

    Args:
        picture: RGB; changed.
        index: see :func:`spatialflow.visualize.index_map.index_map`; of this size.
        segments: of which ``category``, ``is_thing`` and ``score`` are used.
        colors: of the tags.
        scores: write each thing's score behind its name.
        named: which of the segments get a name.
    """
    size = font_size(picture.size)
    spots = _Spots(index, len(segments))
    order = sorted((i for i in spots if named[i]), key=lambda i: (not segments[i].is_thing, -spots[i].radius))
    taken: list[Box] = []
    for i in order:
        segment = segments[i]
        name = segment.category.name
        text = f"{name} {segment.score:.2f}" if scores and segment.is_thing else name
        tag = tag_size(text, size)
        spot = spots[i] if segment.is_thing else spots.beside(i, taken)
        box = _place(spot, tag, picture.size, taken, segment.is_thing)
        if box is not None:
            taken.append(box)
            draw_tag(picture, box, text, colors[i], size)


class _Spot(NamedTuple):
    """Where a segment is thickest, how far it reaches from there, and its bounding box, in pixels."""

    x: float
    y: float
    radius: float
    box: tuple[float, float, float, float]


class _Spots(dict[int, _Spot]):
    """The pole of inaccessibility of each segment that is not too small, searched on a reduced map."""

    def __init__(self, index: Index, count: int) -> None:
        super().__init__()
        self._step = max(1, round(max(index.shape) / _MAP_SIDE))
        half = self._step // 2
        # a frame of zeros: the picture's edge bounds a segment too
        self._map = np.pad(index[half :: self._step, half :: self._step], 1)
        for place in range(count):
            spot = self._find(place, ())
            if spot is not None:
                self[place] = spot

    def beside(self, place: int, taken: Iterable[Box]) -> _Spot:
        """Where a segment is thickest but for what names take of it."""
        return self._find(place, taken) or self[place]

    def _find(self, place: int, taken: Iterable[Box]) -> _Spot | None:
        mask = (self._map == place + 1).astype(np.uint8)
        for box in taken:
            x1, y1, x2, y2 = (round(v / self._step) for v in box)
            mask[max(y1, 0) + 1 : y2 + 2, max(x1, 0) + 1 : x2 + 2] = 0
        left, top, width, height = cv2.boundingRect(mask)
        if width == 0:
            return None
        window: NDArray[Any] = mask[top - 1 : top + height + 1, left - 1 : left + width + 1]
        distance = cv2.distanceTransform(window, cv2.DIST_L2, 3)
        _, radius, _, (x, y) = cv2.minMaxLoc(distance)
        x1, y1 = left - 1, top - 1
        step = self._step
        return _Spot(
            (x + left - 1.5) * step,
            (y + top - 1.5) * step,
            radius * step,
            (x1 * step, y1 * step, (x1 + width) * step, (y1 + height) * step),
        )


def _place(
    spot: _Spot, tag: tuple[int, int], picture: tuple[int, int], taken: Sequence[Box], is_thing: bool
) -> Box | None:
    """Box for a name: on the segment's thickest part, or, beside a small thing; None where none is free."""
    width, height = tag
    if spot.radius < 0.3 * height or width > picture[0] or height > picture[1]:
        return None
    for x, y in _wishes(spot, width, height, is_thing):
        left = round(min(max(x - width / 2, 0), picture[0] - width))
        top = round(min(max(y - height / 2, 0), picture[1] - height))
        box = left, top, left + width, top + height
        if abs(top + height / 2 - y) < 0.75 * height and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _wishes(spot: _Spot, width: int, height: int, is_thing: bool) -> list[tuple[float, float]]:
    """Centres of a tag, the best first."""
    x1, y1, x2, y2 = spot.box
    centre = spot.x, spot.y
    if not is_thing:
        return [centre]
    if width > 0.9 * (x2 - x1) or height > 0.4 * (y2 - y1):  # it would hide the thing
        middle = (x1 + x2) / 2
        return [(middle, y1 - height / 2 - 1), (middle, y2 + height / 2 + 1), centre]
    return [centre, (spot.x, spot.y - height), (spot.x, spot.y + height)]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
