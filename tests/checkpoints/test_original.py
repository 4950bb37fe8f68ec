"""The original's files: names, containers, and what is not one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from make_data import CATEGORIES
from spatialflow.checkpoints import load_checkpoint, load_model
from spatialflow.checkpoints.original import convert, is_original, recipe, rename
from spatialflow.config import load_config
from spatialflow.errors import CheckpointError
from spatialflow.files import write_json
from spatialflow.models.spatialflow import build_model

RECIPE = "spatialflow_r50_fpn_20e_coco"
NAMES = {
    "backbone.conv1.weight": "backbone.body.conv1.weight",
    "backbone.layer3.5.bn2.running_var": "backbone.body.layer3.5.bn2.running_var",
    "neck.lateral_convs.2.conv.bias": "pyramid.lateral.2.conv.bias",
    "neck.fpn_convs.1.conv.weight": "pyramid.output.1.conv.weight",
    "neck.fpn_convs.3.conv.weight": "pyramid.extra.0.conv.weight",
    "neck.fpn_convs.4.conv.bias": "pyramid.extra.1.conv.bias",
    "bbox_head.reg_convs.3.conv.weight": "subnets.reg.3.conv.weight",
    "bbox_head.cls_convs.0.conv.weight": "subnets.cls.0.layer.conv.weight",
    "bbox_head.stuff_convs.2.conv.bias": "subnets.stuff.2.layer.conv.bias",
    "bbox_head.cls_spatial_flow_convs.1.conv.weight": "subnets.cls.1.flow.weight",
    "bbox_head.stuff_spatial_flow_convs.3.conv.bias": "subnets.stuff.3.flow.bias",
    "bbox_head.mask_convs.0.conv.weight": "subnets.mask.layer.conv.weight",
    "bbox_head.mask_spatial_flow_convs.0.conv.weight": "subnets.mask.flow.weight",
    "bbox_head.stuff_mask_flow_convs.0.conv.bias": "subnets.stuff_to_mask.bias",
    "bbox_head.retina_cls.weight": "cls_predictor.weight",
    "bbox_head.retina_reg.bias": "box_predictor.bias",
    "mask_head.convs.3.conv.weight": "mask_head.convs.3.conv.weight",
    "mask_head.upsample.bias": "mask_head.upsample.bias",
    "mask_head.conv_logits.weight": "mask_head.logits.weight",
    "stuff_head.lateral_convs.0.0.conv.weight": "stuff_head.lateral.0.0.conv.weight",
    "stuff_head.lateral_convs.2.4.gn.bias": "stuff_head.lateral.2.2.norm.bias",
    "stuff_head.conv.bias": "stuff_head.logits.bias",
}


@pytest.mark.parametrize(("theirs", "ours"), NAMES.items())
def test_names(theirs: str, ours: str) -> None:
    assert rename(theirs) == ours


@pytest.mark.parametrize(
    "key", ["rpn_head.rpn_conv.weight", "neck.fpn_convs.9.conv.weight", "head.backbone.x"]
)
def test_unknown_names(key: str) -> None:
    with pytest.raises(KeyError):
        rename(key)
    with pytest.raises(CheckpointError, match=f"^a.pth: {key}: "):
        convert({key: torch.ones(1)}, "a.pth")


def state_of(reference: Path, model: str = "r50") -> dict[str, Tensor]:
    """Every key of the original in its shape; each tensor is one number throughout, its place in the list.

    Expanded tensors make small files.
    """
    keys = json.loads((reference / "keys.json").read_text())[model]
    whole = set(keys["int64_keys"])
    return {
        key: torch.tensor(i % 2000, dtype=torch.int64 if key in whole else torch.float32).expand(shape)
        for i, (key, shape) in enumerate(keys["state_dict"].items())
    }


def write(path: Path, state: dict[str, Tensor], **more: Any) -> Path:
    torch.save({"meta": {"epoch": 20, "CLASSES": ("person", "bicycle")}, "state_dict": state} | more, path)
    return path


@pytest.mark.parametrize("model", ["r50", "r101", "r101_dcn"])
def test_every_key_finds_its_one_place(reference: Path, model: str) -> None:
    state = state_of(reference, model)
    names = {rename(key): tensor.shape for key, tensor in state.items()}
    assert len(names) == len(state) == {"r50": 416, "r101": 722, "r101_dcn": 782}[model]
    ours = build_model(load_config(recipe(state, "a.pth")))
    assert names == {key: tensor.shape for key, tensor in ours.state_dict().items()}
    golden = json.loads((reference / "keys.json").read_text())[model]
    parameters = dict(ours.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == golden["n_params"]
    frozen = {name for name, parameter in parameters.items() if not parameter.requires_grad}
    assert frozen == {rename(key) for key in golden["frozen"]}


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: t.half() if t.is_floating_point() and "bn" not in key else t for key, t in state.items()}


@pytest.mark.parametrize("as_half", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_containers(reference: Path, tmp_path: Path, prefix: str, as_half: bool) -> None:
    state = state_of(reference)
    stored = half(state) if as_half else state
    path = write(tmp_path / "a.pth", {prefix + key: t for key, t in stored.items()}, optimizer={"state": {}})
    model = load_model(path)
    assert model.config.model.backbone == "resnet50.tv_in1k"
    assert (model.categories.num_things, model.categories.num_stuff_channels) == (80, 54)
    loaded = model.state_dict()
    assert len(loaded) == len(state)
    for key, tensor in state.items():
        ours = loaded[rename(key)]
        assert ours.dtype == tensor.dtype
        assert torch.equal(ours, tensor), key


def test_bare_state_dict(reference: Path, tmp_path: Path) -> None:
    torch.save(state_of(reference), tmp_path / "a.pth")
    assert load_checkpoint(tmp_path / "a.pth").config.name == RECIPE


def test_depth_is_read_from_the_keys(reference: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.pth", state_of(reference, "r101"))
    assert load_checkpoint(path).config.model.backbone == "resnet101.tv_in1k"


def test_default_only_applies_where_nothing_is_said(reference: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.pth", state_of(reference))
    default = load_config(RECIPE, ["data.flip=0.125"])
    assert load_checkpoint(path, default=default).config == default
    assert load_checkpoint(path, RECIPE, default=default).config == load_config(RECIPE)


def refusal(path: Path, config: Any = None) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_model(path, config)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "key",
    [
        "bbox_head.retina_cls.weight",
        "stuff_head.conv.weight",
        "mask_head.conv_logits.weight",
        "backbone.layer4.2.bn3.running_mean",
        "bbox_head.stuff_mask_flow_convs.0.conv.bias",
    ],
)
def test_missing_key_is_named(reference: Path, tmp_path: Path, key: str) -> None:
    state = state_of(reference)
    del state[key]
    assert f"{rename(key)}: is missing" in refusal(write(tmp_path / "a.pth", state))


@pytest.mark.parametrize("key", ["bbox_head.wings.weight", "roi_head.bbox_head.fc_cls.weight"])
def test_left_over_key_is_named(reference: Path, tmp_path: Path, key: str) -> None:
    path = write(tmp_path / "a.pth", state_of(reference) | {key: torch.ones(1)})
    assert f"{key}: is no layer of SpatialFlow" in refusal(path)
    known = write(tmp_path / "b.pth", state_of(reference) | {"backbone.layer9.weight": torch.ones(1)})
    assert "backbone.body.layer9.weight: is not part" in refusal(known)


@pytest.mark.parametrize(
    ("key", "shape"),
    [("mask_head.conv_logits.weight", (8, 256, 1, 1)), ("stuff_head.conv.weight", (12, 128, 1, 1))],
)
def test_another_class_count(reference: Path, tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    state = state_of(reference) | {key: torch.zeros(1).expand(shape)}
    message = refusal(write(tmp_path / "a.pth", state))
    assert f"{key}: has {shape[0]}" in message
    assert "data.categories" in message


def test_another_class_count_with_its_categories(reference: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "classes.json", CATEGORIES)
    state = state_of(reference)
    for key, count in (("bbox_head.retina_cls", 9 * 2), ("mask_head.conv_logits", 2), ("stuff_head.conv", 3)):
        for part in ("weight", "bias"):
            old = state[f"{key}.{part}"]
            state[f"{key}.{part}"] = torch.zeros(1).expand(count, *old.shape[1:])
    path = write(tmp_path / "a.pth", state)
    config = load_config(RECIPE, [f"data.categories={tmp_path / 'classes.json'}"])
    model = load_model(path, config)
    assert [str(c) for c in model.categories] == ["cat", "dog", "grass", "sky"]
    assert "class count" in refusal(path, RECIPE)


def test_another_depth(reference: Path, tmp_path: Path) -> None:
    state = {k: t for k, t in state_of(reference).items() if not k.startswith("backbone.layer3.5.")}
    assert "layer3 has 5 blocks" in refusal(write(tmp_path / "a.pth", state))
    path = write(tmp_path / "b.pth", state_of(reference, "r101"))
    assert "layer3.6." in refusal(path, RECIPE)


def test_the_deformable_model(reference: Path) -> None:
    keys = state_of(reference, "r101_dcn")
    assert recipe(keys, "a.pth") == "spatialflow_r101_dcn_fpn_20e_coco_multiscale_fp16"
    key = "backbone.layer2.0.conv2.conv_offset.weight"
    assert (
        rename(key) == rename(key.replace("conv2.conv_offset", "conv2_offset")) == f"backbone.body{key[8:]}"
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["bbox_head.stuff_convs.0.conv.weight", "backbone.conv1.weight"], True),
        (["bbox_head.retina_cls.weight", "bbox_head.cls_convs.0.conv.weight"], False),  # RetinaNet
        (["rpn_head.rpn_conv.weight", "roi_head.mask_head.convs.0.conv.weight"], False),
        (["stuff_head.lateral.0.0.conv.weight", "subnets.reg.0.conv.weight"], False),  # ours
    ],
)
def test_whose_keys_they_are(keys: list[str], expected: bool) -> None:
    assert is_original(dict.fromkeys(keys)) is expected


def test_truncated(reference: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.pth", state_of(reference))
    whole = path.read_bytes()
    for size in (len(whole) - 10, len(whole) // 2, 100):
        path.write_bytes(whole[:size])
        refusal(path)
