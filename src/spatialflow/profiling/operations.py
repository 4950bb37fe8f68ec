"""Counting floating-point operations where they are done."""

from typing import Any

import torch
import torchvision  # noqa: F401  # registers torch.ops.torchvision
from torch.utils.flop_counter import FlopCounterMode

CONVENTION = (
    "a multiplication and its addition are 2 FLOPs; convolutions (also deformable) and matrix products "
    "count, not what deformable sampling, RoIAlign, interpolation, normalisation and activations take"
)


def counter() -> FlopCounterMode:
    """PyTorch's counter, which learns of deformable convolutions too."""
    return FlopCounterMode(
        display=False, custom_mapping={torch.ops.torchvision.deform_conv2d: _deformable_flops}
    )


def _deformable_flops(images: Any, weight: Any, *_: Any, out_shape: Any, **__: Any) -> int:
    """As an ordinary convolution: shapes (B, C, H, W), (D, C / groups, h, w) -> (B, D, H', W')."""
    batch, channels, height, width = out_shape
    return 2 * batch * channels * height * width * weight[1] * weight[2] * weight[3]
