"""Pasting against PyTorch's grid_sample over the whole image, and by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from spatialflow.postprocess.masks import paste_mask


def pasted(probabilities: NDArray[np.float32], box: list[float], size: tuple[int, int]) -> NDArray[np.bool_]:
    window = paste_mask(probabilities, np.array(box, np.float32), size)
    mask = np.zeros(size, bool)
    mask[window.slices] = window.pixels
    return mask


def brute_force(
    probabilities: NDArray[np.float32], box: list[float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Value of the stretched map at every pixel of the image."""
    x1, y1, x2, y2 = (torch.tensor(v) for v in box)
    x = (torch.arange(size[1]) + 0.5 - x1) / (x2 - x1) * 2 - 1
    y = (torch.arange(size[0]) + 0.5 - y1) / (y2 - y1) * 2 - 1
    x[torch.isinf(x)] = 0  # a box without width samples the middle, as the original does
    y[torch.isinf(y)] = 0
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
    field = torch.from_numpy(probabilities)[None, None]
    return F.grid_sample(field, grid, align_corners=False)[0, 0].numpy()


@pytest.mark.parametrize("size", [(40, 60), (1, 9), (9, 1)])
@pytest.mark.parametrize("side", [28, 5])
def test_equals_grid_sample(size: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(side)
    for _ in range(60):
        smooth = rng.random((side, side)).astype(np.float32)
        corner = rng.uniform(-8, 1.1, 2) * 1.0 + rng.uniform(0, 1, 2) * (size[1], size[0])
        extent = rng.uniform(0.3, 1.2 * max(size), 2)
        box = [float(np.float32(v)) for v in (*corner, *(corner + extent))]
        values = brute_force(smooth, box, size)
        mask = pasted(smooth, box, size)
        clear = np.abs(values - 0.5) > 1e-4
        assert np.array_equal(mask[clear], (values >= 0.5)[clear]), box


def test_a_map_of_ones_paints_the_pixels_whose_centres_the_box_holds() -> None:
    # The outermost half cell fades to zero: a quarter pixel here, so that centres just inside still count.
    mask = pasted(np.ones((28, 28), np.float32), [2, 1, 6, 8], (10, 10))
    expected = np.zeros((10, 10), bool)
    expected[1:8, 2:6] = True
    assert np.array_equal(mask, expected)


def test_orientation() -> None:
    probabilities = np.zeros((28, 28), np.float32)
    probabilities[:14] = 1  # upper half
    mask = pasted(probabilities, [0, 0, 28, 28], (28, 28))
    assert mask[:14].all()
    assert not mask[14:].any()


@pytest.mark.parametrize(
    "box",
    [
        [5, 5, 5, 30],  # between columns
        [5.5, 5, 5.5, 30],  # on a centre: 0 / 0, which the original leaves as not a number
        [0, 0, 0, 20],
        [50, 3, 50, 20],
        [60, 0, 60, 40],
        [3, 7, 40, 7],
        [8, 9, 8, 9],
    ],
)
def test_boxes_without_extent(box: list[float]) -> None:
    """The middle of the map over the columns next to the box; the original paints even farther off."""
    field = np.random.default_rng(3).random((28, 28)).astype(np.float32)
    field[12:16, 12:16] += 0.5
    field[0] = field[:, 0] = 0.9
    window = paste_mask(field, np.array(box, np.float32), (40, 60))
    x1, y1, x2, y2 = box
    left, right = max(int(np.floor(x1)) - 1, 0), min(int(np.ceil(x2)) + 1, 60)
    top, bottom = max(int(np.floor(y1)) - 1, 0), min(int(np.ceil(y2)) + 1, 40)
    assert (window.x, window.y) == (left, top)
    assert window.pixels.shape == (bottom - top, right - left)
    values = brute_force(field, box, (40, 60))[window.slices]
    known = np.isfinite(values)
    assert np.array_equal(window.pixels[known], values[known] >= 0.5)
    assert not pasted(np.zeros((28, 28), np.float32), box, (40, 60)).any()


@pytest.mark.parametrize("box", [[70, 5, 90, 20], [5, 50, 20, 90], [-30, -30, -5, -5]])
def test_boxes_outside_the_image(box: list[float]) -> None:
    window = paste_mask(np.ones((28, 28), np.float32), np.array(box, np.float32), (40, 60))
    assert not window.pixels.any()
    mask = np.zeros((40, 60), bool)
    mask[window.slices] = window.pixels  # the window still fits the image


def test_one_half_is_in() -> None:
    half = np.full((28, 28), 0.5, np.float32)
    # inside the border's fading, weights of two cells must add up to one exactly
    assert pasted(half, [0, 0, 28, 28], (28, 28)).all()
    assert not pasted(np.nextafter(half, np.float32(0)), [0, 0, 28, 28], (28, 28)).any()
