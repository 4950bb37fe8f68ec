"""One thing that is followed through a video: where it is, how it moves, and what of it may be hidden."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Category
from spatialflow.structures import Segment

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

_AGREE = 2
"""Pixels by which the two ends of a thing may move differently and still count as one movement."""


@dataclass(slots=True, eq=False)
class Track:
    """A thing's past, and its expected place in the frame that is being looked at.

    ``shape`` is the thing as it was last seen, and with it those of its pixels that other things have covered
    since: a thing that something passes in front of keeps its shape, and is found where it comes out again.
    """

    id: int
    votes: dict[Category, float]
    """Sum of the scores with which the model called it each name."""
    shape: Mask
    """(h, w), without empty rows or columns at its borders."""
    corner: NDArray[np.float64]
    """(2,) y and x of the shape's first pixel in the present frame, expected or seen; may lie outside."""
    box: Box
    """x1, y1, x2, y2 of the pixels last seen."""
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """(2,) y and x, pixels a frame."""
    is_moving: bool = False
    """Whether the velocity has been measured."""
    missed: int = 0
    """Frames since it was last seen."""

    @property
    def category(self) -> Category:
        """The name that it was called most, by the sum of scores; of equals, the first."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def expected_box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 of the shape in the present frame."""
        (top, left), (height, width) = self.corner, self.shape.shape
        return float(left), float(top), float(left) + width, float(top) + height

    def advance(self) -> None:
        """Go on to the next frame, as fast as before."""
        self.corner += self.velocity
        self.missed += 1

    def count_under(self, places: NDArray[np.integer], num_segments: int) -> NDArray[np.intp]:
        """Pixels of each segment that lie where the thing is expected.

        Args:
            places: (H, W) 1..N for the N segments of the frame, 0 = void.
            num_segments: N.

        Returns:
            (N + 1,) with void first; its sum is the part of the shape that lies inside of the frame.
        """
        window, part = self._inside(places.shape)
        return np.bincount(places[window][part], minlength=num_segments + 1)

    def see(
        self, places: NDArray[np.integer], place: int, segment: Segment, is_thing: Mask, smoothing: float
    ) -> None:
        """Take a segment of the present frame for this thing.

        Args:
            places: see :meth:`count_under`.
            place: of the segment in it.
            segment: this one.
            is_thing: (N + 1,) which places are things, and so may be in front of this one.
            smoothing: weight of the new velocity in the mean with those before.
        """
        box = segment.box
        self._measure(box, places.shape, smoothing)
        self.votes[segment.category] = self.votes.get(segment.category, 0.0) + segment.score
        window, part = self._inside(places.shape)
        x1, y1, x2, y2 = box
        top, left = min(window[0].start, y1), min(window[1].start, x1)
        around = slice(top, max(window[0].stop, y2)), slice(left, max(window[1].stop, x2))
        below = places[around]
        shape = np.zeros(below.shape, np.bool_)
        shape[window[0].start - top :, window[1].start - left :][: part.shape[0], : part.shape[1]] = part
        shape &= is_thing[below]  # what was there and is behind another thing now
        shape |= below == place
        rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
        self.shape = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        self.corner = np.array((top + rows[0], left + columns[0]), np.float64)
        self.box, self.missed = box, 0

    def _inside(self, size: tuple[int, ...]) -> tuple[tuple[slice, slice], Mask]:
        """The window of the frame that the shape lies in, and the part of the shape that is in it."""
        top, left = (round(float(c)) for c in self.corner)
        height, width = self.shape.shape
        y1, x1 = min(max(top, 0), size[0]), min(max(left, 0), size[1])
        y2, x2 = max(min(top + height, size[0]), y1), max(min(left + width, size[1]), x1)
        return (slice(y1, y2), slice(x1, x2)), self.shape[y1 - top : y2 - top, x1 - left : x2 - left]

    def _measure(self, box: Box, size: tuple[int, ...], smoothing: float) -> None:
        """Bring the velocity up to date, by the ends: a thing's middle also moves when a part is hidden."""
        frames = self.missed
        measured = np.array(
            [
                _movement(
                    (self.box[first], self.box[first + 2]),
                    (box[first], box[first + 2]),
                    size[axis],
                    self.velocity[axis] * frames,
                )
                / frames
                for axis, first in ((0, 1), (1, 0))
            ]
        )
        self.velocity += (smoothing if self.is_moving else 1.0) * (measured - self.velocity)
        self.is_moving = True


def _movement(before: tuple[int, int], now: tuple[int, int], limit: int, expected: float) -> float:
    """Movement of a thing along one axis, in pixels, from those of its two ends.

    An end at the border of the frame stands still while the thing goes on, and one that is hidden moves with
    what hides it: where the ends disagree, the one nearer to what is expected counts.
    """
    moved = [float(n - b) for b, n, edge in zip(before, now, (0, limit), strict=True) if edge not in (b, n)]
    if not moved:
        return expected
    if len(moved) == 2 and abs(moved[0] - moved[1]) <= _AGREE:
        return (moved[0] + moved[1]) / 2
    return min(moved, key=lambda m: abs(m - expected))
