"""Panoptic predictions for tests: random ones, and those of ground truth."""

import numpy as np
import torch
from numpy.typing import NDArray

from make_model import TOY
from spatialflow.categories import Categories
from spatialflow.structures import PanopticPrediction, Segment


def of_map(
    ids: NDArray[np.int32], labels: dict[int, int], categories: Categories = TOY, **more: object
) -> PanopticPrediction:
    """A prediction whose areas and boxes are counted by brute force; no two scores are alike."""
    segments = []
    for place, (segment_id, label) in enumerate(labels.items()):
        rows, columns = np.nonzero(ids == segment_id)
        box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        category = categories[label]
        score = 1 / (1.1 + place)
        segments.append(
            Segment(segment_id, label, category, category.is_thing, score, len(rows), box, **more)  # type: ignore[arg-type]
        )
    return PanopticPrediction(torch.from_numpy(ids), tuple(segments))


def scattered(seed: int, size: tuple[int, int] = (37, 53), top: int = 9) -> PanopticPrediction:
    """Rectangles over each other and some noise: parts, holes, pixels that touch at corners, void."""
    rng = np.random.default_rng(seed)
    ids = np.zeros(size, np.int32)
    numbers = rng.choice(np.arange(1, top), 6, replace=False)
    for number in numbers:
        y, x = rng.integers(0, size[0] - 3), rng.integers(0, size[1] - 3)
        ids[y : y + rng.integers(3, 25), x : x + rng.integers(3, 35)] = number
    noisy = rng.random(size) < 0.1
    ids[noisy] = rng.choice([0, *numbers], int(noisy.sum()))
    painted = [int(number) for number in numbers if (ids == number).any()]
    return of_map(ids, {number: place % len(TOY) for place, number in enumerate(painted)})
