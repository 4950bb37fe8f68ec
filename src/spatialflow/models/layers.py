"""The one building block every sub-network is made of."""

import math
from typing import Literal

from torch import Tensor, nn

from spatialflow.models.deformable import DeformableConv

Norm = Literal["none", "group"]


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with 32 groups, or as many as leave each 4 channels, which the original's narrowest has."""
    return nn.GroupNorm(math.gcd(32, max(channels // 4, 1), channels), channels)


class ConvLayer(nn.Module):
    """Convolution, optional GroupNorm, optional ReLU: (B, C_in, H, W) -> (B, C_out, H, W).

    A ``deformable`` one (always 3x3, stride 1) takes offsets and modulation as further inputs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        norm: Norm = "none",
        bias: bool = True,
        relu: bool = True,
        deformable: bool = False,
    ) -> None:
        super().__init__()
        self.conv: nn.Module
        if deformable:
            self.conv = DeformableConv(in_channels, out_channels, bias=bias)
        else:
            self.conv = nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=bias
            )
        self.norm = group_norm(out_channels) if norm == "group" else nn.Identity()
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor, *locations: Tensor) -> Tensor:
        """See the class."""
        return self.relu(self.norm(self.conv(x, *locations)))


def init_normal(module: nn.Module, std: float = 0.01) -> None:
    """Draw every convolution's weights from N(0, std^2) with zero bias, as RetinaNet's heads start."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | DeformableConv):
            nn.init.normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def init_kaiming(module: nn.Module, nonlinearity: Literal["relu", "linear"] = "relu") -> None:
    """Draw every convolution's weights so that the variance is kept (He et al. 2015), with zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity=nonlinearity)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
