"""Detections as a list of fixed length, without a branch on how many there are."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms

from spatialflow.config import ModelConfig
from spatialflow.ops.anchors import grid_anchors
from spatialflow.ops.boxes import decode
from spatialflow.postprocess.detection import level_sizes, per_anchor
from spatialflow.structures import DenseOutputs

_LOWEST = -1e30
"""Logit of an anchor that does not exist; its sigmoid is 0."""


class FixedDetections(NamedTuple):
    """At most N things by descending score, padded to N with zeros."""

    boxes: Tensor
    """(N, 4) float32 xyxy, pixels of the photo."""
    scores: Tensor
    """(N,) float32."""
    labels: Tensor
    """(N,) int64."""
    num_detections: Tensor
    """() int64."""


def detect(outputs: DenseOutputs, image_size: Tensor, scale: Tensor, config: ModelConfig) -> FixedDetections:
    """What ``decode_candidates`` and ``select`` of :mod:`spatialflow.postprocess.detection` find.

    Args:
        outputs: of a batch of one.
        image_size: (2,) int64 height and width without padding.
        scale: (4,) float32, network-input pixels a photo pixel along x, y, x, y.
        config: the model's.
    """
    limit = config.detection.max_detections
    if outputs.cls_logits[0].shape[1] == 0:  # only stuff
        none = torch.zeros(limit)
        return FixedDetections(
            none[:, None].repeat(1, 4), none, none.long(), torch.zeros((), dtype=torch.int64)
        )
    boxes, scores = _candidates(outputs, image_size, config)
    rows, labels = (scores > config.detection.score_threshold).nonzero(as_tuple=True)
    # Two more at the end, beside the image and of no score: they disturb nothing, and NMS keeps two at
    # least, as torchvision tells torch.export that it always does.
    found = torch.cat([(boxes / scale)[rows], torch.tensor([[-2.0, -2, -1, -1], [-4, -4, -3, -3]])])
    values = torch.cat([scores[rows, labels], scores.new_zeros(2)])
    labels = torch.cat([labels, labels.new_zeros(2)])
    offset = labels.to(found.dtype) * (found.max() + 1)  # see class_nms
    keep = nms(found + offset[:, None], values, config.detection.nms_iou)
    chosen = torch.cat([keep, keep.new_full((limit,), -1)])[:limit]  # -1 is the last one
    result = values[chosen]
    is_real = result > 0
    return FixedDetections(found[chosen] * is_real[:, None], result, labels[chosen], is_real.sum())


def _candidates(outputs: DenseOutputs, image_size: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """The best anchors of each level, ``top_k`` of each: (L * K, 4) network-input pixels and (L * K, T)."""
    boxes, scores = [], []
    grids = grid_anchors(level_sizes(outputs), config.strides, config.anchors)
    top_k, per_cell = config.detection.pre_nms_top_k, config.anchors.per_cell
    for grid, cls, deltas in zip(grids, outputs.cls_logits, outputs.box_deltas, strict=True):
        # A level of fewer anchors is filled up, so that every size of image has as many.
        logits = _filled(per_anchor(cls, per_cell)[0], top_k, _LOWEST)
        chosen = logits.amax(dim=1).topk(top_k).indices
        is_short = torch.full((), grid.shape[0]) <= top_k
        chosen = torch.where(is_short, chosen.sort().values, chosen)  # such a level keeps its own order
        scores.append(logits[chosen].sigmoid())
        own_deltas = _filled(per_anchor(deltas, per_cell)[0], top_k, 0.0)[chosen]
        boxes.append(decode(own_deltas, _filled(grid, top_k, 0.0)[chosen], image_size))
    return torch.cat(boxes), torch.cat(scores)


def _filled(rows: Tensor, number: int, value: float) -> Tensor:
    return torch.cat([rows, rows.new_full((number, rows.shape[1]), value)])
