"""Every tensor of the network equals the original's to within a few of its own rounding errors."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from golden import OF_MODELS, Models
from spatialflow import SpatialFlow
from spatialflow.models.heads import pool_boxes

FACTOR = 10
"""Times the float32-versus-float64 error of the original itself."""


def network_input(tag: str) -> Tensor:
    seed, height, width = {"even": (123, 256, 320), "odd": (124, 225, 307)}[tag]
    image = np.random.default_rng(seed).standard_normal((1, 3, height, width)).astype(np.float32)
    return F.pad(torch.from_numpy(image), (0, 320 - width, 0, 256 - height))


@torch.inference_mode()
def all_tensors(model: SpatialFlow, image: Tensor, rois: Tensor) -> dict[str, Tensor]:
    """What the original computes, under its names."""
    kept: dict[nn.Module, list[Any]] = {model.backbone: [], model.pyramid: [], model.subnets: []}
    for module, results in kept.items():
        module.register_forward_hook(lambda _, inputs, result, results=results: results.append(result))
    outputs = model(image)
    (features,), (pyramid,), subnets = kept.values()
    tensors = {f"C{i}": c for i, c in enumerate(features, 3)} | {f"P{i}": p for i, p in enumerate(pyramid, 3)}
    tensors |= {f"cls_score{i}": t for i, t in enumerate(outputs.cls_logits)}
    tensors |= {f"bbox_pred{i}": t for i, t in enumerate(outputs.box_deltas)}
    tensors |= {f"stuff_feat{i}": s.stuff for i, s in enumerate(subnets)}
    tensors |= {f"mask_feat{i}": t for i, t in enumerate(outputs.mask_features)}
    # the last upsampling is left to whoever reads the logits
    tensors["stuff_logits"] = F.interpolate(
        outputs.stuff_logits, scale_factor=4, mode="bilinear", align_corners=True
    )
    assert not rois[:, 0].any()
    tensors["roi_feats"] = pool_boxes(outputs.mask_features, [rois[:, 1:]])
    tensors["mask_logits"] = model.segment(outputs.mask_features, [rois[:, 1:]])
    return tensors


@pytest.mark.parametrize("tag", ["even", "odd"])
@pytest.mark.parametrize("name", OF_MODELS)
def test_forward_equals_the_original(models: Models, reference: Path, name: str, tag: str) -> None:
    folder = reference / "public" / name
    golden: Any = np.load(folder / "forward.npz")
    noise = json.loads((folder / "forward_meta.json").read_text())["float_noise"]
    tensors = all_tensors(models(name), network_input(tag), torch.from_numpy(golden["rois"].reshape(-1, 5)))

    recorded = {key.split("|")[0] for key in golden.files if key.startswith(f"{tag}/")}
    assert recorded == {f"{tag}/{n}" for n in tensors} | {f"{tag}/C2"}  # our backbone keeps C2 to itself
    worst = {}
    for short, tensor in tensors.items():
        key = f"{tag}/{short}"
        assert tuple(golden[f"{key}|shape"]) == tensor.shape, key
        flat = tensor.flatten().numpy()
        sampled = flat[golden[f"{key}|idx"]] if f"{key}|idx" in golden else flat
        error = np.abs(sampled - golden[f"{key}|val"].ravel()).max()
        worst[key] = error / noise[key]["max_abs_err_fp32_vs_fp64"]
        norm, mean, largest = golden[f"{key}|stats"]  # of the whole tensor, not only of the sample
        exact = flat.astype(np.float64)
        assert np.linalg.norm(exact) == pytest.approx(norm, rel=1e-4), key
        assert exact.mean() == pytest.approx(mean, abs=1e-4 * max(largest, 1)), key
        assert np.abs(exact).max() == pytest.approx(largest, rel=1e-3), key
    assert {key: ratio for key, ratio in worst.items() if not ratio <= FACTOR} == {}

    best = tensors["stuff_logits"][0].argmax(dim=0).numpy()
    picture = cv2.imread(str(folder / f"forward_{tag}_stuff_argmax.png"), cv2.IMREAD_UNCHANGED)
    assert (best != picture).mean() < 1e-4
