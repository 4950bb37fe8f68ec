"""What the network computes, and the things found in it."""

from typing import NamedTuple

from torch import Tensor


class DenseOutputs(NamedTuple):
    """Everything the network computes before boxes are known; L levels, the first K of them segmented."""

    cls_logits: tuple[Tensor, ...]
    """L x (B, A*T, H_l, W_l), channel = anchor * T + thing label."""
    box_deltas: tuple[Tensor, ...]
    """L x (B, A*4, H_l, W_l), channel = anchor * 4 + (dx, dy, dw, dh)."""
    stuff_logits: Tensor
    """(B, S+1, H/4, W/4), before the last upsampling."""
    mask_features: tuple[Tensor, ...]
    """K x (B, C, H_l, W_l)."""


class Detections(NamedTuple):
    """Things found in one image, by descending score."""

    boxes: Tensor
    """(N, 4) float32 xyxy, pixels of whichever image the caller said."""
    scores: Tensor
    """(N,) float32, 0..1."""
    labels: Tensor
    """(N,) int64, 0..T-1."""
