import csv
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from make_data import CATEGORIES, ToyImage, write_panoptic_set
from make_training import easy_image, write_easy_recipe, write_easy_set
from spatialflow.checkpoints import load_checkpoint, load_model, save_model
from spatialflow.config import Config, load_config
from spatialflow.errors import CheckpointError, ConfigError, DataError, OutputError, SpatialFlowError
from spatialflow.evaluation.average_precision import InstanceTable, Kind
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.inference.predictor import Predictor
from spatialflow.training.announce import normalisation_note
from spatialflow.training.metrics_csv import MetricsCsv
from spatialflow.training.module import PanopticModule
from spatialflow.training.run import TrainResult, train
from spatialflow.training.trainer import AtomicCheckpointIO


def quiet(line: str) -> None:
    """Say nothing."""


KINDS: tuple[Kind, ...] = ("bbox", "segm")


def rows(result: TrainResult | Path) -> list[dict[str, str]]:
    folder = result if isinstance(result, Path) else result.folder
    with (folder / "logs" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def folder_of(config: Config) -> Path:
    return Path(config.train.out) / config.name


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Press Ctrl+C before a step, once."""
    original: Callable[..., Any] = PanopticModule.training_step

    def training_step(self: PanopticModule, *args: Any) -> Any:
        if self.global_step == step:
            monkeypatch.undo()
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(PanopticModule, "training_step", training_step)


def test_what_a_training_leaves_behind(recipe: Path) -> None:
    lines: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = train(load_config(recipe), say=lines.append)
    assert result.folder == recipe.parent / "runs" / "easy"
    assert {p.name for p in result.folder.iterdir()} == {"last.ckpt", "best.ckpt", "logs"}
    text = "\n".join(lines)
    for part in (
        "easy: resnet18",
        "8 images to train on, 4 to validate",
        "1 x cpu",
        "0.004 at 4",
        "last.ckpt",
    ):
        assert part in text
    logged = rows(result)
    losses = [row for row in logged if row["loss/total"]]
    assert [int(row["step"]) for row in losses] == [0, 1, 2, 3]
    for row in losses:
        parts = [float(row[f"loss/{name}"]) for name in ("cls", "box", "mask", "stuff")]
        assert sum(parts) == pytest.approx(float(row["loss/total"]), rel=1e-5)
    assert [int(row["step"]) for row in logged if row["val/pq"]] == [1, 3]
    events = EventAccumulator(str(result.folder / "logs"))
    events.Reload()
    assert {"loss/total", "loss/cls", "val/pq", "lr"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("val/pq")] == [1, 3]


def test_the_bar_shows_all_losses(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(load_config(recipe), say=quiet)
    bar = capsys.readouterr().out.split("\r")[-1]
    for name in ("cls=", "box=", "mask=", "stuff=", "total=", "pq="):
        assert name in bar
    assert "v_num" not in bar


def test_rates_of_sgd_with_warm_up_and_steps(recipe: Path) -> None:
    overrides = ["train.optimizer=sgd", "train.lr=0.04", "train.schedule=steps", "train.milestones=[1,2]"]
    config = load_config(recipe, [*overrides, "train.epochs=3", "train.base_batch=8", "train.warmup_steps=2"])
    rates = [float(row["lr"]) for row in rows(train(config, say=quiet)) if row["lr"]]
    # 0.02 at 4 images; 2 steps an epoch; warm-up from 0.001 of that
    assert rates == pytest.approx([0.02 * 0.001, 0.02 * 0.5005, 0.002, 0.002, 0.0002, 0.0002], rel=1e-5)


def test_rate_is_explained(recipe: Path) -> None:
    lines: list[str] = []
    train(load_config(recipe, ["train.base_batch=8", "train.max_steps=1"]), say=lines.append)
    assert any("0.002 = 0.004 x 4/8" in line and "train.scale_lr=false" in line for line in lines)


@pytest.mark.parametrize("schedule", ["cosine", "steps"])
def test_resumed_is_as_uninterrupted(recipe: Path, schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [f"train.schedule={schedule}", "train.milestones=[1]", "train.epochs=3"]
    whole = train(load_config(recipe, overrides), say=quiet)
    config = load_config(recipe, [*overrides, "name=cut"])
    interrupt_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train(config, say=quiet)
    assert max(int(row["step"]) for row in rows(folder_of(config))) == 2
    lines: list[str] = []
    resumed = train(config, resume=True, say=lines.append)
    assert "resumed    after step 2" in lines
    assert rows(resumed) == rows(whole)
    for key, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[key]), key


def test_more_epochs_on_resume(recipe: Path) -> None:
    overrides = ["train.schedule=steps", "train.milestones=[9]"]
    whole = train(load_config(recipe, [*overrides, "train.epochs=2"]), say=quiet)
    train(load_config(recipe, [*overrides, "train.epochs=1", "name=more"]), say=quiet)
    more = train(load_config(recipe, [*overrides, "train.epochs=2", "name=more"]), resume=True, say=quiet)
    assert rows(more) == rows(whole)


def test_the_rate_of_a_resume_is_the_recipe_s(recipe: Path) -> None:
    still = ["train.schedule=steps", "train.milestones=[9]", "train.warmup_steps=0", "train.log_every=1"]
    train(load_config(recipe, [*still, "train.epochs=1"]), say=quiet)
    lines: list[str] = []
    changed = [*still, "train.epochs=2", "train.lr=0.001", "train.weight_decay=0.125"]
    more = train(load_config(recipe, changed), resume=True, say=lines.append)
    assert any(line.startswith("rate") and "0.001" in line for line in lines)
    rates = [float(row["lr"]) for row in rows(more) if row["lr"]]
    assert rates[-2:] == pytest.approx([0.001] * 2)
    assert rates[0] == pytest.approx(0.004)
    content = torch.load(more.last, weights_only=True)
    assert [g["weight_decay"] for g in content["optimizer_states"][0]["param_groups"]] == [0.125, 0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batch_size=2", "data.batch_size: the run had 4 images a step .* now it would have 2"),
        ("data.train=FEWER", "data.train: the run had 2 steps an epoch, now it would have 1"),
    ],
)
def test_a_resume_with_other_steps_is_refused(
    recipe: Path, tmp_path: Path, override: str, message: str
) -> None:
    write_easy_set(tmp_path / "fewer", train=4)
    train(load_config(recipe, ["train.epochs=1"]), say=quiet)
    override = override.replace("FEWER", str(tmp_path / "fewer/annotations/train.json"))
    with pytest.raises(ConfigError, match=message):
        train(load_config(recipe, [override]), resume=True, say=quiet)


def test_resume_of_a_complete_run(recipe: Path) -> None:
    first = train(load_config(recipe), say=quiet)
    lines: list[str] = []
    result = train(load_config(recipe), resume=True, say=lines.append)
    assert any("nothing left to train" in line for line in lines)
    assert result.result is None
    assert rows(result) == rows(first)


def test_best_is_remembered_over_a_resume(recipe: Path) -> None:
    config = load_config(recipe, ["train.epochs=1"])
    result = train(config, say=quiet)
    content = torch.load(result.last, weights_only=True)
    (state,) = (v for v in content["callbacks"].values() if "best_pq" in v)
    state["best_pq"] = 101.0
    torch.save(content, result.last)
    before = result.best.read_bytes()
    train(load_config(recipe, ["train.epochs=2"]), resume=True, say=quiet)
    assert result.best.read_bytes() == before


def test_max_steps_still_validates_and_saves(recipe: Path) -> None:
    result = train(load_config(recipe, ["train.max_steps=3", "train.epochs=50"]), say=quiet)
    assert [int(row["step"]) for row in rows(result) if row["val/pq"]] == [1, 2]
    assert result.result is not None
    assert torch.load(result.last, weights_only=True)["global_step"] == 3


def test_validation_every_few_epochs_and_at_the_end(recipe: Path) -> None:
    result = train(load_config(recipe, ["train.val_every=2", "train.epochs=3"]), say=quiet)
    assert [int(row["step"]) for row in rows(result) if row["val/pq"]] == [3, 5]


def test_last_is_written_after_epochs_without_validation(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(recipe, ["train.val_every=9", "train.epochs=9"])
    interrupt_at(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        train(config, say=quiet)
    assert torch.load(folder_of(config) / "last.ckpt", weights_only=True)["global_step"] == 4
    assert not (folder_of(config) / "best.ckpt").exists()


def test_weights_are_where_training_starts(recipe: Path, trained: TrainResult) -> None:
    config = load_config(recipe, ["train.max_steps=1", "train.lr=1e-12", "train.weight_decay=0"])
    result = train(config, weights=trained.last, say=quiet)
    for key, parameter in trained.model.named_parameters():
        torch.testing.assert_close(result.model.state_dict()[key], parameter.detach(), atol=1e-6, rtol=0)
    assert torch.load(result.last, weights_only=True)["global_step"] == 1


@pytest.mark.parametrize(
    ("first", "then", "steps"),
    [
        (["train.epochs=2"], ["train.epochs=4", "train.max_steps=8"], 8),
        (["train.epochs=3", "train.max_steps=1"], ["train.epochs=3"], 6),  # in the middle of an epoch
        (["train.epochs=4", "train.max_steps=5"], ["train.epochs=4", "train.max_steps=7"], 7),
        (["train.epochs=1"], ["train.epochs=1", "train.max_steps=9"], 2),
    ],
)
def test_a_resumed_training_takes_all_its_steps(
    recipe: Path, first: list[str], then: list[str], steps: int
) -> None:
    """Two steps an epoch."""
    often = ["train.log_every=1", "train.val_every=10"]
    train(load_config(recipe, [*first, *often]), say=quiet)
    for time in range(2):  # the second time nothing is left, and nothing changes
        lines: list[str] = []
        result = train(load_config(recipe, [*then, *often]), resume=True, say=lines.append)
        assert torch.load(result.last, weights_only=True)["global_step"] == steps
        assert [int(row["step"]) for row in rows(result) if row["loss/total"]] == list(range(steps))
        assert int(next(row["step"] for row in rows(result)[::-1] if row["val/pq"])) == steps - 1
        assert any("nothing left" in line for line in lines) == (time == 1 or steps == 2)
    key = "max_steps" if "train.max_steps=8" in then or "train.max_steps=7" in then else "epochs"
    assert any(f"raise train.{key} to go on" in line for line in lines)


def test_each_validation_is_a_line(recipe: Path) -> None:
    lines: list[str] = []
    result = train(load_config(recipe, ["train.val_every=1"]), say=lines.append)
    told = [line for line in lines if line.startswith("epoch ")]
    qualities = [float(row["val/pq"]) for row in rows(result) if row["val/pq"]]
    assert [line.split()[:4] for line in told] == [
        ["epoch", str(i), "PQ", f"{pq:.1f}"] for i, pq in enumerate(qualities, 1)
    ]
    best = [pq == max(qualities[: i + 1]) for i, pq in enumerate(qualities)]
    assert told[0].endswith("best so far")
    assert best[0]


def test_average_precision_is_logged_if_wanted(
    recipe: Path, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = ["train.max_steps=1", "train.lr=1e-12", "train.weight_decay=0", "train.precision=fp32"]
    without = train(load_config(recipe, ["name=without", *still]), weights=trained.last, say=quiet)
    assert not any(name.startswith("val/ap") for name in rows(without)[0])
    result = train(
        load_config(recipe, [*still, "train.average_precision=true"]), weights=trained.last, say=quiet
    )
    (row,) = (row for row in rows(result) if row["val/pq"])
    instances = InstanceTable(result.model.categories)
    # as the network that trains: the rounding of a folded one can change the order of two detections
    monkeypatch.setattr("spatialflow.inference.predictor.fuse_batch_norm", lambda model: model)
    predictor = Predictor(trained.model, "cpu", "fp32")
    evaluate_dataset(
        predictor,
        result.model.config.data,
        recipe.parent / "out",
        on_found=lambda target, found: instances.add(target, found.things),
    )
    for kind in KINDS:
        assert float(row[f"val/ap_{kind}"]) == pytest.approx(100 * instances.compute(kind).ap, abs=0.01)
    events = EventAccumulator(str(result.folder / "logs")).Reload()
    assert {"val/ap_bbox", "val/ap_segm"} <= set(events.Tags()["scalars"])


def test_weights_that_expect_other_pixels_are_noted(recipe: Path) -> None:
    def note(*overrides: str) -> list[str]:
        return normalisation_note(load_config(recipe, ["model.pretrained=true", *overrides]))

    assert note("model.backbone=resnet50.tv_in1k") == []
    (line,) = note("model.backbone=tf_mobilenetv3_large_100.in1k")
    assert "'data.mean=[127.5, 127.5, 127.5]' 'data.std=[127.5, 127.5, 127.5]'" in line
    named = ["data.mean=[127.5, 127.5, 127.5]", "data.std=[127.5, 127.5, 127.5]"]
    assert note("model.backbone=tf_mobilenetv3_large_100.in1k", *named) == []
    assert note("model.backbone=tf_mobilenetv3_large_100.in1k", "model.pretrained=false") == []


def other_classes(tmp_path: Path, categories: list[dict[str, Any]]) -> list[str]:
    """Overrides for data with these classes."""
    images = [easy_image(f"n{i}", i) for i in range(4)]
    truth = write_panoptic_set(tmp_path / "other", images, "other", categories)
    return [f"data.{key}={truth}" for key in ("train", "val", "categories")]


def test_weights_of_other_classes(recipe: Path, trained: TrainResult, tmp_path: Path) -> None:
    """A third thing: class and stuff heads have other shapes, all else is taken (masks know no classes)."""
    bird = {"id": 9, "name": "bird", "isthing": 1, "color": [9, 9, 9]}
    lines: list[str] = []
    overrides = other_classes(tmp_path, [*CATEGORIES, bird, {**bird, "id": 30, "name": "sea", "isthing": 0}])
    still = ["train.max_steps=1", "train.lr=1e-12", "train.weight_decay=0"]
    result = train(load_config(recipe, [*overrides, *still]), weights=trained.last, say=lines.append)
    at = next(i for i, line in enumerate(lines) if line.startswith("weights"))
    assert lines[at + 1].strip() == "these layers start anew:"
    assert [line.strip().partition(":")[0] for line in lines[at + 2 : at + 4]] == [
        "cls_predictor",
        "stuff_head.logits",
    ]
    assert "(18, 16, 3, 3) in the file, (27, 16, 3, 3) here" in lines[at + 2]
    earlier = trained.model.state_dict()
    state = dict(result.model.named_parameters())
    for key, parameter in state.items():
        if key.startswith(("cls_predictor", "stuff_head.logits")):
            assert parameter.shape != earlier[key].shape
        else:
            torch.testing.assert_close(parameter.detach(), earlier[key], atol=1e-6, rtol=0)


def test_weights_of_as_many_other_classes(recipe: Path, trained: TrainResult, tmp_path: Path) -> None:
    renamed = [{**category, "name": f"new {category['name']}"} for category in CATEGORIES]
    overrides = [*other_classes(tmp_path, renamed), "train.max_steps=1"]
    lines: list[str] = []
    train(load_config(recipe, overrides), weights=trained.last, say=lines.append)
    assert any(
        "other classes, but as many for cls_predictor, stuff_head.logits, so" in line for line in lines
    )


def test_only_the_heads_whose_number_is_the_same_keep_classes(
    recipe: Path, trained: TrainResult, tmp_path: Path
) -> None:
    """A third thing, and stuff that is called otherwise."""
    bird = {"id": 9, "name": "bird", "isthing": 1, "color": [9, 9, 9]}
    renamed = [{**c, "name": f"new {c['name']}"} if not c["isthing"] else c for c in CATEGORIES]
    overrides = [*other_classes(tmp_path, [*renamed, bird]), "train.max_steps=1"]
    lines: list[str] = []
    train(load_config(recipe, overrides), weights=trained.last, say=lines.append)
    assert any(line.endswith("as many for stuff_head.logits, so those weights stay") for line in lines)


def test_layers_of_the_file_that_are_left_out(recipe: Path, trained: TrainResult) -> None:
    lines: list[str] = []
    config = load_config(recipe, ["model.mask_convs=0", "train.max_steps=1"])
    train(config, weights=trained.last, say=lines.append)
    at = next(i for i, line in enumerate(lines) if "of the file are left out" in line)
    assert lines[at + 1].strip().startswith("mask_head.convs.0")


def test_weights_that_are_no_numbers(recipe: Path, weights: Path, tmp_path: Path) -> None:
    model = load_model(weights)
    with torch.no_grad():
        model.get_parameter("box_predictor.bias")[0] = torch.nan
    save_model(model, tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match=r"box_predictor\.bias: has values that are no numbers"):
        train(load_config(recipe), weights=tmp_path / "bad.safetensors", say=quiet)


def test_weights_of_another_head(recipe: Path, trained: TrainResult) -> None:
    lines: list[str] = []
    config = load_config(recipe, ["model.head_convs=2", "train.max_steps=1"])
    train(config, weights=trained.last, say=lines.append)
    assert any(line.strip().startswith("subnets.") and "not in the file" in line for line in lines)


def test_weights_of_another_backbone(recipe: Path, trained: TrainResult) -> None:
    config = load_config(recipe, ["model.backbone_options={channels: [8, 16, 16, 32]}"])
    with pytest.raises(CheckpointError, match=r"backbone\..* has shape .*set model\.backbone"):
        train(config, weights=trained.last, say=quiet)
    assert not (recipe.parent / "runs").exists()


def test_bfloat16(recipe: Path) -> None:
    lines: list[str] = []
    exact = train(load_config(recipe, ["name=exact"]), say=quiet)
    rough = train(load_config(recipe, ["train.precision=bf16"]), say=lines.append)
    assert any("bf16-mixed" in line for line in lines)
    first = [float(rows(result)[0]["loss/total"]) for result in (exact, rough)]
    assert first[0] != first[1]
    assert first[1] == pytest.approx(first[0], rel=0.05)
    assert all(p.dtype == torch.float32 for p in rough.model.parameters())


def test_checkpoint_says_what_it_is_of(trained: TrainResult) -> None:
    loaded = load_checkpoint(trained.last)
    assert loaded.config == trained.model.config
    assert loaded.categories == trained.model.categories
    model = load_model(trained.best)
    for key, tensor in trained.model.state_dict().items():
        assert torch.equal(model.state_dict()[key], tensor), key


# ---- mistakes -----------------------------------------------------------------------------------------


def test_earlier_run_is_not_overwritten(recipe: Path) -> None:
    result = train(load_config(recipe, ["train.max_steps=1"]), say=quiet)
    before = result.last.read_bytes()
    with pytest.raises(ConfigError, match=r"runs/easy: holds an earlier run.*--resume"):
        train(load_config(recipe), say=quiet)
    assert result.last.read_bytes() == before


def test_nothing_to_resume(recipe: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last\.ckpt: no such checkpoint to resume from"):
        train(load_config(recipe), resume=True, say=quiet)
    assert not (recipe.parent / "runs").exists()


def test_resume_and_weights(recipe: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        train(load_config(recipe), resume=True, weights="tiny", say=quiet)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.head_channels=24", r"last\.ckpt: .*shape.*another architecture"),
        ("model.head_convs=2", r"last\.ckpt: subnets\..* is missing"),
        ("train.optimizer=sgd", r"train\.optimizer=sgd: .*last\.ckpt was trained with adamw"),
    ],
)
def test_resume_of_another_model(recipe: Path, override: str, message: str) -> None:
    train(load_config(recipe, ["train.max_steps=1"]), say=quiet)
    with pytest.raises(SpatialFlowError, match=message):
        train(load_config(recipe, [override]), resume=True, say=quiet)


def test_resume_with_other_categories(recipe: Path, tmp_path: Path) -> None:
    train(load_config(recipe, ["train.max_steps=1"]), say=quiet)
    renamed = [{**c, "name": f"other {c['name']}"} for c in CATEGORIES]
    other = write_panoptic_set(tmp_path / "other", [ToyImage("first")], "train", renamed)
    overrides = [f"data.train={other}", f"data.val={other}", f"data.categories={other}"]
    with pytest.raises(CheckpointError, match=r"last\.ckpt: was trained on other categories"):
        train(load_config(recipe, overrides), resume=True, say=quiet)


def test_resume_from_a_damaged_checkpoint(recipe: Path) -> None:
    result = train(load_config(recipe, ["train.max_steps=1"]), say=quiet)
    result.last.write_bytes(result.last.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"last\.ckpt: is not a checkpoint"):
        train(load_config(recipe), resume=True, say=quiet)


def test_divergence_is_told(recipe: Path) -> None:
    overrides = ["train.optimizer=sgd", "train.lr=1e9", "train.warmup_steps=0", "train.clip_norm=null"]
    with pytest.raises(
        SpatialFlowError, match=r"diverged: the loss is (nan|inf) at step \d; lower train\.lr"
    ):
        train(load_config(recipe, overrides), say=quiet)
    assert not (recipe.parent / "runs" / "easy" / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.devices=two", r"train\.devices=two: give auto, a number"),
        ("train.accelerator=gpu", r"device 'cuda'"),
        ("train.devices=0", r"train\.devices=0 on cpu"),
        ("train.devices=0,1", r"train\.devices=0,1 on cpu.*give auto or a number"),
        ("train.devices=-1", r"train\.devices=-1 on cpu.*give auto or a number"),
        ("train.devices=9", r"val\.json: has 4 images for 9 processes; lower train\.devices"),
    ],
)
def test_wrong_hardware(recipe: Path, override: str, message: str) -> None:
    if "accelerator" in override and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=message):
        train(load_config(recipe, [override]), say=quiet)


def test_fp16_without_a_gpu(recipe: Path) -> None:
    """A recipe made for GPUs trains on a CPU as well, and says that it does so in another format."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    lines: list[str] = []
    train(load_config(recipe, ["train.precision=fp16", "train.max_steps=1"]), say=lines.append)
    (line,) = (line for line in lines if line.startswith("hardware"))
    assert "(fp16, as the recipe asks, needs a GPU)" in line
    assert "precision 16" not in line


def test_wrong_photo_is_named_and_ends_the_training(tmp_path: Path) -> None:
    truth = write_panoptic_set(tmp_path, name="train")
    photo = next((tmp_path / "images").iterdir())
    photo.write_bytes(photo.read_bytes()[:200])
    write_panoptic_set(tmp_path / "other", name="val")
    (tmp_path / "other" / "annotations" / "val.json").rename(truth.with_name("val.json"))
    recipe = write_easy_recipe(tmp_path / "toy.yaml", tmp_path)
    overrides = ["data.workers=1", f"data.val_segments={tmp_path / 'annotations' / 'train'}"]
    with pytest.raises(DataError, match=rf"{photo.name}: cannot be decoded.*truncated"):
        train(load_config(recipe, overrides), say=quiet)


def test_unwritable_folder(recipe: Path) -> None:
    (recipe.parent / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/runs.*choose another output folder"):
        train(load_config(recipe, [f"train.out={recipe.parent / 'file' / 'runs'}"]), say=quiet)


def test_full_disk_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"old")

    def full(*args: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0\nmore")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"last\.ckpt: cannot be written .*; free some space") as caught:
        AtomicCheckpointIO().save_checkpoint({}, path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# ---- logs ---------------------------------------------------------------------------------------------


def test_metrics_csv_grows_columns_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log = MetricsCsv(path)
    log.log_metrics({"a": 1.0}, 0)
    log.log_metrics({"a": 2.0}, 1)
    log.log_metrics({"b": 3.0}, 1)
    log.log_metrics({"a": 4.0, "b": 5.0}, 2)
    assert path.read_text().splitlines() == ["step,a,b", "0,1.0,", "1,2.0,", "1,,3.0", "2,4.0,5.0"]
    with path.open("a") as file:
        file.write("3,")  # cut short by a full disk
    MetricsCsv(path, 2).log_metrics({"b": 6.0}, 2)
    assert path.read_text().splitlines() == ["step,a,b", "0,1.0,", "1,2.0,", "1,,3.0", "2,,6.0"]
    MetricsCsv(path).log_metrics({"c": 7.0}, 0)
    assert path.read_text().splitlines() == ["step,c", "0,7.0"]


@pytest.mark.slow
def test_real_annotations_train_without_a_warning(recipe: Path, shared_data: Path) -> None:
    """Crowds, void, grey photos, photos without things or without stuff: once through all of them."""
    folder = shared_data / "coco" / "annotations"
    overrides = [f"data.{part}={folder / f'panoptic_mini_{part}.json'}" for part in ("train", "val")]
    overrides += [
        "data.categories=coco_panoptic",
        "data.train_scales=[[128, 80]]",
        "data.test_scale=[128, 80]",
    ]
    overrides += ["data.keep_images_without_things=true", "train.epochs=1", "model.mask_convs=0"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = train(load_config(recipe, overrides), say=quiet)
    assert len([row for row in rows(result) if row["loss/total"]]) == 96 // 4
    assert result.result is not None


TRAIN_AND_TELL = """
import json, os, sys
from pathlib import Path
from spatialflow.config import load_config
from spatialflow.training.run import train
recipe, weights, out, *overrides = sys.argv[1:]
result = train(load_config(recipe, overrides), weights=weights).result
if os.environ.get("LOCAL_RANK", "0") == "0":
    Path(out).write_text(json.dumps(result.to_json()))
"""


@pytest.mark.slow
def test_two_processes_come_to_the_same_quality(trained: TrainResult, tmp_path: Path) -> None:
    """Gloo on the CPU; 5 images, which 2 does not divide, each counted once; so with average precision."""
    write_easy_set(tmp_path / "data", val=5)
    recipe = write_easy_recipe(tmp_path / "easy.yaml", tmp_path / "data")
    script = tmp_path / "run.py"
    script.write_text(TRAIN_AND_TELL)
    still = ["train.max_steps=1", "train.lr=1e-12", "train.weight_decay=0", "model.freeze_batch_norm=true"]
    still += ["data.eval_batch_size=1", "train.average_precision=true"]
    found, logged = [], []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        overrides = [*still, f"name=run{processes}", f"train.devices={processes}"]
        command = [sys.executable, str(script), str(recipe), str(trained.last), str(out), *overrides]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        assert done.stdout.count("recipe     ") == 1
        found.append(json.loads(out.read_text()))
        (row,) = (row for row in rows(tmp_path / "runs" / f"run{processes}") if row["val/pq"])
        logged.append([float(row[f"val/{name}"]) for name in ("pq", "ap_bbox", "ap_segm")])
    one, two = found
    for group in ("All", "Things", "Stuff"):
        assert two[group]["pq"] == pytest.approx(one[group]["pq"], abs=1e-9)
        assert two[group]["n"] == one[group]["n"]
    for category, expected in one["per_class"].items():
        for count in ("tp", "fp", "fn"):
            assert two["per_class"][category][count] == expected[count]
    assert logged[1] == pytest.approx(logged[0], abs=1e-4)
    assert logged[0][1] > 10


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], ["train.devices=1"]])
def test_torchrun_trains_one_model(recipe: Path, tmp_path: Path, overrides: list[str]) -> None:
    """As many processes as were started train together, unless the recipe asks for another number."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "spatialflow", "train", str(recipe), "train.max_steps=1", *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    if overrides:
        assert done.returncode != 0
        assert "train.devices=1 train.nodes=1: are 1 processes, but 2 were started" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("hardware   2 x cpu") == 1
    assert torch.load(tmp_path / "runs" / "easy" / "last.ckpt", weights_only=True)["run"]["batch"] == 8
