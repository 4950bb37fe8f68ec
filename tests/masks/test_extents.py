"""Area and box of every segment, against one mask after the other."""

import numpy as np
import pytest

from spatialflow.masks.extents import measure


def test_by_hand() -> None:
    ids = np.array([[0, 7, 7, 0], [5, 7, 0, 7], [5, 0, 0, 0]])
    extents = measure(ids)
    assert extents.ids.tolist() == [5, 7]
    assert extents.areas.tolist() == [2, 4]
    assert extents.boxes.tolist() == [[0, 1, 1, 2], [1, 0, 3, 2]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (31, 17)])
@pytest.mark.parametrize("highest", [0, 1, 5, 2**24 - 1])
def test_against_masks(shape: tuple[int, int], highest: int) -> None:
    rng = np.random.default_rng([*shape, highest])
    values = np.array([0, highest, highest // 2, 3], np.int32)
    ids = rng.choice(values, shape)
    extents = measure(ids)
    assert extents.ids.tolist() == sorted(set(ids.ravel().tolist()) - {0})
    for segment_id, area, box in zip(*extents, strict=True):
        rows, columns = np.nonzero(ids == segment_id)
        x, y = columns.min(), rows.min()
        assert area == len(rows)
        assert box.tolist() == [x, y, columns.max() - x + 1, rows.max() - y + 1]
