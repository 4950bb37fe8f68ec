"""How a large photo is cut into tiles that overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from spatialflow.errors import ConfigError

SMALLEST_SIDE = 32
"""Of a tile, in pixels: less is no picture to a network of stride 32."""


class Area(NamedTuple):
    """A rectangle of pixels; ``bottom`` and ``right`` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Of an array of the whole photo."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def slices_in(self, other: "Area") -> tuple[slice, slice]:
        """Of an array that holds ``other``, within which this lies."""
        top, left = other.top, other.left
        return slice(self.top - top, self.bottom - top), slice(self.left - left, self.right - left)

    def intersection(self, other: "Area") -> "Area | None":
        """What both share; None if that is nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Area(top, left, bottom, right) if top < bottom and left < right else None


class Tile(NamedTuple):
    """A part of a photo."""

    area: Area
    """What the network looks at."""
    cell: Area
    """The pixels that are nearer to this tile's centre than to another's: there its word counts. The cells
    of all tiles are the photo, each pixel in one."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How photos are cut that are larger than one tile.

    Attributes:
        side: longer side of a tile in pixels; by default the longer side of what the network looks at, which
            then sees the photo at its native scale. The shorter one has the network's own proportion.
        overlap: least share of each side that a tile has in common with the next. A thing that fits into the
            overlap is whole in one of the tiles.

    Raises:
        ConfigError: a value is out of range.
    """

    side: int | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        """Check the values."""
        if self.side is not None and self.side < SMALLEST_SIDE:
            raise ConfigError(
                f"tile size: {self.side} is too small; give {SMALLEST_SIDE} pixels or more, best what the "
                f"network was trained for"
            )
        if not 0.05 <= self.overlap <= 0.5:
            raise ConfigError(f"tile overlap: {self.overlap:g} is out of range; give 0.05 to 0.5 of the side")

    def __str__(self) -> str:
        side = "the network's size" if self.side is None else f"{self.side} pixels"
        return f"{side}, overlapping by {self.overlap:g}"

    def tile_size(self, size: tuple[int, int], network: Sequence[int]) -> tuple[int, int]:
        """(H, W) of the tiles of a photo of ``size`` (H, W).

        Args:
            size: of the photo. Tiles of an upright photo are upright.
            network: two sides of what the network looks at, in pixels.
        """
        long = max(network) if self.side is None else self.side
        short = max(1, round(long * min(network) / max(network)))
        height, width = (short, long) if size[1] >= size[0] else (long, short)
        return min(height, size[0]), min(width, size[1])

    def tiles(self, size: tuple[int, int], network: Sequence[int]) -> list[Tile]:
        """Tiles of a photo of ``size`` (H, W), row by row; one if it is no larger than a tile."""
        height, width = self.tile_size(size, network)
        rows = _spans(size[0], height, self.overlap)
        columns = _spans(size[1], width, self.overlap)
        return [
            Tile(Area(top, left, bottom, right), Area(cell_top, cell_left, cell_bottom, cell_right))
            for (top, bottom), (cell_top, cell_bottom) in rows
            for (left, right), (cell_left, cell_right) in columns
        ]


Span = tuple[int, int]


def _spans(length: int, side: int, overlap: float) -> list[tuple[Span, Span]]:
    """Along one axis, evenly spread: what each tile covers, and which part of that is its cell."""
    count = 1
    if length > side:
        shared = round(side * overlap)
        count = math.ceil((length - shared) / (side - shared))
    starts = [i * (length - side) // max(count - 1, 1) for i in range(count)]
    # where the next tile's centre becomes the nearer one
    seams = [0, *((one + other + side) // 2 for one, other in pairwise(starts)), length]
    return [((start, start + side), cell) for start, cell in zip(starts, pairwise(seams), strict=True)]
