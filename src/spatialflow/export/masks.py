"""Masks of a fixed number of boxes."""

import torch
from torch import Tensor
from torchvision.ops import roi_align

from spatialflow.models.heads import ROI_SIZE, roi_levels
from spatialflow.models.spatialflow import SpatialFlow


def box_masks(model: SpatialFlow, features: tuple[Tensor, ...], boxes: Tensor, labels: Tensor) -> Tensor:
    """Mask probabilities of boxes (N, 4) of the network's input in their own class's channel, (N, 28, 28).

    Every level pools all boxes, with those of another level shrunk to nothing: such a box costs no time and
    pools zeros, so the sum over the levels is what each box reads on its own level.
    """
    levels = roi_levels(boxes, len(features))
    pooled = torch.zeros(())
    for level, feature in enumerate(features):
        own = torch.where((levels == level)[:, None], boxes, 0.0)
        rois = torch.cat([own.new_zeros(len(own), 1), own], dim=1)
        pooled = pooled + roi_align(feature, rois, ROI_SIZE, 1 / (8 * 2**level), 0, aligned=True)
    logits = model.mask_head.draw(pooled)
    channels = labels if logits.shape[1] > 1 else torch.zeros_like(labels)
    return logits[torch.arange(len(labels)), channels].sigmoid()
