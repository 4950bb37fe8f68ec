"""From dense outputs to detections: decode, best anchors of each level, class-aware NMS."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from spatialflow.config import AnchorConfig, DetectionConfig
from spatialflow.ops.anchors import grid_anchors
from spatialflow.ops.boxes import class_nms, decode
from spatialflow.structures import DenseOutputs, Detections


class Candidates(NamedTuple):
    """Boxes of one image before NMS."""

    boxes: Tensor
    """(N, 4) float32 xyxy, clipped to the image, in network-input pixels."""
    scores: Tensor
    """(N, T) float32."""


def level_sizes(outputs: DenseOutputs) -> list[tuple[int, int]]:
    """(H_l, W_l) of every level."""
    return [(x.shape[-2], x.shape[-1]) for x in outputs.cls_logits]


def per_anchor(dense: Tensor, anchors: int) -> Tensor:
    """(B, A * X, H, W) -> (B, H * W * A, X) for A ``anchors`` a cell, in the order of the anchors."""
    batch, channels, height, width = dense.shape
    return dense.permute(0, 2, 3, 1).reshape(batch, height * width * anchors, channels // anchors)


def decode_candidates(
    outputs: DenseOutputs,
    image_sizes: Sequence[tuple[int, int]],
    strides: Sequence[int],
    anchors: AnchorConfig,
    top_k: int,
) -> list[Candidates]:
    """Boxes and scores of the ``top_k`` anchors of each level with the best class scores.

    Args:
        outputs: of a batch.
        image_sizes: B x (H, W) of the images without padding; boxes are clipped to it.
        strides: of the levels.
        anchors: the model's.
        top_k: a level with fewer anchors keeps all, in their own order.

    Returns:
        One entry per image.
    """
    batch = len(image_sizes)
    boxes: list[list[Tensor]] = [[] for _ in range(batch)]
    scores: list[list[Tensor]] = [[] for _ in range(batch)]
    grids = grid_anchors(level_sizes(outputs), strides, anchors, outputs.cls_logits[0].device)
    for grid, cls, deltas in zip(grids, outputs.cls_logits, outputs.box_deltas, strict=True):
        logits, deltas = per_anchor(cls, anchors.per_cell), per_anchor(deltas, anchors.per_cell)
        for i, size in enumerate(image_sizes):
            chosen: Tensor | slice = slice(None)
            if logits.shape[1] > top_k and logits.shape[2]:
                # the best anchors by logit: the sigmoid would make ties of large ones, and costs time
                chosen = logits[i].amax(dim=1).topk(top_k).indices
            scores[i].append(logits[i, chosen].float().sigmoid())
            boxes[i].append(decode(deltas[i, chosen].float(), grid[chosen], size))
    return [Candidates(torch.cat(b), torch.cat(s)) for b, s in zip(boxes, scores, strict=True)]


def select(boxes: Tensor, scores: Tensor, config: DetectionConfig) -> Detections:
    """NMS over one image's candidates.

    Args:
        boxes: (N, 4) xyxy; the result is in the same pixels.
        scores: (N, T); each (box, class) above the score threshold is a candidate of its own.
        config: thresholds and limit.

    Returns:
        At most ``max_detections``, by descending score.
    """
    rows, labels = (scores > config.score_threshold).nonzero(as_tuple=True)
    candidates, values = boxes[rows], scores[rows, labels]
    keep = class_nms(candidates, values, labels, config.nms_iou, config.max_detections)
    return Detections(candidates[keep], values[keep], labels[keep])
