"""Masks of a fixed number of boxes."""

import torch
from torch import Tensor
from torchvision.ops import roi_align

from spatialflow.models.heads import ROI_SIZE, roi_levels
from spatialflow.models.spatialflow import SpatialFlow


def box_masks(model: SpatialFlow, features: tuple[Tensor, ...], boxes: Tensor, labels: Tensor) -> Tensor:
    """Mask probabilities of boxes (N, 4) of the network's input in their own class's channel, (N, 28, 28).

    Every level pools all boxes, with those of another level shrunk to nothing, which costs no time. What
    comes of a box without extent is not taken: the mean of no samples is 0 in PyTorch, but NaN in OpenVINO.
    """
    levels = roi_levels(boxes, len(features))
    has_extent = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    pooled = torch.zeros(())
    for level, feature in enumerate(features):
        own = (levels == level) & has_extent
        own_boxes = torch.where(own[:, None], boxes, 0.0)
        rois = torch.cat([boxes.new_zeros(len(boxes), 1), own_boxes], dim=1)
        part = roi_align(feature, rois, ROI_SIZE, 1 / (8 * 2**level), 0, aligned=True)
        pooled = torch.where(own[:, None, None, None], part, pooled)
    logits = model.mask_head.draw(pooled)
    channels = labels if logits.shape[1] > 1 else torch.zeros_like(labels)
    return logits[torch.arange(len(labels)), channels].sigmoid()
