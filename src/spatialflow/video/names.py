"""Names of segments in a video's frames, which stay where they are as long as they can."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.structures import Segment
from spatialflow.visualize.colors import instance_colors
from spatialflow.visualize.text import Box, draw_tag, font_size, tag_size

_SEARCHED = 160
"""Places for names of stuff are searched on a map reduced to this many pixels a side."""
_LEAST_SHARE = 0.3
"""Of a tag, that must lie on its stuff."""
_LEAST_SIDE = 0.6
"""Longer side of a thing that is named, by the height of its tag."""


class SteadyNames:
    """Writes names into the frames of one video, one after the other.

    In a still picture each name takes the best place; in a video that would make names jump whenever another
    place becomes a little better. Here a thing's name keeps to its side of the thing, and one of stuff to its
    pixels, until it cannot. Older things choose first, and names of things pass over those of stuff.
    """

    def __init__(self) -> None:
        self._sides: dict[int, int] = {}
        """Which of :func:`_around` each thing's name took in the last frame."""
        self._middles: dict[int, tuple[int, int]] = {}
        """x and y of the names of stuff."""

    def write(
        self, picture: Image.Image, segment_ids: NDArray[np.integer[Any]], segments: Sequence[Segment]
    ) -> None:
        """Write the names of one frame.

        Args:
            picture: RGB; changed.
            segment_ids: (H, W) lasting ids, of the picture's size.
            segments: what the ids mean.
        """
        size = font_size(picture.size)
        colors = dict(zip((s.id for s in segments), instance_colors(segments, "id"), strict=True))
        boxes: dict[int, Box] = {}
        for segment in (s for s in segments if not s.is_thing):
            box = self._on_stuff(segment, tag_size(segment.category.name, size), segment_ids)
            if box is not None:
                boxes[segment.id] = box
        taken: list[Box] = []
        sides: dict[int, int] = {}
        for segment in sorted((s for s in segments if s.is_thing), key=lambda s: s.id):
            tag = tag_size(segment.category.name, size)
            places = _around(segment.box, tag, picture.size)
            free = [side for side, place in enumerate(places) if not any(_overlap(place, t) for t in taken)]
            if free:
                last = self._sides.get(segment.id)
                side = sides[segment.id] = last if last in free else free[0]
                boxes[segment.id] = places[side]
                taken.append(places[side])
        self._sides = sides
        names = {segment.id: segment.category.name for segment in segments}
        for key, box in boxes.items():
            draw_tag(picture, box, names[key], colors[key], size)

    def _on_stuff(self, segment: Segment, tag: tuple[int, int], ids: NDArray[np.integer[Any]]) -> Box | None:
        """The tag's place, the old one if that will do; None if there is none."""
        middle = self._middles.get(segment.id)
        if middle is None or _share(_around_middle(middle, tag), ids, segment.id) < _LEAST_SHARE:
            middle = _thickest(ids == segment.id)
            x1, y1, x2, y2 = box = _around_middle(middle, tag)
            is_inside = x1 >= 0 and y1 >= 0 and x2 <= ids.shape[1] and y2 <= ids.shape[0]
            if not is_inside or _share(box, ids, segment.id) < 2 * _LEAST_SHARE:
                self._middles.pop(segment.id, None)
                return None
            self._middles[segment.id] = middle
        return _around_middle(middle, tag)


def _around(box: Box, tag: tuple[int, int], picture: tuple[int, int]) -> list[Box]:
    """Places for a thing's tag, the best first: above it, below, on it, beside it; none for a tiny thing."""
    x1, y1, x2, y2 = box
    width, height = tag
    if max(x2 - x1, y2 - y1) < _LEAST_SIDE * height or width > picture[0] or height > picture[1]:
        return []
    middle, centre = (x1 + x2 - width) // 2, (y1 + y2 - height) // 2
    corners = [
        (middle, y1 - height - 1),
        (middle, y2 + 1),
        (middle, centre),
        (x2 + 1, centre),
        (x1 - width - 1, centre),
    ]
    clamped = [
        (min(max(left, 0), picture[0] - width), min(max(top, 0), picture[1] - height))
        for left, top in corners
    ]
    return [(left, top, left + width, top + height) for left, top in clamped]


def _around_middle(middle: tuple[int, int], tag: tuple[int, int]) -> Box:
    left, top = middle[0] - tag[0] // 2, middle[1] - tag[1] // 2
    return left, top, left + tag[0], top + tag[1]


def _share(box: Box, ids: NDArray[np.integer[Any]], segment_id: int) -> float:
    """Share of a box that a segment has."""
    x1, y1, x2, y2 = box
    below = ids[max(y1, 0) : y2, max(x1, 0) : x2]
    return float((below == segment_id).sum() / ((x2 - x1) * (y2 - y1)))


def _thickest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """X and y of the pixel that is farthest from the mask's border, about."""
    step = max(1, round(max(mask.shape) / _SEARCHED))
    reduced = np.pad(mask[step // 2 :: step, step // 2 :: step].astype(np.uint8), 1)
    _, _, _, (x, y) = cv2.minMaxLoc(cv2.distanceTransform(reduced, cv2.DIST_L2, 3))
    return (x - 1) * step + step // 2, (y - 1) * step + step // 2


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
