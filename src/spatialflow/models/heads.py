"""Stuff head (dense logits at stride 4) and mask head (28 x 28 logits for each box)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from spatialflow.models.layers import ConvLayer, init_kaiming

ROI_SIZE = 14
FINEST_ROI_SIDE = 56
"""Boxes up to twice this side (geometric mean, pixels) read the finest level, each doubling the next."""


class StuffHead(nn.Module):
    """Brings every level to stride 4 by 3x3 conv, GroupNorm, ReLU and bilinear doubling, sums, classifies."""

    def __init__(
        self, in_channels: int = 256, channels: int = 128, num_channels: int = 54, num_levels: int = 3
    ):
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.ModuleList(
                ConvLayer(in_channels if i == 0 else channels, channels, norm="group", bias=False)
                for i in range(level + 1)
            )
            for level in range(num_levels)
        )
        init_kaiming(self)
        self.logits = nn.Conv2d(channels, num_channels, 1)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.zeros_(self.logits.bias)  # type: ignore[arg-type]

    def forward(self, features: list[Tensor]) -> Tensor:
        """Stuff features of strides 8, 16, 32, each (B, C, H_l, W_l) -> (B, S+1, H/4, W/4)."""
        total: Tensor | None = None
        for steps, feature in zip(self.lateral, features, strict=True):
            for step in steps:  # type: ignore[attr-defined]
                feature = F.interpolate(step(feature), scale_factor=2, mode="bilinear", align_corners=True)
            total = feature if total is None else total + feature
        return self.logits(total)


class MaskHead(nn.Module):
    """RoIAlign 14 x 14 on the level that fits the box, convolutions, 2x deconvolution, class-wise logits."""

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 256,
        num_classes: int = 80,
        num_convs: int = 4,
    ) -> None:
        super().__init__()
        sources = [in_channels] + [channels] * num_convs
        self.convs = nn.ModuleList(ConvLayer(c, channels) for c in sources[:num_convs])
        self.upsample = nn.ConvTranspose2d(sources[num_convs], channels, 2, 2)
        self.logits = nn.Conv2d(channels, num_classes, 1)
        init_kaiming(self)

    def forward(self, features: tuple[Tensor, ...], boxes: list[Tensor]) -> Tensor:
        """Mask features of strides 8, 16, ... and B x (N_b, 4) input pixels -> (sum N_b, classes, 28, 28)."""
        return self.draw(pool_boxes(features, boxes))

    def draw(self, pooled: Tensor) -> Tensor:
        """What the boxes show: pooled (N, C, 14, 14) -> (N, classes, 28, 28)."""
        for conv in self.convs:
            pooled = conv(pooled)
        return self.logits(self.upsample(pooled).relu_())


def pool_boxes(features: tuple[Tensor, ...], boxes: list[Tensor]) -> Tensor:
    """RoIAlign (aligned, adaptive sampling) of each box on one level -> (sum N_b, C, 14, 14).

    A box of side s = sqrt(w h) reads level floor(log2(s / 56 + 1e-6)), clamped to the levels there are.
    """
    batch = [box.new_full((len(box), 1), i) for i, box in enumerate(boxes)]
    rois = torch.cat([torch.cat(batch), torch.cat(boxes)], dim=1).float()
    levels = roi_levels(rois[:, 1:], len(features))
    dtype = features[0].dtype
    pooled = features[0].new_zeros((len(rois), features[0].shape[1], ROI_SIZE, ROI_SIZE))
    for level, feature in enumerate(features):
        chosen = (levels == level).nonzero().squeeze(1)
        # float32: the kernel has no bfloat16 on CPU, and coordinates want the precision anyway
        part = roi_align(feature.float(), rois[chosen], ROI_SIZE, 1 / (8 * 2**level), 0, aligned=True)
        pooled = pooled.index_copy(0, chosen, part.to(dtype))
    return pooled


def roi_levels(boxes: Tensor, num_levels: int) -> Tensor:
    """Index of the level each box (N, 4) reads, (N,) int64; see :func:`pool_boxes`."""
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=0).sqrt()
    return (sides / FINEST_ROI_SIDE + 1e-6).log2().floor().clamp(0, num_levels - 1).long()
