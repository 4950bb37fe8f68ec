"""Masks as runs, against arrays of pixels and pycocotools."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from spatialflow.masks.mask_runs import MaskRuns

RNG = np.random.default_rng(0)
MAPS = [
    *(RNG.integers(0, 4, size, np.int32) for size in ((1, 1), (1, 7), (7, 1), (6, 5), (30, 40))),
    np.kron(RNG.integers(0, 6, (5, 4), np.int32), np.ones((9, 11), np.int32)) * 70000,
    np.zeros((4, 3), np.int32),
    np.full((4, 3), 2**24 - 1, np.int32),
    np.eye(5, dtype=np.int32),
]


def pixels(runs: MaskRuns, mask: int) -> NDArray[np.bool_]:
    """One mask, painted run by run."""
    height, width = runs.size
    flat = np.zeros(height * width, np.bool_)
    for run in range(int(runs.bounds[mask]), int(runs.bounds[mask + 1])):
        flat[runs.starts[run] : runs.ends[run]] = True
    return flat.reshape(width, height).T


@pytest.mark.parametrize("ids", MAPS)
def test_of_an_id_map(ids: NDArray[np.int32]) -> None:
    found, runs = MaskRuns.of_id_map(ids)
    assert found.tolist() == sorted(set(ids.ravel().tolist()) - {0})
    assert len(runs) == len(found)
    for i, segment_id in enumerate(found):
        np.testing.assert_array_equal(pixels(runs, i), ids == segment_id)
        encoded = coco.encode(np.asfortranarray(ids == segment_id, np.uint8))
        assert runs.to_rle()[i] == {"size": list(ids.shape), "counts": encoded["counts"].decode()}
        assert runs.areas()[i] == coco.area(encoded)
        assert runs.bboxes()[i].tolist() == coco.toBbox(encoded).tolist()
    np.testing.assert_array_equal(runs.paint_values(found), ids)
    assert runs.overlapping() == 0


def test_of_another_type_and_layout() -> None:
    ids = np.array([[7, 0], [7, 60000], [1, 1]], np.uint16)
    for layout in (ids, np.asfortranarray(ids), ids[::-1]):
        found, runs = MaskRuns.of_id_map(layout)
        np.testing.assert_array_equal(runs.paint_values(found), layout)
    with pytest.raises(ValueError, match="no pixels"):
        MaskRuns.of_id_map(np.zeros((0, 3), np.int32))


@pytest.mark.parametrize("ids", MAPS)
def test_of_an_array(ids: NDArray[np.int32]) -> None:
    runs = MaskRuns.of_array(ids % 2)
    assert len(runs) == 1
    np.testing.assert_array_equal(pixels(runs, 0), ids % 2 == 1)
    counts, offsets = runs.to_counts()
    again = MaskRuns.of_counts(counts, runs.size)
    np.testing.assert_array_equal(pixels(again, 0), ids % 2 == 1)
    assert offsets.tolist() == [0, len(counts)]


def test_an_empty_mask() -> None:
    runs = MaskRuns.of_array(np.zeros((3, 4)))
    assert (runs.areas().tolist(), runs.bboxes().tolist()) == ([0], [[0, 0, 0, 0]])
    assert runs.to_counts()[0].tolist() == [12]
    assert not runs.paint().any()


@pytest.mark.parametrize(
    ("counts", "column"),
    [
        ([6], [0, 0, 0, 0, 0, 0]),
        ([0, 6], [1, 1, 1, 1, 1, 1]),
        ([1, 2, 3], [0, 1, 1, 0, 0, 0]),
        ([1, 2, 0, 1, 2], [0, 1, 1, 1, 0, 0]),  # nothing between two runs
        ([1, 0, 1, 0, 4], [0, 0, 0, 0, 0, 0]),
        ([0, 1, 5, 0], [1, 0, 0, 0, 0, 0]),
    ],
)
def test_of_counts(counts: list[int], column: list[int]) -> None:
    runs = MaskRuns.of_counts(np.array(counts), (6, 1))
    assert pixels(runs, 0)[:, 0].tolist() == [v == 1 for v in column]
    assert (runs.starts[1:] > runs.ends[:-1]).all()


@pytest.mark.parametrize("counts", [[], [5], [7], [3, -1, 4], [2**62, 2**62, 6], [0, 0]])
def test_counts_of_another_image(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        MaskRuns.of_counts(np.array(counts, np.int64), (6, 1))


def test_stack_and_select() -> None:
    arrays = [RNG.random((9, 8)) < share for share in (0.5, 0, 0.2, 1)]
    runs = MaskRuns.stack([MaskRuns.of_array(array) for array in arrays], (9, 8))
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(pixels(runs, i), array)
    chosen = runs.select(np.array([3, 1, 0]))
    for i, array in enumerate([arrays[3], arrays[1], arrays[0]]):
        np.testing.assert_array_equal(pixels(chosen, i), array)
    assert chosen.areas().tolist() == [72, 0, arrays[0].sum()]
    assert len(runs.select(np.zeros(0, np.int64))) == len(MaskRuns.stack([], (9, 8))) == 0
    with pytest.raises(ValueError, match="not of the size"):
        MaskRuns.stack([runs], (8, 9))


def test_paint_values_and_the_rest() -> None:
    _, runs = MaskRuns.of_id_map(np.array([[1, 2, 0], [1, 0, 3]]))
    painted = runs.paint_values(np.array([9, 9, 70], np.uint8), fill=255)
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[9, 9, 255], [9, 255, 70]]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_overlaps(count: int) -> None:
    arrays = RNG.random((count, 11, 7)) < 0.4
    runs = MaskRuns.stack([MaskRuns.of_array(array) for array in arrays], (11, 7))
    assert runs.overlapping() == (arrays.sum(axis=0) > 1).sum()
    order = RNG.permutation(count)
    expected = np.zeros((11, 7), np.int32)
    for i in order:
        expected[arrays[i]] = i + 1
    np.testing.assert_array_equal(runs.paint_over(order), expected)


@pytest.mark.parametrize("ids", MAPS)
def test_join(ids: NDArray[np.int32]) -> None:
    """Runs that touch become one, as COCO's format wants them; a group may be empty."""
    found, runs = MaskRuns.of_id_map(ids)
    groups = RNG.integers(0, 3, len(found))
    joined = runs.join(groups, 4)
    assert len(joined) == 4
    for group in range(4):
        mask = np.isin(ids, found[groups == group])
        np.testing.assert_array_equal(pixels(joined, group), mask)
        encoded = coco.encode(np.asfortranarray(mask, np.uint8))
        assert joined.to_rle()[group]["counts"] == encoded["counts"].decode()
