"""Anchors of a dense detector; cells are anchored at their top-left corner, as in the original."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialflow.config import AnchorConfig


def cell_anchors(stride: int, config: AnchorConfig) -> Tensor:
    """Boxes of one cell centred on the origin, (A, 4) float32 xyxy; index = ratio * scales + scale.

    Side = base_scale * stride * 2^(k / scales); w = side / sqrt(r), h = side * sqrt(r), nothing rounded.
    """
    octaves = 2 ** (torch.arange(config.scales_per_octave, dtype=torch.float32) / config.scales_per_octave)
    sides = config.base_scale * stride * octaves
    roots = torch.tensor(config.ratios, dtype=torch.float32).sqrt()
    width = (sides[None, :] / roots[:, None]).flatten()
    height = (sides[None, :] * roots[:, None]).flatten()
    return torch.stack([-width, -height, width, height], dim=1) / 2


def grid_anchors(
    sizes: Sequence[tuple[int, int]],
    strides: Sequence[int],
    config: AnchorConfig,
    device: torch.device | str = "cpu",
) -> list[Tensor]:
    """Anchors of every level.

    Args:
        sizes: (H_l, W_l) cells of each level.
        strides: pixels a cell of each level.
        config: sides and ratios.
        device: where to make them.

    Returns:
        For each level (H_l * W_l * A, 4) float32 xyxy in input pixels; the anchor runs fastest, then x, then
        y.
    """
    levels = []
    for (height, width), stride in zip(sizes, strides, strict=True):
        x = torch.arange(width, device=device, dtype=torch.float32) * stride
        y = torch.arange(height, device=device, dtype=torch.float32) * stride
        yy, xx = torch.meshgrid(y, x, indexing="ij")
        corners = torch.stack([xx, yy, xx, yy], dim=-1)[:, :, None]
        levels.append((corners + cell_anchors(stride, config).to(device)).reshape(-1, 4))
    return levels


def anchors_in_image(
    sizes: Sequence[tuple[int, int]],
    strides: Sequence[int],
    image_size: tuple[int, int],
    per_cell: int,
    device: torch.device | str = "cpu",
) -> list[Tensor]:
    """Which anchors belong to cells of one image rather than to the padding up to the batch's size.

    A cell counts if it begins inside the image's own padded size (next multiple of 32).

    Returns:
        For each level (H_l * W_l * A,) bool.
    """
    padded = [-(-side // 32) * 32 for side in image_size]
    masks = []
    for (height, width), stride in zip(sizes, strides, strict=True):
        rows = torch.arange(height, device=device) * stride < padded[0]
        columns = torch.arange(width, device=device) * stride < padded[1]
        masks.append((rows[:, None] & columns[None, :]).flatten().repeat_interleave(per_cell))
    return masks
