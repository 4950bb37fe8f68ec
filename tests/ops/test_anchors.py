"""Anchors against hand-worked numbers and loops."""

import math

import pytest
import torch

from spatialflow.config import AnchorConfig
from spatialflow.ops.anchors import anchors_in_image, cell_anchors, grid_anchors


def test_one_square_anchor() -> None:
    config = AnchorConfig(base_scale=4.0, scales_per_octave=1, ratios=(1.0,))
    assert cell_anchors(8, config).tolist() == [[-16, -16, 16, 16]]


def test_order_and_shape_of_a_cell() -> None:
    anchors = cell_anchors(16, AnchorConfig())
    expected = []
    for ratio in (0.5, 1.0, 2.0):
        for k in range(3):
            side = 4 * 16 * 2 ** (k / 3)
            width, height = side / math.sqrt(ratio), side * math.sqrt(ratio)
            expected.append([-width / 2, -height / 2, width / 2, height / 2])
    assert torch.allclose(anchors, torch.tensor(expected))
    width, height = (anchors[:, 2:] - anchors[:, :2]).T
    assert torch.allclose(height / width, torch.tensor([0.5] * 3 + [1.0] * 3 + [2.0] * 3))


@pytest.mark.parametrize("ratios", [(1.0,), (0.25, 4.0)])
def test_grid_runs_over_anchors_then_columns_then_rows(ratios: tuple[float, ...]) -> None:
    config = AnchorConfig(base_scale=2.0, scales_per_octave=2, ratios=ratios)
    sizes, strides = [(2, 3), (1, 2)], [8, 16]
    grids = grid_anchors(sizes, strides, config)
    for (rows, columns), stride, grid in zip(sizes, strides, grids, strict=True):
        cell = cell_anchors(stride, config)
        assert len(cell) == config.per_cell == 2 * len(ratios)
        expected = [
            cell[a] + torch.tensor([x * stride, y * stride] * 2)
            for y in range(rows)
            for x in range(columns)
            for a in range(len(cell))
        ]
        assert torch.equal(grid, torch.stack(expected))
        assert grid.dtype == torch.float32


def test_cells_are_anchored_at_their_top_left_corner() -> None:
    config = AnchorConfig(scales_per_octave=1, ratios=(1.0,))
    (grid,) = grid_anchors([(1, 2)], [32], config)
    centres = (grid[:, :2] + grid[:, 2:]) / 2
    assert centres.tolist() == [[0, 0], [32, 0]]


@pytest.mark.parametrize("image_size", [(64, 96), (33, 64), (32, 65), (96, 128), (1, 1)])
def test_cells_in_the_padding_of_the_batch(image_size: tuple[int, int]) -> None:
    sizes, strides = [(12, 16), (6, 8), (3, 4), (2, 2)], [8, 16, 32, 64]
    masks = anchors_in_image(sizes, strides, image_size, 2)
    padded = [math.ceil(side / 32) * 32 for side in image_size]
    for (rows, columns), stride, mask in zip(sizes, strides, masks, strict=True):
        # the original keeps ceil(padded side / stride) cells
        expected = [
            y < math.ceil(padded[0] / stride) and x < math.ceil(padded[1] / stride)
            for y in range(rows)
            for x in range(columns)
            for _ in range(2)
        ]
        assert mask.tolist() == expected
