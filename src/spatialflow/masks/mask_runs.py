"""Masks as runs of pixels, column by column: what COCO's run lengths count, cheap to compare and to paint.

An image of twenty segments has some thousand runs and some hundred thousand pixels, so that all segments
together cost less this way than one of them as an array of pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.masks import coco_counts

Integer = TypeVar("Integer", bound=np.integer[Any])


@dataclass(frozen=True, slots=True)
class MaskRuns:
    """N masks of one size."""

    starts: NDArray[np.int64]
    """(R,) first pixel of each run, as its position in the image read column by column."""
    ends: NDArray[np.int64]
    """(R,) the position after its last pixel; a run may go on into the next columns."""
    bounds: NDArray[np.int64]
    """(N + 1,): mask i has the runs bounds[i]..bounds[i + 1], ascending and apart from each other."""
    size: tuple[int, int]
    """(H, W)."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @classmethod
    def of_id_map(cls, ids: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], Self]:
        """The ids other than 0 of an (H, W) map, ascending, and the mask of each."""
        height, width = ids.shape
        if not ids.size:
            raise ValueError(f"an id map of {width}x{height} has no pixels")
        flat = cv2.transpose(np.ascontiguousarray(ids, np.int32)).ravel()
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts, ends = np.append(0, edges), np.append(edges, flat.size)
        of_run = flat[starts]
        order = np.argsort(of_run, kind="stable")
        order = order[of_run[order] != 0]
        found, first = np.unique(of_run[order], return_index=True)
        return found, cls(starts[order], ends[order], np.append(first, len(order)), (height, width))

    @classmethod
    def of_array(cls, mask: NDArray[Any]) -> Self:
        """One mask: the pixels of an (H, W) array that are not 0."""
        _, runs = cls.of_id_map((mask != 0).astype(np.int32))
        return cls(runs.starts, runs.ends, np.array([0, len(runs.starts)]), runs.size)

    @classmethod
    def of_counts(cls, counts: NDArray[np.int64], size: tuple[int, int]) -> Self:
        """One mask from COCO's run lengths: pixels outside, inside, outside, ... column by column.

        Raises:
            ValueError: a length is negative, or they do not add up to the image.
        """
        pixels = size[0] * size[1]
        if counts.size and not (int(counts.min()) >= 0 and int(counts.max()) <= pixels):
            raise ValueError(f"a run of {counts[(counts < 0) | (counts > pixels)][0]} pixels cannot be")
        edges = np.cumsum(counts)
        total = int(edges[-1]) if edges.size else 0
        if total != pixels:
            raise ValueError(f"its runs have {total} pixels together, {size[1]}x{size[0]} has {pixels}")
        starts, ends = edges[: len(edges) // 2 * 2 : 2], edges[1::2]
        inside = ends > starts
        starts, ends = starts[inside], ends[inside]
        apart = np.flatnonzero(starts[1:] > ends[:-1]) + 1  # some tools write runs of 0 pixels between others
        first = np.append(np.zeros(min(1, len(starts)), np.int64), apart)
        last = np.append(apart - 1, np.full(min(1, len(starts)), len(starts) - 1))
        return cls(starts[first], ends[last], np.array([0, len(first)]), size)

    @classmethod
    def stack(cls, masks: Sequence[Self], size: tuple[int, int]) -> Self:
        """All masks of several, in order; each must have this size."""
        for mask in masks:
            if mask.size != size:
                raise ValueError(f"a mask of {mask.size} pixels is not of the size {size}")
        starts, ends = (
            np.concatenate([np.zeros(0, np.int64), *(getattr(mask, name) for mask in masks)])
            for name in ("starts", "ends")
        )
        runs = [np.zeros(1, np.int64), *(np.diff(mask.bounds) for mask in masks)]
        return cls(starts, ends, np.cumsum(np.concatenate(runs)), size)

    def select(self, indices: NDArray[np.integer[Any]]) -> Self:
        """The masks at these places, in this order."""
        runs = np.diff(self.bounds)[indices]
        bounds = np.append(0, np.cumsum(runs))
        rows = np.arange(bounds[-1]) + np.repeat(self.bounds[:-1][indices] - bounds[:-1], runs)
        return type(self)(self.starts[rows], self.ends[rows], bounds, self.size)

    def join(self, groups: NDArray[np.integer[Any]], count: int) -> Self:
        """The union of the masks of each group, if no two masks overlap.

        Args:
            groups: (N,) the group of each mask, 0..count - 1.
            count: of groups.
        """
        of_run = np.repeat(groups, np.diff(self.bounds))
        order = np.lexsort((self.starts, of_run))
        starts, ends, of_run = self.starts[order], self.ends[order], of_run[order]
        goes_on = (starts[1:] == ends[:-1]) & (of_run[1:] == of_run[:-1])
        is_first, is_last = np.append(True, ~goes_on), np.append(~goes_on, True)
        if not len(starts):
            is_first = is_last = np.zeros(0, np.bool_)
        bounds = np.searchsorted(of_run[is_first], np.arange(count + 1))
        return type(self)(starts[is_first], ends[is_last], bounds, self.size)

    def areas(self) -> NDArray[np.int64]:
        """(N,) pixels of each."""
        return np.diff(np.append(0, np.cumsum(self.ends - self.starts))[self.bounds])

    def bboxes(self) -> NDArray[np.int64]:
        """(N, 4) x, y, w, h in pixels, tight; zeros where a mask is empty."""
        boxes = np.zeros((len(self), 4), np.int64)
        some = np.flatnonzero(np.diff(self.bounds))
        if not len(some):
            return boxes
        height, last = self.size[0], self.ends - 1
        left, right = self.starts // height, last // height
        over = left < right  # reaches the bottom of one column and the top of the next
        top = np.where(over, 0, self.starts % height)
        bottom = np.where(over, height - 1, last % height)
        first = self.bounds[:-1][some]
        boxes[some, 0] = np.minimum.reduceat(left, first)
        boxes[some, 1] = np.minimum.reduceat(top, first)
        boxes[some, 2] = np.maximum.reduceat(right, first) + 1 - boxes[some, 0]
        boxes[some, 3] = np.maximum.reduceat(bottom, first) + 1 - boxes[some, 1]
        return boxes

    def to_counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """COCO's run lengths of all masks after each other, and (N + 1,) where those of each begin."""
        pixels = self.size[0] * self.size[1]
        runs = np.diff(self.bounds)
        ends = np.append(self.ends, -1)[self.bounds[1:] - 1]
        has_tail = (runs == 0) | (ends < pixels)
        offsets = np.append(0, np.cumsum(2 * runs + has_tail))
        edges = np.full(offsets[-1], pixels)
        place = 2 * (np.arange(len(self.starts)) - np.repeat(self.bounds[:-1], runs))
        place += np.repeat(offsets[:-1], runs)
        edges[place], edges[place + 1] = self.starts, self.ends
        counts = np.diff(edges, prepend=0)
        counts[offsets[:-1]] = edges[offsets[:-1]]
        return counts, offsets

    def to_rle(self) -> list[dict[str, Any]]:
        """Each as COCO's compressed run lengths: ``{"size": [H, W], "counts": text}``."""
        texts = coco_counts.encode(*self.to_counts())
        return [{"size": list(self.size), "counts": text} for text in texts]

    def overlapping(self) -> int:
        """Pixels in more than one of the masks."""
        edges = np.concatenate([self.starts, self.ends])
        order = np.argsort(edges, kind="stable")
        cover = np.cumsum(np.repeat([1, -1], len(self.starts))[order])
        widths = np.diff(edges[order], append=0)
        return int(widths[cover > 1].sum())

    def paint(self) -> NDArray[np.int32]:
        """(H, W) map of the mask at each pixel, counted from 1, if no two overlap; 0 where there is none."""
        return self.paint_values(np.arange(1, len(self) + 1, dtype=np.int32))

    def paint_values(self, values: NDArray[Integer], fill: int = 0) -> NDArray[Integer]:
        """(H, W) map with each mask's value, if no two of them overlap.

        Args:
            values: (N,), of the type that the map is to have.
            fill: value of pixels in no mask.
        """
        of_run = np.repeat(values, np.diff(self.bounds))
        order = np.argsort(self.starts)
        edges = np.empty(2 * len(order) + 1, np.int64)
        edges[0:-1:2], edges[1::2] = self.starts[order], self.ends[order]
        edges[-1] = self.size[0] * self.size[1]
        of_span = np.full(len(edges), fill, values.dtype)
        of_span[1::2] = of_run[order]
        return _to_rows(np.repeat(of_span, np.diff(edges, prepend=0)), self.size)

    def paint_over(self, order: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """(H, W) map of the topmost mask at each pixel, counted from 1; 0 where there is none.

        Args:
            order: (N,) the masks from the lowest to the topmost.
        """
        flat = np.zeros(self.size[0] * self.size[1], np.int32)
        for mask in order.tolist():
            flat[self._pixels(mask)] = mask + 1
        return _to_rows(flat, self.size)

    def _pixels(self, mask: int) -> NDArray[np.int64]:
        """Positions of a mask's pixels."""
        rows = slice(self.bounds[mask], self.bounds[mask + 1])
        starts, lengths = self.starts[rows], self.ends[rows] - self.starts[rows]
        skipped = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(starts - skipped, lengths)


def _to_rows(flat: NDArray[Integer], size: tuple[int, int]) -> NDArray[Integer]:
    """Pixels column by column as an (H, W) array."""
    rows: NDArray[Any] = cv2.transpose(flat.reshape(size[1], size[0]))
    return rows
