"""Target assignment and the four losses.

A training step makes two visible calls of the model, because masks need boxes::

    outputs = model(batch.images)
    proposals = criterion.propose(outputs, batch)
    mask_logits = model.segment(outputs.mask_features, proposals.boxes)
    losses = criterion(outputs, mask_logits, proposals, batch)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import roi_align

from spatialflow.categories import Categories
from spatialflow.config import LossConfig, ModelConfig
from spatialflow.ops.anchors import anchors_in_image, grid_anchors
from spatialflow.ops.assignment import IGNORED as IGNORED_ANCHOR
from spatialflow.ops.assignment import assign
from spatialflow.ops.boxes import encode, pairwise_iou
from spatialflow.ops.losses import focal_loss, l1_loss, mask_loss, stuff_loss
from spatialflow.ops.masks import IGNORED, binary_masks, semantic_map
from spatialflow.postprocess.detection import decode_candidates, level_sizes, per_anchor, select
from spatialflow.structures import Batch, DenseOutputs, Target

MASK_SIZE = 28


class Proposals(NamedTuple):
    """Boxes whose masks are trained: every ground-truth box, then the detections that match one."""

    boxes: list[Tensor]
    """B x (N_b, 4) float32 xyxy, network-input pixels."""
    matched: list[Tensor]
    """B x (N_b,) int64: row of the image's instances (see :func:`instances`)."""


class Losses(NamedTuple):
    """Weighted losses; their sum is what is minimised."""

    cls: Tensor
    """(L,), one a level."""
    box: Tensor
    """(L,), one a level."""
    mask: Tensor
    stuff: Tensor

    @property
    def total(self) -> Tensor:
        """Scalar sum."""
        return self.cls.sum() + self.box.sum() + self.mask + self.stuff


class Instances(NamedTuple):
    """Rows of a target that the detector learns: things that are no crowd."""

    ids: Tensor
    labels: Tensor
    boxes: Tensor


def instances(target: Target, num_things: int) -> Instances:
    """The things of a target, without crowds."""
    rows = (target.labels < num_things) & ~target.is_crowd
    return Instances(target.ids[rows], target.labels[rows], target.boxes[rows])


class Criterion:
    """Losses of SpatialFlow for a batch, as the original's ``forward_train`` computes them.

    Two faults of the original's stuff loss are mended: padding is ignored and each image has its own valid
    region, and the loss is the mean over images instead of growing with the batch. The weight that the
    original's 0.25 comes to at its 2 images a GPU is 0.5, and that is ``LossConfig.stuff_weight``'s default.
    """

    def __init__(self, loss: LossConfig, model: ModelConfig, categories: Categories) -> None:
        self.loss = loss
        self.model = model
        self.categories = categories

    @torch.no_grad()
    def propose(self, outputs: DenseOutputs, batch: Batch) -> Proposals:
        """Ground-truth boxes, and the detections that overlap one by ``positive_iou``, of whatever class."""
        detection = self.model.detection
        candidates = decode_candidates(
            outputs, batch.image_sizes, self.model.strides, self.model.anchors, detection.pre_nms_top_k
        )
        boxes, matched = [], []
        for found, target in zip(candidates, batch.targets, strict=True):
            truth = instances(target, self.categories.num_things)
            detected = select(found.boxes, found.scores, detection).boxes
            threshold = self.loss.positive_iou
            owner = assign(pairwise_iou(truth.boxes, detected), threshold, threshold, min_best=threshold)
            positive = (owner >= 0).nonzero().squeeze(1)[: self.loss.mask_detections]
            boxes.append(torch.cat([truth.boxes, detected[positive]]))
            every = torch.arange(len(truth.boxes), device=owner.device)
            matched.append(torch.cat([every, owner[positive]]))
        return Proposals(boxes, matched)

    def __call__(
        self, outputs: DenseOutputs, mask_logits: Tensor, proposals: Proposals, batch: Batch
    ) -> Losses:
        """Losses of a batch.

        Args:
            outputs: ``model(batch.images)``.
            mask_logits: ``model.segment(outputs.mask_features, proposals.boxes)``.
            proposals: from :meth:`propose`.
            batch: the same.
        """
        truths = [instances(target, self.categories.num_things) for target in batch.targets]
        cls, box = self.dense_losses(outputs, truths, batch)
        labels = torch.cat([truth.labels[m] for truth, m in zip(truths, proposals.matched, strict=True)])
        targets = [
            mask_targets(target.id_map, truth.ids[matched], boxes)
            for target, truth, boxes, matched in zip(batch.targets, truths, *proposals, strict=True)
        ]
        stuff = stuff_loss(outputs.stuff_logits, self.stuff_targets(batch), batch.image_sizes)
        return Losses(
            cls=self.loss.cls_weight * cls,
            box=self.loss.box_weight * box,
            mask=self.loss.mask_weight * mask_loss(mask_logits, labels, torch.cat(targets)),
            stuff=self.loss.stuff_weight * stuff,
        )

    def assign_anchors(
        self, outputs: DenseOutputs, truths: list[Instances], batch: Batch
    ) -> tuple[Tensor, list[Tensor]]:
        """Match every anchor of every image.

        Returns:
            Anchors of all levels (N, 4), and each image's matches (N,) int64, as of
            :func:`spatialflow.ops.assignment.assign`.
        """
        device = outputs.stuff_logits.device
        sizes = level_sizes(outputs)
        anchors = torch.cat(grid_anchors(sizes, self.model.strides, self.model.anchors, device))
        matches = []
        for truth, size in zip(truths, batch.image_sizes, strict=True):
            valid = torch.cat(
                anchors_in_image(sizes, self.model.strides, size, self.model.anchors.per_cell, device)
            )
            iou = pairwise_iou(truth.boxes, anchors)
            matches.append(assign(iou, self.loss.positive_iou, self.loss.negative_iou, valid=valid))
        return anchors, matches

    def dense_losses(
        self, outputs: DenseOutputs, truths: list[Instances], batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Focal and L1 loss of each level, both (L,), over the positive anchors (at least 1 an image)."""
        anchors, matches = self.assign_anchors(outputs, truths, batch)
        num_classes = self.categories.num_things
        per_level = [h * w * self.model.anchors.per_cell for h, w in level_sizes(outputs)]
        normaliser = sum((m >= 0).sum().clamp(min=1) for m in matches)
        labels = torch.stack(
            [_class_labels(m, t.labels, num_classes) for m, t in zip(matches, truths, strict=True)]
        )
        cls, box = [], []
        start = 0
        for level, length in enumerate(per_level):
            own = slice(start, start + length)
            start += length
            logits = per_anchor(outputs.cls_logits[level], self.model.anchors.per_cell)
            deltas = per_anchor(outputs.box_deltas[level], self.model.anchors.per_cell)
            cls.append(
                focal_loss(
                    logits.flatten(0, 1),
                    labels[:, own].flatten(),
                    self.loss.focal_gamma,
                    self.loss.focal_alpha,
                )
            )
            predicted, wanted = [], []
            for i, (match, truth) in enumerate(zip(matches, truths, strict=True)):
                rows = (match[own] >= 0).nonzero().squeeze(1)
                predicted.append(deltas[i, rows])
                wanted.append(encode(truth.boxes[match[own][rows]], anchors[own][rows]))
            box.append(l1_loss(torch.cat(predicted), torch.cat(wanted)))
        return torch.stack(cls) / normaliser, torch.stack(box) / normaliser

    def stuff_targets(self, batch: Batch) -> Tensor:
        """Channel of each pixel, (B, H, W) int64 at the size of ``batch.images``; 255 in void and padding."""
        height, width = batch.images.shape[-2:]
        full = torch.full((len(batch), height, width), IGNORED, dtype=torch.int64, device=batch.images.device)
        for row, target in zip(full, batch.targets, strict=True):
            h, w = target.id_map.shape
            row[:h, :w] = semantic_map(target, self.categories)
        return full


def _class_labels(match: Tensor, labels: Tensor, background: int) -> Tensor:
    """Class of each anchor (N,): its instance's label, ``background``, or -1 if ignored."""
    result = torch.full_like(match, background)
    result[match == IGNORED_ANCHOR] = -1
    positive = match >= 0
    result[positive] = labels[match[positive]]
    return result


def mask_targets(id_map: Tensor, ids: Tensor, boxes: Tensor) -> Tensor:
    """Cut each box out of its instance's mask, at the mask head's resolution.

    Args:
        id_map: (H, W) segment ids of the network input.
        ids: (N,) the instance of each box.
        boxes: (N, 4) xyxy; clipped to the map.

    Returns:
        (N, 28, 28) float32 of 0 and 1: RoIAlign (aligned, adaptive) of the bitmap, at least one half.
    """
    height, width = id_map.shape
    owners, row = ids.unique(return_inverse=True)
    bitmaps = binary_masks(id_map, owners).float()[:, None]
    limits = boxes.new_tensor([width, height, width, height])
    rois = torch.cat([row[:, None].float(), torch.minimum(boxes.clamp(min=0), limits)], dim=1)
    cut = roi_align(bitmaps, rois, MASK_SIZE, 1.0, 0, aligned=True)
    return (cut[:, 0] >= 0.5).float()
