"""The four losses as pure functions. All compute in float32, whatever precision the network ran in."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spatialflow.ops.masks import IGNORED


def focal_loss(logits: Tensor, labels: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Sum of sigmoid focal losses (Lin et al. 2017, RetinaNet).

    Args:
        logits: (N, T).
        labels: (N,) int64; 0..T-1 is a class, T background, negative ignored.
        gamma: exponent that quietens easy examples.
        alpha: weight of positives; negatives get 1 - alpha.

    Returns:
        Scalar; the caller divides by the number of positives.
    """
    logits = logits.float()
    probabilities = logits.sigmoid()
    # every entry as if negative, then the few positive entries are exchanged
    negative = (1 - alpha) * probabilities.pow(gamma) * F.softplus(logits)
    total = (negative * (labels >= 0)[:, None]).sum()
    rows = ((labels >= 0) & (labels < logits.shape[1])).nonzero().squeeze(1)
    x = logits[rows, labels[rows]]
    positive = alpha * (1 - x.sigmoid()).pow(gamma) * F.softplus(-x)
    return total + positive.sum() - negative[rows, labels[rows]].sum()


def l1_loss(deltas: Tensor, targets: Tensor) -> Tensor:
    """Sum of absolute differences of (N, 4) deltas; zero, with a gradient path, if N = 0."""
    return (deltas.float() - targets).abs().sum()


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy over all boxes and pixels, each box in its own class's channel.

    Args:
        logits: (N, T, M, M), or (N, 1, M, M) for class-agnostic masks.
        labels: (N,) int64.
        targets: (N, M, M) float of 0 and 1.

    Returns:
        Scalar; zero, with a gradient path, if N = 0.
    """
    if len(logits) == 0:
        return logits.float().sum()
    channels = labels if logits.shape[1] > 1 else torch.zeros_like(labels)
    own = logits[torch.arange(len(logits), device=logits.device), channels].float()
    return F.binary_cross_entropy_with_logits(own, targets)


def stuff_loss(logits: Tensor, targets: Tensor, image_sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Mean over images of each one's cross-entropy, averaged over all its pixels.

    Pixels labelled 255 add nothing, but count in the average, as in the original; padding does not count.

    Args:
        logits: (B, S+1, H/4, W/4); brought to (H, W) by bilinear interpolation with aligned corners.
        targets: (B, H, W) int64, 255 in the padding.
        image_sizes: B x (H_b, W_b) without padding.

    Returns:
        Scalar.
    """
    fine = F.interpolate(logits.float(), size=targets.shape[-2:], mode="bilinear", align_corners=True)
    # One row a pixel: where the network is channels-last, softmax then runs along memory, twice as fast.
    rows = fine.permute(0, 2, 3, 1).flatten(0, 2)
    pixels = F.cross_entropy(rows, targets.flatten(), ignore_index=IGNORED, reduction="none").view(
        targets.shape
    )
    areas = pixels.new_tensor([h * w for h, w in image_sizes])
    return (pixels.sum(dim=(1, 2)) / areas).mean()
