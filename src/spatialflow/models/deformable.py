"""Modulated deformable convolution (DCNv2, Zhu et al. 2019): each tap is told where to read, and how much."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

TAPS = 9
"""Of a 3x3 kernel."""
LOCATION_CHANNELS = 3 * TAPS
"""Two offsets and one modulation a tap."""


class DeformableConv(nn.Module):
    """3x3 deformable convolution that takes its offsets and modulation from outside.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: of the output's pixels in the input's.
        bias: whether to add one.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor, offset: Tensor, modulation: Tensor) -> Tensor:
        """Sample, weigh, convolve.

        Args:
            x: (B, C_in, H, W).
            offset: (B, 18, H', W') pixels of ``x``, as dy, dx of the first tap, of the second, ...; taps run
                along rows. H', W' are those of a plain 3x3 convolution with this stride and padding 1.
            modulation: (B, 9, H', W') factor of each tap.

        Returns:
            (B, C_out, H', W') in the type of ``x``.
        """
        # float32: offsets want the precision, and the kernel has no bfloat16
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        bias = None if self.bias is None else self.bias.to(dtype)
        with torch.autocast(x.device.type, enabled=False):
            result = deform_conv2d(
                x.to(dtype),
                offset.to(dtype),
                self.weight.to(dtype),
                bias,
                stride=self.stride,
                padding=1,
                mask=modulation.to(dtype),
            )
        return cast(Tensor, result).to(x.dtype)


class SelfGuidedDeformableConv(DeformableConv):
    """A deformable convolution whose offsets and modulation come from a convolution of its own input.

    That convolution starts at zero: no offset, and every tap at one half.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, stride=stride, bias=bias)
        self.conv_offset = nn.Conv2d(in_channels, LOCATION_CHANNELS, 3, stride, 1)
        nn.init.zeros_(self.conv_offset.weight)
        nn.init.zeros_(cast(Tensor, self.conv_offset.bias))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C_in, H, W) -> (B, C_out, H', W')."""
        return super().forward(x, *split_locations(self.conv_offset(x)))

    @classmethod
    def replacing(cls, conv: nn.Conv2d) -> "SelfGuidedDeformableConv":
        """One with the weights of a plain 3x3 convolution."""
        new = cls(conv.in_channels, conv.out_channels, stride=conv.stride[0], bias=conv.bias is not None)
        new.weight.data.copy_(conv.weight.data)
        if conv.bias is not None:
            cast(Tensor, new.bias).data.copy_(conv.bias.data)
        return new


def split_locations(locations: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 27, H, W) -> offsets (B, 18, H, W), and modulation (B, 9, H, W) through a sigmoid."""
    offset, modulation = locations.split((2 * TAPS, TAPS), dim=1)
    return offset, modulation.sigmoid()
