"""Folded BatchNorm leaves the outputs as they are."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from make_model import photo, tiny_model
from spatialflow.models.fusion import fuse_batch_norm


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"backbone": "resnet50", "backbone_options": {"channels": [8, 8, 16, 16]}},
        {"backbone": "mobilenetv3_small_100", "backbone_options": {}},
        {"backbone": "efficientnet_b0", "backbone_options": {}},
        {"backbone": "convnext_atto", "backbone_options": {}},
    ],
    ids=str,
)
def test_fused_equals_unfused(model: dict[str, Any]) -> None:
    net = tiny_model(**model)
    fused = fuse_batch_norm(copy.deepcopy(net))
    # none is left but those with a built-in activation
    assert all(type(m) is not nn.BatchNorm2d for m in fused.modules())
    with torch.inference_mode():
        for image in (photo(64, 96), photo(96, 64, batch=2, seed=3)):
            for a, b in zip(net.backbone(image), fused.backbone(image), strict=True):
                assert torch.allclose(a, b, rtol=1e-3, atol=1e-4 * a.abs().max().item())
            assert torch.allclose(net(image).stuff_logits, fused(image).stuff_logits, rtol=1e-3, atol=1e-3)


def test_no_hook_stays_behind() -> None:
    fused = fuse_batch_norm(tiny_model())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in fused.modules())
    assert not any(p.grad_fn for p in fused.parameters())
