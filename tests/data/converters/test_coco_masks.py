"""Segmentations of COCO detection files: against pycocotools, and each fault."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from golden import decode_rle
from spatialflow.data.converters.coco_masks import read_segmentation, runs_of_polygons
from spatialflow.json_fields import FieldError
from spatialflow.masks.mask_runs import MaskRuns

SIZE = (20, 30)
MASK = np.random.default_rng(0).random(SIZE) < 0.4


def pixels(runs: MaskRuns) -> NDArray[np.bool_]:
    return runs.paint() == 1


def test_run_lengths() -> None:
    rle = coco.encode(np.asfortranarray(MASK, np.uint8))
    counts = MaskRuns.of_array(MASK).to_counts()[0].tolist()
    for value in (rle["counts"].decode(), counts):
        np.testing.assert_array_equal(
            pixels(read_segmentation({"size": [20, 30], "counts": value}, SIZE)), MASK
        )


POLYGONS = [
    [[2, 3, 12.5, 4, 8, 17.2]],
    [[2, 3, 12, 3, 12, 9, 2, 9], [8, 5, 25, 5, 25, 15, 8, 15]],  # which overlap
    [[-15, -4, 40, 3, 8, 60]],  # which leave the image
    [[4.2, 4.7, 5.1, 5.9, 4.3, 6.3, 20, 2]],
    [[100, 100, 120, 100, 120, 120]],  # wholly outside
]


@pytest.mark.parametrize("polygons", POLYGONS)
def test_polygons(polygons: list[list[float]]) -> None:
    joined = coco.merge(coco.frPyObjects(polygons, *SIZE))
    expected = decode_rle({"size": SIZE, "counts": joined["counts"].decode()})
    np.testing.assert_array_equal(pixels(read_segmentation(polygons, SIZE)), expected)


def test_a_rectangle_has_its_pixels() -> None:
    found = pixels(read_segmentation([[3, 5, 10, 5, 10, 9, 3, 9]], SIZE))
    expected = np.zeros(SIZE, np.bool_)
    expected[5:9, 3:10] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("far", [1e3, 1e6, 1e12])
def test_polygons_that_reach_far_out_are_cut(far: float) -> None:
    """Drawn whole, the longest would take all memory. A half plane, a diagonal, and one around the image."""
    half = np.zeros(SIZE, np.bool_)
    half[:, 10:] = True
    np.testing.assert_array_equal(
        pixels(read_segmentation([[10, -far, far, -far, far, far, 10, far]], SIZE)), half
    )
    around = [[-far, -far, far, -far, far, far, -far, far]]
    assert pixels(read_segmentation(around, SIZE)).all()
    diagonal = pixels(read_segmentation([[0, 0, far, far, 0, far]], SIZE))
    y, x = np.mgrid[:20, :30]
    assert diagonal[y > x + 1].all()
    assert not diagonal[y < x - 1].any()
    assert not pixels(read_segmentation([[far, far, far + 5, far, far, far + 9]], SIZE)).any()


@pytest.mark.parametrize("polygons", [[], [[]], [[1, 2]], [[1, 2, 3, 4]], [[5, 5, 5, 5, 5, 5]]])
def test_polygons_without_area(polygons: list[list[float]]) -> None:
    """Four numbers are two points here, not a box as pycocotools takes them."""
    assert read_segmentation(polygons, SIZE).areas().tolist() == [0]


def test_polygons_as_arrays() -> None:
    corners = np.array([[3, 5], [10, 5], [10, 9], [3, 9]], np.float64)
    assert runs_of_polygons([corners], SIZE).bboxes().tolist() == [[3, 5, 7, 4]]


FAULTS: list[tuple[Any, str, str]] = [
    (None, "", "polygons or run lengths are expected, got None"),
    ("abc", "", "polygons or run lengths"),
    ([1, 2, 3, 4, 5, 6], "[0]", "a list x, y, x, y, ... of numbers is expected, got 1"),
    ([[1, 2, 3, 4, 5]], "[0]", "a list x, y"),
    ([[1, 2, 3, 4, 5, 6], [1, 2, "3", 4, 5, 6]], "[1]", "a list x, y"),
    ([[1, 2, 3, 4, 5, float("nan")]], "[0]", "a list x, y"),
    ([[1, 2, 3, 4, 5, 1e300]], "[0]", "a list x, y"),
    ({"counts": "abc"}, "size", "the key is missing"),
    (
        {"size": [30, 20], "counts": "abc"},
        "size",
        "[20, 30] (height, width) of the image is expected, got [30, 20]",
    ),
    ({"size": [20, 30]}, "counts", "the key is missing"),
    ({"size": [20, 30], "counts": None}, "counts", "run lengths are expected"),
    ({"size": [20, 30], "counts": [1.5]}, "counts", "run lengths are expected"),
    ({"size": [20, 30], "counts": [600, True]}, "counts", "run lengths are expected"),
    ({"size": [20, 30], "counts": [599]}, "counts", "its runs have 599 pixels together, 30x20 has 600"),
    ({"size": [20, 30], "counts": [-1, 601]}, "counts", "a run of -1 pixels cannot be"),
    ({"size": [20, 30], "counts": [2**70]}, "counts", "no mask of this image"),
    ({"size": [20, 30], "counts": "???!"}, "counts", "no mask of this image"),
    ({"size": [20, 30], "counts": ""}, "counts", "no mask of this image"),
]


@pytest.mark.parametrize(("value", "field", "problem"), FAULTS)
def test_faults(value: Any, field: str, problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_segmentation(value, SIZE)
    assert caught.value.field == field
    assert problem in caught.value.problem
