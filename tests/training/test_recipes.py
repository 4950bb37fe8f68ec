"""Recipes and backbones beyond the original's: each trains a step, and what it wrote predicts."""

from pathlib import Path

import pytest
import torch

from make_training import easy_image
from spatialflow.checkpoints import load_model
from spatialflow.config import load_config
from spatialflow.inference.predictor import Predictor
from spatialflow.training.run import train

ONE_STEP = ["train.max_steps=1", "train.warmup_steps=0", "model.pretrained=false", "data.workers=0"]
FAMILIES: dict[str, dict[str, object]] = {
    "resnet34.a1_in1k": {},
    "convnext_atto.d2_in1k": {"drop_path_rate": 0.1},
    "efficientnet_b0.ra_in1k": {},
    "mobilenetv3_small_100.lamb_in1k": {},
    "swin_tiny_patch4_window7_224.ms_in1k": {"embed_dim": 24},
    "convnext_tiny.dinov3_lvd1689m": {},
}
"""Names, and options for timm."""


@pytest.mark.parametrize("backbone", FAMILIES)
def test_families_of_backbones(recipe: Path, backbone: str) -> None:
    """With random weights, by their full timm names."""
    lines: list[str] = []
    small = ["data.batch_size=2", "data.train_scales=[[64, 64]]", "train.precision=fp32"]
    config = load_config(recipe, [f"model.backbone={backbone}", *ONE_STEP, *small])
    options = {"backbone_options": FAMILIES[backbone]}  # in the place of those of the recipe's ResNet
    config = config.model_copy(update={"model": config.model.model_copy(update=options)})
    result = train(config, say=lines.append)
    assert any(backbone in line for line in lines)
    model = load_model(result.last)
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name
    prediction = Predictor(model, "cpu", "fp32").predict(easy_image("new", 3).pixels())
    assert prediction.segment_ids.shape == (64, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spatialflow_convnext_tiny_coco", "spatialflow_light_coco"])
def test_recipes_train_on_photos(shared_data: Path, tmp_path: Path, name: str) -> None:
    annotations = shared_data / "coco" / "annotations"
    small = ["data.train_scales=[[192, 128]]", "data.test_scale=[192, 128]", "data.batch_size=2"]
    config = load_config(
        name,
        [
            f"data.train={annotations / 'panoptic_mini_train.json'}",
            f"data.val={annotations / 'panoptic_real.json'}",
            f"train.out={tmp_path}",
            *ONE_STEP,
            *small,
            "train.max_steps=3",
        ],
    )
    result = train(config, say=lambda line: None)
    assert result.result is not None
    assert result.result.all.n > 50
    model = load_model(result.best)
    assert model.config.name == name
    before = [p for p in model.parameters() if p.requires_grad]
    assert all(torch.isfinite(p).all() for p in before)


@pytest.mark.slow
def test_cityscapes_reads_its_own_files(shared_data: Path, tmp_path: Path) -> None:
    own = shared_data / "cityscapes_half" / "gtFine" / "cityscapes_panoptic"
    config = load_config(
        "spatialflow_r50_fpn_cityscapes",
        [
            *(f"data.{part}={own}_{part}_trainId.json" for part in ("train", "val")),
            f"data.categories={own}_train_trainId.json",
            "data.train_scales=[[256, 96], [256, 128]]",
            "data.test_scale=[256, 128]",
            f"train.out={tmp_path}",
            *ONE_STEP,
        ],
    )
    lines: list[str] = []
    result = train(config, say=lines.append)
    assert any("8 things (person, " in line and "11 stuff (road, " in line for line in lines)
    assert any("3 images to train on, 1 to validate on" in line for line in lines)
    assert result.result is not None
    assert result.result.all.n >= 11
