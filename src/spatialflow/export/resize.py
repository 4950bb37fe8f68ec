"""OpenCV's bilinear resize of 8-bit pixels, as a part of a graph.

The same integers as ``cv2.resize(..., INTER_LINEAR)``: weights of 11 bits, first along the rows, then down
the columns, each sum shifted as in OpenCV's ``resize.cpp`` (``HResizeLinear``, ``VResizeLinear``). Another
rounding would move every number that follows.
"""

import torch
from torch import Tensor

from spatialflow.data.transforms import Scale

_ONE = 1 << 11
"""A weight of 1."""


def resized_size_in_graph(size: Tensor, scale: Scale) -> Tensor:
    """See :func:`spatialflow.data.transforms.resized_size`; ``size`` and the result are (2,) int64."""
    sides = size.double()
    # divided as tensors: PyTorch multiplies a number by the reciprocal, which rounds twice
    limits = torch.tensor([max(scale), min(scale)], dtype=torch.float64)
    factor = (limits / torch.stack([sides.max(), sides.min()])).min()
    return (sides * factor + 0.5).floor().long().clamp(min=1)


def resize_in_graph(image: Tensor, size: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Bilinear resize.

    Args:
        image: (H, W, 3) uint8.
        size: (2,) int64 height and width of the resized image.
        rows: (h,) int64, which of its rows are wanted; those beyond it repeat the last.
        columns: (w,) int64, likewise.

    Returns:
        (h, w, 3) int32, 0..255.
    """
    height, width, _ = image.shape
    left, weight = _taps(width, size[1], columns)
    # At the border a column weighs in alone, while a row is met by itself, each share rounded on its own.
    weight = torch.where((left < 0) | (left >= width - 1), 0, weight)[:, None]
    left = left.clamp(0, width - 1)
    right = (left + 1).clamp(max=width - 1)
    top, share = _taps(height, size[0], rows)
    share = share[:, None, None]

    def along(row: Tensor) -> Tensor:
        lines = image[row.clamp(0, height - 1)]
        return (lines[:, left].int() * (_ONE - weight) + lines[:, right].int() * weight) // 16

    upper = along(top) * (_ONE - share) // (1 << 16)
    lower = along(top + 1) * share // (1 << 16)
    return (upper + lower + 2) // 4


def _taps(source: int | torch.SymInt, target: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Where places of the resized side fall: pixel before, int64, and weight of the next, int32."""
    step = 1 / (target.double() / torch.full((), source, dtype=torch.float64))
    places = torch.minimum(places, target - 1)
    position = ((places.double() + 0.5) * step - 0.5).float()
    before = position.floor()
    return before.long(), ((position - before) * _ONE).round().int()
