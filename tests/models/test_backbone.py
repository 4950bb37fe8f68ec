"""Backbones by name: strides, freezing, odd families, errors."""

import pytest
import torch
from torch import nn

from make_model import photo
from spatialflow.errors import ConfigError
from spatialflow.models.backbone import Backbone, expected_normalisation

SMALL = {"channels": [8, 8, 16, 16]}


def frozen_names(backbone: Backbone) -> set[str]:
    """First two parts of the names of what does not train."""
    return {".".join(n.split(".")[1:3]) for n, p in backbone.named_parameters() if not p.requires_grad}


def trained_names(backbone: Backbone) -> set[str]:
    return {".".join(n.split(".")[1:3]) for n, p in backbone.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "convnext_atto", "efficientnet_b0"])
def test_any_timm_family(name: str) -> None:
    options = SMALL if name == "resnet18" else {}
    features = Backbone(name, **options).eval()
    with torch.inference_mode():
        maps = features(photo(64, 96))
    assert [tuple(m.shape[-2:]) for m in maps] == [(8, 12), (4, 6), (2, 3)]
    assert tuple(m.shape[1] for m in maps) == features.channels


def test_channels_last_families() -> None:
    backbone = Backbone(
        "swin_tiny_patch4_window7_224", img_size=64, embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)
    ).eval()
    with torch.inference_mode():
        maps = backbone(photo(64, 64))
    assert [tuple(m.shape) for m in maps] == [(1, 16, 8, 8), (1, 32, 4, 4), (1, 64, 2, 2)]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (-1, set()),
        (0, {"conv1", "bn1"}),
        (1, {"conv1", "bn1", "layer1"}),
        (2, {"conv1", "bn1", "layer1", "layer2"}),
    ],
)
def test_frozen_stages_of_a_resnet(stages: int, expected: set[str]) -> None:
    backbone = Backbone("resnet18", frozen_stages=stages, **SMALL)
    everything = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}
    assert {name.split(".")[0] for name in frozen_names(backbone)} == expected
    assert {name.split(".")[0] for name in trained_names(backbone)} == everything - expected


@pytest.mark.parametrize(
    ("name", "frozen", "first_trained"),
    [
        ("mobilenetv3_small_100", {"conv_stem.weight", "bn1.weight", "bn1.bias", "blocks.0"}, "blocks.1"),
        (
            "efficientnet_b0",
            {"conv_stem.weight", "bn1.weight", "bn1.bias", "blocks.0", "blocks.1"},
            "blocks.2",
        ),
    ],
)
def test_frozen_stages_where_timm_nests_them(name: str, frozen: set[str], first_trained: str) -> None:
    backbone = Backbone(name, frozen_stages=1)
    assert frozen_names(backbone) == frozen
    assert first_trained in trained_names(backbone)
    assert not frozen_names(backbone) & trained_names(backbone)


def test_frozen_stages_of_a_convnext() -> None:
    frozen = {name.split(".")[0] for name in frozen_names(Backbone("convnext_atto", frozen_stages=1))}
    assert frozen == {"stem_0", "stem_1", "stages_0"}  # strides up to 4


def norms(backbone: Backbone) -> list[nn.BatchNorm2d]:
    return [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("frozen", [True, False])
def test_batch_norm_in_training(frozen: bool) -> None:
    torch.manual_seed(0)
    backbone = Backbone("resnet18", frozen_stages=-1, freeze_batch_norm=frozen, **SMALL).train()
    before = [n.running_mean.clone() for n in norms(backbone) if n.running_mean is not None]
    assert backbone.training
    assert all(norm.training is not frozen for norm in norms(backbone))
    outer = nn.Sequential(backbone).train()  # a parent's train() must not wake them
    assert all(norm.training is not frozen for norm in norms(backbone))
    sum(m.square().mean() for m in outer(photo(64, 96, batch=2))).backward()
    after = [n.running_mean for n in norms(backbone) if n.running_mean is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)) is frozen
    # scale and shift train nevertheless
    assert all(norm.weight.grad is not None for norm in norms(backbone))
    backbone.eval()
    assert not any(norm.training for norm in norms(backbone))


def test_unknown_backbone_names_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone=resnet51: timm has no such model.*resnet"):
        Backbone("resnet51")


def test_backbone_without_the_strides() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone=.*stride"):
        Backbone("resnet18", output_stride=16)


def test_backbone_that_is_no_pyramid() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone=test_vit: has no features of stride 8 .*choose"):
        Backbone("test_vit")


def test_options_that_the_model_does_not_know() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone_options: .*resnet18.*wings"):
        Backbone("resnet18", wings=2)


def test_normalisation_that_weights_expect() -> None:
    mean, std = expected_normalisation("resnet50.tv_in1k")
    assert mean == pytest.approx((123.675, 116.28, 103.53))
    assert std == pytest.approx((58.395, 57.12, 57.375))
    assert expected_normalisation("tf_mobilenetv3_large_100.in1k")[0] == pytest.approx((127.5,) * 3)


@pytest.mark.parametrize("pretrained", [False, True])
def test_weights_of_an_unknown_name(pretrained: bool) -> None:
    with pytest.raises(ConfigError, match=r"no weights 'tv_in2k' of resnet50; did you mean resnet50\.tv"):
        Backbone("resnet50.tv_in2k", pretrained=pretrained)
