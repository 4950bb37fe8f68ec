"""Models to export whose every way through the merge is taken, and photos for them."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from make_model import TOY, tiny_model
from spatialflow.categories import Categories
from spatialflow.models.spatialflow import SpatialFlow

MERGE = {"score_threshold": 0.1, "overlap_threshold": 0.5, "stuff_area": 200, "bbox_threshold": 0.2}


def busy_model(classes: Categories = TOY, seed: int = 0, **model: Any) -> SpatialFlow:
    """Random weights that find things of all scores, and stuff of every class, on any photo."""
    net = tiny_model(classes, seed, **({"merge": MERGE} | model))
    torch.nn.init.normal_(net.stuff_head.logits.weight, std=0.5)
    torch.nn.init.normal_(net.mask_head.logits.weight, std=0.5)
    # scores that saturate are equal, and then rounding decides which of two boxes comes first
    sample = torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        outputs = net(sample)
        for predictor, dense, spread in (
            (net.cls_predictor, outputs.cls_logits, 1.5),
            (net.box_predictor, outputs.box_deltas, 0.4),
        ):
            values = torch.cat([level.flatten() for level in dense])
            if len(values):
                predictor.weight.mul_(spread / values.std())
        net.cls_predictor.bias.fill_(-1.0)
    data = net.config.data.model_copy(update={"test_scale": (160, 128)})
    net.config = net.config.model_copy(update={"data": data})
    return net


def smooth_photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) clouds of colours, so that neighbouring pixels agree as in real photos."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
