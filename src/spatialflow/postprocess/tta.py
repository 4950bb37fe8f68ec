"""Test-time augmentation: one photo seen at several sizes, mirrored or not, merged as the original does.

Boxes of all views enter one NMS; the masks of what it leaves are the mean over the views of each view's mask
probabilities; stuff is the best channel of the mean over the views of the logits at the photo's size.
Mask features and stuff logits of a view, which are needed once all views are seen, wait on disk, so that
memory does not grow with the number of views.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from spatialflow.errors import OutputError
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.postprocess.panoptic import Instances
from spatialflow.postprocess.pipeline import Found, own_mask_logits, scale_factors
from spatialflow.structures import Detections

_STRIP_PIXELS = 1 << 18
"""Of the photo, whose stuff logits are worked on at a time: some 60 MB with COCO's classes."""


class View(NamedTuple):
    """One way to look at a photo."""

    images: Tensor
    """(1, 3, H, W), normalised and padded, where the model is."""
    size: tuple[int, int]
    """(H, W) without padding."""
    flipped: bool
    """Mirrored left and right before padding."""


class _Seen(NamedTuple):
    """A view after the network."""

    size: tuple[int, int]
    flipped: bool
    mask_features: Path
    stuff_logits: Path
    """Files; of logits (S+1, h, w)."""


def find_in_views(model: SpatialFlow, views: Iterable[View], original_size: tuple[int, int]) -> Found:
    """Detections with masks, and the stuff map, of one photo from all of its views.

    Args:
        model: in evaluation mode.
        views: made as they are asked for.
        original_size: (H, W) of the photo; the result is in its pixels.

    Raises:
        OutputError: the folder for temporary files is full.
    """
    m = model.config.model
    boxes, scores, seen = [], [], list[_Seen]()
    with tempfile.TemporaryDirectory(prefix="spatialflow-") as folder:
        for images, size, flipped in views:
            outputs = model(images)
            (found,) = decode_candidates(outputs, [size], m.strides, m.anchors, m.detection.pre_nms_top_k)
            factor = scale_factors(size, original_size, images.device)
            boxes.append((mirror(found.boxes, size[1]) if flipped else found.boxes) / factor)
            scores.append(found.scores)
            files = [Path(folder) / f"{len(seen)}-{what}.pt" for what in ("masks", "stuff")]
            seen.append(_Seen(size, flipped, *files))
            # clones, since a slice would be written with all that it is a slice of
            _keep([feature.clone() for feature in outputs.mask_features], files[0])
            _keep(outputs.stuff_logits[0].clone(), files[1])
        detections = select(torch.cat(boxes), torch.cat(scores), m.detection)
        masks = _mean_masks(model, detections, seen, original_size)
        best, confidence = _best_stuff(seen, original_size, masks.device)
    things = Instances(*(t.cpu().numpy() for t in (*detections, masks)))
    return Found(things, best.cpu().numpy(), confidence.cpu().numpy())


def _keep(tensors: Tensor | list[Tensor], path: Path) -> None:
    try:
        torch.save(tensors, path)
    except (RuntimeError, OSError) as error:  # PyTorch's writer does not say what the operating system said
        raise OutputError(
            f"{path.parent}: a temporary file cannot be written, as on a full disk; free some space, or set "
            f"TMPDIR to a folder on another disk"
        ) from error


def mirror(boxes: Tensor, width: int) -> Tensor:
    """Boxes (N, 4) xyxy of an image of this width, as they lie in its mirror image."""
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=1)


def _mean_masks(
    model: SpatialFlow, detections: Detections, seen: Sequence[_Seen], original_size: tuple[int, int]
) -> Tensor:
    """Mean over the views of each detection's mask probabilities, (N, 28, 28) float32."""
    device = detections.boxes.device
    total: Tensor | None = None
    for view in seen:
        features = tuple(torch.load(view.mask_features, map_location=device, weights_only=True))
        boxes = detections.boxes * scale_factors(view.size, original_size, device)
        boxes = mirror(boxes, view.size[1]) if view.flipped else boxes
        masks = own_mask_logits(model, features, [boxes], detections.labels).float().sigmoid()
        masks = masks.flip(-1) if view.flipped else masks
        total = masks if total is None else total.add_(masks)
    assert total is not None, "a photo needs at least one view"
    return total.div_(len(seen))


def _best_stuff(
    seen: Sequence[_Seen], output_size: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Best channel of each pixel (H, W) uint8, and its mean probability where it is best (S+1,)."""
    height, width = output_size
    best = torch.empty(output_size, dtype=torch.uint8, device=device)
    step = max(1, _STRIP_PIXELS // width)
    sums: list[Tensor] = []
    for start in range(0, height, step):
        rows = range(start, min(start + step, height))
        total = torch.zeros((), device=device)
        for view in seen:
            logits = torch.load(view.stuff_logits, map_location=device, weights_only=True)
            total = total + stuff_rows(logits, view.size, output_size, view.flipped, rows)
        top, which = (total / len(seen)).flatten(1).softmax(dim=0).max(dim=0)
        best[rows.start : rows.stop] = which.view(-1, width).to(torch.uint8)
        both = top.new_zeros(2, len(total))
        both[0].index_add_(0, which, top)
        both[1].index_add_(0, which, torch.ones_like(top))
        sums.append(both)
    probability, count = torch.stack(sums).sum(dim=0)
    return best, probability / count.clamp(min=1)


def stuff_rows(
    logits: Tensor, image_size: tuple[int, int], output_size: tuple[int, int], flipped: bool, rows: range
) -> Tensor:
    """A view's stuff logits, brought to the photo's size.

    The original interpolates twice, to the padded input and, without the padding, to the photo, both
    bilinear with aligned corners. Along an axis that is a weighted sum of four logits, taken at once.

    Args:
        logits: (S+1, h, w) of the view, at a quarter of its padded size.
        image_size: (H, W) of the view without padding.
        output_size: (H, W) of the photo.
        flipped: whether the view is mirrored.
        rows: of the photo, which are wanted.

    Returns:
        (S+1, len(rows), W) float32.
    """
    _, height, width = logits.shape
    below, vertical = (t[rows.start : rows.stop] for t in _taps(height, image_size[0], output_size[0]))
    beside, horizontal = _taps(width, image_size[1], output_size[1])
    if flipped:
        beside, horizontal = beside.flip(0), horizontal.flip(0)
    tall = _weighted(logits.float(), 1, below, vertical[:, :, None])
    return _weighted(tall, 2, beside, horizontal)


def _weighted(x: Tensor, dim: int, index: Tensor, weight: Tensor) -> Tensor:
    """Sum over the taps of entries of ``x`` along ``dim``, as :func:`_taps` gives them."""
    index, weight = index.to(x.device), weight.to(x.device)
    total = x.index_select(dim, index[:, 0]) * weight[:, 0]
    for tap in range(1, index.shape[1]):
        total.addcmul_(x.index_select(dim, index[:, tap]), weight[:, tap])
    return total


def _taps(low: int, image_side: int, output_side: int) -> tuple[Tensor, Tensor]:
    """Along an axis, from logits to padded input, cut to the image, to the photo.

    Returns:
        (output_side, 4) indices among the ``low`` logits, and their weights, which add up to 1.
    """
    fine, weight = _bilinear(image_side, output_side)
    coarse, coarse_weight = _bilinear(low, 4 * low)
    return coarse[fine].flatten(1), (weight[:, :, None] * coarse_weight[fine]).flatten(1)


def _bilinear(source: int, target: int) -> tuple[Tensor, Tensor]:
    """Linear interpolation with aligned corners: (target, 2) indices of the source, and their weights."""
    step = (source - 1) / (target - 1) if target > 1 else 0.0
    position = torch.arange(target, dtype=torch.float32) * step
    before = position.floor().clamp_(max=source - 1)
    part = position - before
    index = before.long()
    return torch.stack([index, (index + 1).clamp_(max=source - 1)], dim=1), torch.stack(
        [1 - part, part], dim=1
    )
