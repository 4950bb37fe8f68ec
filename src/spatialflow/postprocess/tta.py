"""Test-time augmentation: one photo seen at several sizes, mirrored or not, merged as the original does.

Boxes of all views enter one NMS; the masks of what it leaves are the mean over the views of each view's mask
probabilities; stuff is the best channel of the mean over the views of the logits at the photo's size.
Views are added up one after the other. Their mask features, which are needed again once the boxes are
known, wait on disk, so that memory does not grow with the number of views.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.postprocess.panoptic import Instances
from spatialflow.postprocess.pipeline import Found, own_mask_logits, scale_factors
from spatialflow.structures import Detections

_ROWS = 64
"""Of the photo's stuff logits that are worked on at a time."""


class View(NamedTuple):
    """One way to look at a photo."""

    images: Tensor
    """(1, 3, H, W), normalised and padded, where the model is."""
    size: tuple[int, int]
    """(H, W) without padding."""
    flipped: bool
    """Mirrored left and right before padding."""


def find_in_views(model: SpatialFlow, views: Iterable[View], original_size: tuple[int, int]) -> Found:
    """Detections with masks, and the stuff map, of one photo from all of its views.

    Args:
        model: in evaluation mode.
        views: made as they are asked for.
        original_size: (H, W) of the photo; the result is in its pixels.
    """
    m = model.config.model
    boxes, scores, seen = [], [], []
    stuff: Tensor | None = None
    with tempfile.TemporaryDirectory(prefix="spatialflow-") as folder:
        for number, (images, size, flipped) in enumerate(views):
            outputs = model(images)
            (found,) = decode_candidates(outputs, [size], m.strides, m.anchors, m.detection.pre_nms_top_k)
            factor = scale_factors(size, original_size, images.device)
            boxes.append((mirror(found.boxes, size[1]) if flipped else found.boxes) / factor)
            scores.append(found.scores)
            stuff = add_stuff(stuff, outputs.stuff_logits[0], size, original_size, flipped)
            torch.save([f.clone() for f in outputs.mask_features], Path(folder) / f"{number}.pt")
            seen.append((size, flipped))
        assert stuff is not None, "a photo needs at least one view"
        detections = select(torch.cat(boxes), torch.cat(scores), m.detection)
        masks = _mean_masks(model, detections, Path(folder), seen, original_size)
    best, confidence = _best_channels(stuff.div_(len(seen)))
    things = Instances(*(t.cpu().numpy() for t in (*detections, masks)))
    return Found(things, best.cpu().numpy(), confidence.cpu().numpy())


def mirror(boxes: Tensor, width: int) -> Tensor:
    """Boxes (N, 4) xyxy of an image of this width, as they lie in its mirror image."""
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=1)


def _mean_masks(
    model: SpatialFlow,
    detections: Detections,
    folder: Path,
    seen: Sequence[tuple[tuple[int, int], bool]],
    original_size: tuple[int, int],
) -> Tensor:
    """Mean over the views of each detection's mask probabilities, (N, 28, 28) float32."""
    device = detections.boxes.device
    total: Tensor | None = None
    for number, (size, flipped) in enumerate(seen):
        features = torch.load(folder / f"{number}.pt", map_location=device, weights_only=True)
        boxes = detections.boxes * scale_factors(size, original_size, device)
        logits = own_mask_logits(
            model, tuple(features), [mirror(boxes, size[1]) if flipped else boxes], detections.labels
        )
        masks = logits.float().sigmoid()
        masks = masks.flip(-1) if flipped else masks
        total = masks if total is None else total.add_(masks)
    assert total is not None
    return total.div_(len(seen))


def add_stuff(
    total: Tensor | None,
    logits: Tensor,
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    flipped: bool,
) -> Tensor:
    """Add a view's stuff logits, brought to the photo's size, to those of the views before.

    The original interpolates twice, to the padded input and, without the padding, to the photo, both
    bilinear with aligned corners. Both are linear along each axis, so one matrix an axis does it at once.

    Args:
        total: (S+1, H, W) of the views before; it is changed. None for the first view.
        logits: (S+1, h, w) of the view, at a quarter of its padded size.
        image_size: (H, W) of the view without padding.
        output_size: (H, W) of the photo.
        flipped: whether the view is mirrored.

    Returns:
        (S+1, H, W) float32.
    """
    channels, height, width = logits.shape
    vertical = _resampling(height, image_size[0], output_size[0]).to(logits.device)
    horizontal = _resampling(width, image_size[1], output_size[1]).to(logits.device)
    if flipped:
        horizontal = horizontal.flip(0)
    if total is None:
        total = torch.zeros((channels, *output_size), device=logits.device)
    for plane, channel in zip(total, logits, strict=True):
        plane.addmm_(vertical, channel.float() @ horizontal.T)
    return total


def _resampling(low: int, image_side: int, output_side: int) -> Tensor:
    """(output_side, low) weights along an axis: logits to padded input, cut to the image, to the photo."""
    return _bilinear(image_side, output_side) @ _bilinear(low, 4 * low)[:image_side]


def _bilinear(source: int, target: int) -> Tensor:
    """(target, source) weights of linear interpolation with aligned corners."""
    step = (source - 1) / (target - 1) if target > 1 else 0.0
    position = torch.arange(target, dtype=torch.float32) * step
    return (1 - (position[:, None] - torch.arange(source)).abs()).clamp_(min=0)


def _best_channels(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Best channel of each pixel (H, W) uint8, and its mean probability where it is best (S+1,)."""
    channels, height, width = logits.shape
    best = torch.empty((height, width), dtype=torch.uint8, device=logits.device)
    count, confidence = logits.new_zeros(channels), logits.new_zeros(channels)
    for start in range(0, height, _ROWS):
        rows = logits[:, start : start + _ROWS].flatten(1)
        top, which = rows.softmax(dim=0).max(dim=0)
        best[start : start + _ROWS] = which.view(-1, width).to(torch.uint8)
        count.index_add_(0, which, torch.ones_like(top))
        confidence.index_add_(0, which, top)
    return best, confidence / count.clamp(min=1)
