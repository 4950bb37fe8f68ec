"""Panoptic quality, worked out from counts (Kirillov et al., Panoptic Segmentation, CVPR 2019, section 4)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories


@dataclass(frozen=True, slots=True)
class ClassPQ:
    """Quality of one category; all 0 if it neither occurs nor is predicted."""

    pq: float
    """Panoptic quality, 0..1: sq * rq."""
    sq: float
    """Segmentation quality, 0..1: mean IoU of the matches."""
    rq: float
    """Recognition quality, 0..1: the F1 score of the matches."""
    iou: float
    """Sum of IoU over the matches."""
    tp: int
    fp: int
    fn: int

    @classmethod
    def from_counts(cls, counts: NDArray[np.float64]) -> Self:
        """``counts``: (4,) sum of IoU, true positives, false positives, false negatives."""
        iou, tp, fp, fn = (float(value) for value in counts)
        segments = tp + 0.5 * fp + 0.5 * fn
        if segments == 0:
            return cls(0.0, 0.0, 0.0, 0.0, 0, 0, 0)
        return cls(iou / segments, iou / tp if tp else 0.0, tp / segments, iou, int(tp), int(fp), int(fn))

    @property
    def counts(self) -> bool:
        """Whether the category occurs or is predicted, and so has a share in the means."""
        return self.tp + self.fp + self.fn > 0


@dataclass(frozen=True, slots=True)
class GroupPQ:
    """Means over the ``n`` categories of a group that occur or are predicted; all 0 if there is none."""

    pq: float
    sq: float
    rq: float
    n: int

    @classmethod
    def mean(cls, classes: Iterable[ClassPQ]) -> Self:
        """Mean over the categories that count."""
        counted = [c for c in classes if c.counts]
        n = len(counted)
        if n == 0:
            return cls(0.0, 0.0, 0.0, 0)
        return cls(
            sum(c.pq for c in counted) / n, sum(c.sq for c in counted) / n, sum(c.rq for c in counted) / n, n
        )


@dataclass(frozen=True, slots=True)
class PQResult:
    """Panoptic quality of a data set, as fractions 0..1."""

    all: GroupPQ
    things: GroupPQ
    stuff: GroupPQ
    per_class: dict[int, ClassPQ]
    """By the data set's category id, things first."""
    categories: Categories
    """Those of the truth."""

    @classmethod
    def from_counts(cls, counts: NDArray[np.float64], categories: Categories) -> Self:
        """``counts``: (num_labels, 4) sum of IoU, true positives, false positives, false negatives."""
        classes = [ClassPQ.from_counts(row) for row in counts]
        return cls(
            all=GroupPQ.mean(classes),
            things=GroupPQ.mean(classes[: categories.num_things]),
            stuff=GroupPQ.mean(classes[categories.num_things :]),
            per_class={category.id: c for category, c in zip(categories, classes, strict=True)},
            categories=categories,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries; the keys are those of COCO's reference implementation (All, Things, ...)."""
        return {
            "All": asdict(self.all),
            "Things": asdict(self.things),
            "Stuff": asdict(self.stuff),
            "per_class": {str(category_id): asdict(c) for category_id, c in self.per_class.items()},
        }
