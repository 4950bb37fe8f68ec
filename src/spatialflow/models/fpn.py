"""Feature pyramid P3..P7 (Lin et al. 2017), with P6 made from C5 as the original does."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from spatialflow.models.layers import ConvLayer, Norm


class FeaturePyramid(nn.Module):
    """Laterals, nearest top-down sums and 3x3 outputs for C3..C5; coarser levels by stride-2 convolutions.

    P6 comes from C5 (not P5), P7 from P6 without a ReLU in between, and no convolution has an activation.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int = 256, num_levels: int = 5, norm: Norm = "none"
    ) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvLayer(c, channels, 1, norm=norm, relu=False) for c in in_channels)
        self.output = nn.ModuleList(ConvLayer(channels, channels, norm=norm, relu=False) for _ in in_channels)
        sources = [in_channels[-1]] + [channels] * (num_levels - len(in_channels))
        self.extra = nn.ModuleList(
            ConvLayer(sources[i], channels, stride=2, norm=norm, relu=False)
            for i in range(num_levels - len(in_channels))
        )
        for conv in self.modules():
            if isinstance(conv, nn.Conv2d):
                nn.init.xavier_uniform_(conv.weight)
                if conv.bias is not None:
                    nn.init.zeros_(conv.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """C3, C4, C5 -> P3, P4, ..., each (B, channels, H_l, W_l), strides 8, 16, 32, ..."""
        merged = [lateral(c) for lateral, c in zip(self.lateral, features, strict=True)]
        for fine in range(len(merged) - 2, -1, -1):
            size = merged[fine].shape[-2:]
            merged[fine] = merged[fine] + F.interpolate(merged[fine + 1], size=size, mode="nearest")
        levels = [output(m) for output, m in zip(self.output, merged, strict=True)]
        coarser = features[-1]
        for extra in self.extra:
            coarser = extra(coarser)
            levels.append(coarser)
        return levels
