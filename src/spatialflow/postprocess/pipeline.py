"""From dense outputs to panoptic predictions: what prediction, evaluation and validation share."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialflow.config import MergeConfig
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.postprocess.panoptic import Found, Instances, merge
from spatialflow.postprocess.stuff import stuff_map
from spatialflow.stopwatch import stage
from spatialflow.structures import DenseOutputs, Detections, PanopticPrediction


def find(
    model: SpatialFlow,
    outputs: DenseOutputs,
    image_sizes: Sequence[tuple[int, int]],
    original_sizes: Sequence[tuple[int, int]],
) -> list[Found]:
    """Detections with masks, and the stuff map, of every image.

    Args:
        model: whose ``segment`` draws the masks.
        outputs: of a batch of B.
        image_sizes: B x (H, W) of the network inputs without padding.
        original_sizes: B x (H, W) of the photos; boxes and maps are in their pixels.
    """
    m = model.config.model
    with stage("detection"):
        candidates = decode_candidates(outputs, image_sizes, m.strides, m.anchors, m.detection.pre_nms_top_k)
        factors = [
            scale_factors(i, o, outputs.stuff_logits.device)
            for i, o in zip(image_sizes, original_sizes, strict=True)
        ]
        detections = [
            # into the photo's pixels before NMS, as the original, because rounding decides near-ties
            select(found.boxes / factor, found.scores, m.detection)
            for found, factor in zip(candidates, factors, strict=True)
        ]
    with stage("mask head"):
        masks = segment_detections(model, outputs, detections, factors)
        things = [
            Instances(*(t.cpu().numpy() for t in (*d, mask)))
            for d, mask in zip(detections, masks, strict=True)
        ]
    with stage("stuff map"):
        return [
            Found(
                instances,
                stuff_map(outputs.stuff_logits[i], image_sizes[i], original_sizes[i]).cpu().numpy(),
                stuff_scores(outputs.stuff_logits[i]).cpu().numpy(),
            )
            for i, instances in enumerate(things)
        ]


def segment_detections(
    model: SpatialFlow, outputs: DenseOutputs, detections: Sequence[Detections], factors: Sequence[Tensor]
) -> list[Tensor]:
    """Mask probabilities of each image's detections in their own class's channel, (N_b, 28, 28) float32."""
    boxes = [d.boxes * f for d, f in zip(detections, factors, strict=True)]
    own = own_mask_logits(model, outputs.mask_features, boxes, torch.cat([d.labels for d in detections]))
    return list(own.float().sigmoid().split([len(d.labels) for d in detections]))


def own_mask_logits(
    model: SpatialFlow, mask_features: tuple[Tensor, ...], boxes: list[Tensor], labels: Tensor
) -> Tensor:
    """Mask logits of each box in its own class's channel: B x (N_b, 4) boxes, (N,) labels -> (N, 28, 28)."""
    logits = model.segment(mask_features, boxes)
    channels = labels if logits.shape[1] > 1 else torch.zeros_like(labels)
    return logits[torch.arange(len(labels), device=labels.device), channels]


def scale_factors(
    image_size: tuple[int, int], original_size: tuple[int, int], device: torch.device | str = "cpu"
) -> Tensor:
    """(4,) float32: network-input pixels a photo pixel along x, y, x, y."""
    x, y = image_size[1] / original_size[1], image_size[0] / original_size[0]
    return torch.tensor([x, y, x, y], dtype=torch.float32, device=device)


def stuff_scores(logits: Tensor) -> Tensor:
    """(S+1, H, W) logits -> (S+1,) mean probability of each channel where it is the best; 0 if nowhere."""
    top, best = logits.flatten(1).float().softmax(dim=0).max(dim=0)
    count = torch.zeros(len(logits), device=logits.device).index_add_(0, best, torch.ones_like(top))
    total = torch.zeros(len(logits), device=logits.device).index_add_(0, best, top)
    return total / count.clamp(min=1)


def merge_found(model: SpatialFlow, found: Found, settings: MergeConfig | None = None) -> PanopticPrediction:
    """The panoptic map of one photo, by the model's merge settings unless others are given."""
    settings = settings or model.config.model.merge
    with stage("merge"):
        return merge(found.things, found.stuff, found.stuff_scores, model.categories, settings)
