"""Recipes, overrides, and what is wrong with them."""

from pathlib import Path

import pytest
import yaml

from spatialflow.config import (
    AnchorConfig,
    Config,
    config_from_dict,
    load_config,
    override_config,
    recipe_names,
)
from spatialflow.config.schema import DeformableConfig
from spatialflow.errors import ConfigError, SpatialFlowError

COCO = "spatialflow_r50_fpn_20e_coco"


def refusal(recipe: str | Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(recipe, overrides)
    assert isinstance(caught.value, SpatialFlowError)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_default_recipe_is_the_default_config() -> None:
    assert load_config(COCO) == Config()
    assert Config().name == COCO


def test_the_published_numbers() -> None:
    """Of the original's configuration file, as its manifest lists them."""
    config = load_config(COCO)
    m, loss, train = config.model, config.loss, config.train
    assert (m.anchors.base_scale, m.anchors.ratios, m.anchors.per_cell) == (4, (0.5, 1, 2), 9)
    d = m.detection
    assert (d.pre_nms_top_k, d.score_threshold, d.nms_iou, d.max_detections) == (1000, 0.05, 0.4, 100)
    assert (m.merge.score_threshold, m.merge.overlap_threshold) == (0.37, 0.37)
    assert (m.merge.stuff_area, m.merge.using_bbox, m.merge.bbox_threshold) == (4900, True, 0.5)
    assert (loss.positive_iou, loss.negative_iou, loss.focal_gamma, loss.focal_alpha) == (0.5, 0.4, 2, 0.25)
    assert loss.stuff_weight == 2 * 0.25
    assert (train.lr, train.momentum, train.weight_decay, train.base_batch) == (0.005, 0.9, 1e-4, 8)
    assert (train.epochs, train.milestones) == (20, (16, 19))
    assert config.data.test_scale == (1333, 800)


def test_the_larger_models_of_the_paper() -> None:
    """All that differs from R50, by the original's configuration files and the issue that lists them."""
    base, r101 = load_config(COCO), load_config("spatialflow_r101_fpn_20e_coco")
    assert r101.model == base.model.model_copy(update={"backbone": "resnet101.tv_in1k"})
    assert (r101.data, r101.loss, r101.train) == (base.data, base.loss, base.train)
    dcn = load_config("spatialflow_r101_dcn_fpn_20e_coco_multiscale_fp16")
    assert dcn.model.deformable.backbone_stages == (2, 3, 4)
    assert dcn.model.deformable.subnets
    plain = DeformableConfig()
    assert dcn.model.model_copy(update={"deformable": plain}) == r101.model
    assert dcn.data.train_scales == ((1600, 400), (1600, 1400))
    assert dcn.data.tta.scales == ((1500, 1000), (1800, 1200), (2100, 1400))
    assert dcn.data.tta.flip
    assert dcn.data.tta.in_evaluation
    assert not base.data.tta.in_evaluation
    assert dcn.train == base.train.model_copy(update={"precision": "fp16"})


def test_deformable_subnets_need_equal_widths() -> None:
    message = refusal(COCO, "model.deformable.subnets=true", "model.head_channels=64")
    assert "deformable.subnets needs pyramid_channels (256) and head_channels (64) to be equal" in message
    assert "got" not in message  # the whole section


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ("[1, 2]", "[1, 2] has a stage that frozen_stages=1 keeps from learning"),
        ("[2, 2]", "[2, 2] names a stage twice"),
        ("[5]", "less than or equal to 4"),
    ],
)
def test_deformable_stages_that_make_no_sense(stages: str, message: str) -> None:
    assert message in refusal(COCO, f"model.deformable.backbone_stages={stages}")


def test_a_missing_file_does_not_mean_the_recipe_of_its_name(tmp_path: Path) -> None:
    """Else a typo in the folder would train something else in silence."""
    assert "cannot be read" in refusal(tmp_path / f"{COCO}.yaml")
    assert "is unknown" in refusal(f"elsewhere/{COCO}.py")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_under_its_own_name(name: str) -> None:
    assert load_config(name).name == name


def test_recipes_are_named() -> None:
    assert {COCO, "spatialflow_tiny"} <= set(recipe_names())


def test_overrides_are_yaml() -> None:
    config = load_config(
        COCO,
        [
            "model.backbone=resnet101",
            "model.flows.reg_to_cls=false",
            "data.test_scale=[512, 320]",
            "train.lr=1e-2",
            "train.clip_norm=null",
            "data.train=a=b.json",
            "model.backbone_options={channels: [1, 2]}",
        ],
    )
    assert config.model.backbone == "resnet101"
    assert config.model.flows.reg_to_cls is False
    assert config.model.flows.reg_to_mask is True
    assert config.data.test_scale == (512, 320)
    assert config.train.lr == 0.01
    assert config.data.train == "a=b.json"
    assert config.model.backbone_options == {"channels": [1, 2]}
    assert load_config(COCO, ["train.seed=1", "train.seed=2"]).train.seed == 2


def test_overriding_a_config() -> None:
    config = load_config(COCO, ["train.seed=1"])
    changed = override_config(config, ["train.epochs=3"], "here")
    assert (changed.train.seed, changed.train.epochs) == (1, 3)
    assert config.train.epochs == 20
    with pytest.raises(ConfigError, match=r"^here: train\.epochs"):
        override_config(config, ["train.epochs=0"], "here")


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "model: {flows: {reg_to_cls: false}}\ntrain: {epochs: 3}\n")
    config = load_config(path)
    assert config.name == "mine"
    expected = load_config(COCO, ["model.flows.reg_to_cls=false", "train.epochs=3"])
    assert config == expected.model_copy(update={"name": "mine"})
    assert load_config(write(tmp_path / "empty.yaml", "")) == Config(name="empty")


def test_a_recipe_may_build_on_another(tmp_path: Path) -> None:
    first = write(tmp_path / "first.yaml", "base: spatialflow_tiny\nmodel: {flows: {reg_to_cls: false}}\n")
    second = write(tmp_path / "second.yml", f"base: {first}\nmodel: {{flows: {{reg_to_mask: false}}}}\n")
    config, tiny = load_config(second), load_config("spatialflow_tiny")
    assert config.name == "second"
    assert config.model.flows.reg_to_cls is config.model.flows.reg_to_mask is False
    flows = tiny.model.flows
    assert config.model.model_copy(update={"flows": flows}) == tiny.model
    assert config.train == tiny.train


def test_a_base_is_found_beside_the_file_and_circles_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "base.yaml", "train: {seed: 5}\n")
    write(tmp_path / "sub" / "a.yaml", "base: base.yaml\n")
    monkeypatch.chdir(tmp_path)
    assert load_config("sub/a.yaml").train.seed == 5
    write(tmp_path / "sub" / "base.yaml", "base: a.yaml\n")
    assert "circle" in refusal("sub/a.yaml")


def test_a_config_travels_as_json() -> None:
    config = load_config("spatialflow_tiny", ["train.seed=7"])
    assert Config.model_validate_json(config.model_dump_json()) == config
    assert config_from_dict(yaml.safe_load(config.model_dump_json()), "a") == config


def test_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().train.lr = 1.0  # type: ignore[misc]


def test_anchors_of_a_cell() -> None:
    assert AnchorConfig(scales_per_octave=2, ratios=(1.0, 2.0, 3.0)).per_cell == 6


def test_unknown_recipe_names_the_nearest() -> None:
    assert "did you mean 'spatialflow_r50_fpn_20e_coco'?" in refusal("spatialflow_r50")
    message = refusal("spatialflow_r50_fpn_coco")
    assert f"did you mean {COCO!r}?" in message
    assert "spatialflow_tiny" in refusal("zzz")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.backbon=resnet18", "model.backbon is no known key; did you mean 'model.backbone'?"),
        (
            "model.flows.reg_to_clas=false",
            "model.flows.reg_to_clas is no known key; did you mean 'model.flows.reg_to_cls'?",
        ),
        ("trian.lr=1", "trian is no known key; did you mean 'train'?"),
        ("train.qqq=1", "train.qqq is no known key (known: epochs, "),
    ],
)
def test_unknown_key_names_the_nearest(override: str, expected: str) -> None:
    message = refusal(COCO, override)
    assert message.startswith(f"{COCO}: ")
    assert expected in message


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("train.lr=0", "train.lr"),
        ("train.lr=.nan", "train.lr"),
        ("train.lr=fast", "train.lr"),
        ("train.epochs=-1", "train.epochs"),
        ("train.epochs=1.5", "train.epochs"),
        ("train.optimizer=lion", "train.optimizer"),
        ("data.flip=1.5", "data.flip"),
        ("data.test_scale=[512]", "data.test_scale"),
        ("data.train_scales=[]", "data.train_scales"),
        ("data.train_scales=[[1, 2], [3, 4], [5, 6]]", "data.train_scales"),
        ("model.anchors.ratios=[]", "model.anchors.ratios"),
        ("model.anchors.ratios=[0]", "model.anchors.ratios.0"),
        ("model.head_norm=batch", "model.head_norm"),
        ("model.pyramid_levels=8", "model.pyramid_levels"),
        ("model=3", "model"),
        ("loss.negative_iou=0.6", "loss.negative_iou: must not exceed positive_iou (0.5); got 0.6"),
        ("loss.positive_iou=0.3", "loss.negative_iou: must not exceed positive_iou (0.3); got 0.4"),
        ("train.milestones=[19, 16]", "train.milestones: the epochs must ascend"),
        ("train.milestones=[3, 3]", "train.milestones: the epochs must ascend"),
        ("train=", "train"),
    ],
)
def test_value_out_of_range_is_named(override: str, field: str) -> None:
    assert refusal(COCO, override).startswith(f"{COCO}: {field}")


def test_bounds_that_just_fit() -> None:
    config = load_config(COCO, ["loss.negative_iou=0.5", "train.milestones=[]"])
    assert config.loss.negative_iou == config.loss.positive_iou
    assert config.train.milestones == ()


def test_levels_must_fit() -> None:
    # 3 is the least of the pyramid and the most of segmentation, so nothing can go wrong until either changes
    assert load_config(COCO, ["model.pyramid_levels=3"]).model.segmentation_levels == 3


@pytest.mark.parametrize("override", ["train.lr", "=3", "", "lr"])
def test_override_without_key_or_value(override: str) -> None:
    assert "expected key.sub=value" in refusal(COCO, override)


def test_override_that_is_no_yaml() -> None:
    assert "not valid YAML" in refusal(COCO, "train.lr=[1")


def test_override_below_a_value(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "train: {lr: 0.1}\n")
    assert "lr is a value, not a section" in refusal(path, "train.lr.x=1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: [", "not valid YAML"),
        ("- a\n- b\n", "a mapping of sections"),
        ("just text", "a mapping of sections"),
        ("modle: {}\n", "did you mean 'model'?"),
        ("base: spatialflow_tinny\n", "spatialflow_tinny' is unknown"),
        ("base: no/such.yaml\n", "no/such.yaml: the recipe cannot be read"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(write(tmp_path / "a.yaml", text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert str(tmp_path / "a.yaml") in refusal(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").mkdir()
    assert str(tmp_path / "b.yaml") in refusal(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    assert str(tmp_path / "c.yaml") in refusal(tmp_path / "c.yaml")
