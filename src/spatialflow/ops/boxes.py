"""Box geometry: IoU, delta coding, class-aware NMS. Boxes are float xyxy pixels, without any +1."""

import math

import torch
from torch import Tensor
from torchvision.ops import nms

MAX_LOG_RATIO = abs(math.log(16 / 1000))
"""A decoded box is at most 1000/16 times as wide or high as its anchor (Fast R-CNN's clamp)."""


def area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...); zero for boxes turned inside out."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of (N, 4) with (M, 4) -> (N, M); the union is floored at 1e-6."""
    top_left = torch.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = (bottom_right - top_left).clamp_(min=0).prod(dim=2)
    union = area(first)[:, None] + area(second)[None, :] - intersection
    return intersection / union.clamp_(min=1e-6)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Deltas (N, 4) (dx, dy, dw, dh) that :func:`decode` turns back into ``boxes``; both sides positive."""
    anchor_size, anchor_centre = _size_and_centre(anchors)
    size, centre = _size_and_centre(boxes)
    return torch.cat([(centre - anchor_centre) / anchor_size, (size / anchor_size).log()], dim=-1)


def decode(deltas: Tensor, anchors: Tensor, image_size: tuple[int, int] | Tensor) -> Tensor:
    """Boxes (N, 4) from deltas (N, 4) on anchors (N, 4), clipped to the image, (H, W) or a (2,) tensor."""
    anchor_size, anchor_centre = _size_and_centre(anchors)
    centre = anchor_centre + anchor_size * deltas[..., :2]
    size = anchor_size * deltas[..., 2:].clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    return clip(torch.cat([centre - size * 0.5, centre + size * 0.5], dim=-1), image_size)


def clip(boxes: Tensor, image_size: tuple[int, int] | Tensor) -> Tensor:
    """Move corners (..., 4) that lie outside the image (H, W) to its border."""
    if isinstance(image_size, Tensor):  # an input of an exported graph, which may not become a number
        limits = image_size.flip(0).repeat(2).to(boxes.dtype)
    else:
        height, width = image_size
        limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def _size_and_centre(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return boxes[..., 2:] - boxes[..., :2], (boxes[..., :2] + boxes[..., 2:]) * 0.5


def class_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou: float, limit: int) -> Tensor:
    """Greedy NMS within each class -> indices by descending score, at most ``limit``, int64.

    Classes are kept apart by moving each to its own place, label * (largest coordinate + 1), in float32, and
    a box goes if its IoU with a better one of its class is greater than ``iou``: both as the original, whose
    rounding in that step decides near-ties.
    """
    if len(boxes) == 0:
        return labels.new_zeros(0)
    offset = labels.to(boxes.dtype) * (boxes.max() + 1)
    return nms(boxes + offset[:, None], scores, iou)[:limit]
