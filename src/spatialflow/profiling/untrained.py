"""A model of a recipe without weights that makes as much work after the network as a trained one, or more."""

import torch
from torch import Tensor

from spatialflow.config import Config, override_config
from spatialflow.inference.predictor import Predictor
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.photo import Photo
from spatialflow.postprocess.detection import decode_candidates
from spatialflow.structures import DenseOutputs

CANDIDATES = 2000
"""Boxes above the score threshold, before NMS."""
_FULL_MERGE = ["model.merge.score_threshold=0", "model.merge.overlap_threshold=0.9"]
_NOTHING = ["model.detection.score_threshold=1"]


def untrained_model(config: Config) -> SpatialFlow:
    """Random weights, the same at each call.

    The predictors' are large, so that anchors of all sizes become boxes of all sizes, with scores and labels
    all over the picture; the merge takes every detection. :func:`let_candidates_pass` belongs to it.
    """
    torch.manual_seed(0)
    model = build_model(override_config(config, [*_FULL_MERGE, *_NOTHING], config.name)).eval()
    torch.nn.init.normal_(_weight(model.cls_predictor), std=0.3)
    torch.nn.init.normal_(model.stuff_head.logits.weight, std=0.3)
    return model


def let_candidates_pass(predictor: Predictor, photo: Photo) -> None:
    """Set the score threshold so that of this photo :data:`CANDIDATES` boxes enter NMS."""
    network = predictor.network
    seen: list[DenseOutputs] = []
    hook = network.register_forward_hook(lambda _, inputs, outputs: seen.append(outputs))
    try:
        predictor.find([photo])
    finally:
        hook.remove()
    m = network.config.model
    (found,) = decode_candidates(seen[0], [(1, 1)], m.strides, m.anchors, m.detection.pre_nms_top_k)
    scores = found.scores.flatten()
    threshold = float(scores.topk(CANDIDATES + 1).values[-1]) if len(scores) > CANDIDATES else 0.0
    change = [f"model.detection.score_threshold={threshold!r}"]
    network.config = override_config(network.config, change, network.config.name)


def _weight(module: torch.nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight
