"""What the original's users look for: its checkpoints converted, its metrics, test-time augmentation."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import spatialflow as sf
from make_data import write_photo
from make_training import easy_image
from spatialflow.checkpoints.files import load_checkpoint
from spatialflow.cli.evaluate import _split_metrics
from spatialflow.cli.main import run
from spatialflow.errors import ConfigError

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Exit code, standard output and error of a command."""

    def go(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return go


@pytest.mark.parametrize("half", [False, True])
def test_convert_checkpoint(call: Call, weights: Path, tmp_path: Path, half: bool) -> None:
    out = tmp_path / "new.safetensors"
    code, text, err = call("convert", "checkpoint", weights, out, *(["--half"] if half else []))
    assert (code, err) == (0, "")
    assert f"{out}: easy, classes: 2 things, 2 stuff, " in text
    before, after = load_checkpoint(weights), load_checkpoint(out)
    assert after.config == before.config
    assert after.categories == before.categories
    for key, tensor in before.state.items():
        expected = tensor.half().float() if half and tensor.is_floating_point() else tensor
        assert torch.equal(after.state[key], expected), key


def test_convert_an_original_checkpoint(call: Call, reference: Path, tmp_path: Path) -> None:
    """Every tensor comes back under our name, with the recipe and COCO's categories inside."""
    keys = json.loads((reference / "keys.json").read_text())["r50"]
    whole = set(keys["int64_keys"])
    state = {
        f"module.{key}": torch.tensor(i % 99, dtype=torch.int64 if key in whole else torch.half).expand(shape)
        for i, (key, shape) in enumerate(keys["state_dict"].items())
    }
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "r50.pth")
    code, _, err = call("convert", "checkpoint", tmp_path / "r50.pth", tmp_path / "r50.safetensors", "--half")
    assert (code, err) == (0, "")
    one, other = (load_checkpoint(tmp_path / f"r50.{suffix}") for suffix in ("pth", "safetensors"))
    assert one.config == other.config == sf.load_config("spatialflow_r50_fpn_20e_coco")
    assert other.categories.num_things == 80
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(tensor, other.state[key]) for key, tensor in one.state.items())


@pytest.mark.parametrize("name", ["a.pth", "a"])
def test_convert_to_another_format(call: Call, weights: Path, tmp_path: Path, name: str) -> None:
    code, _, err = call("convert", "checkpoint", weights, tmp_path / name)
    assert code == 2
    assert "end in .safetensors" in err
    assert not (tmp_path / name).exists()


def test_convert_a_foreign_checkpoint(call: Call, tmp_path: Path) -> None:
    state = {"backbone.conv1.weight": torch.ones(1), "rpn_head.rpn_conv.weight": torch.ones(1)}
    torch.save({"state_dict": state}, tmp_path / "mask_rcnn.pth")
    code, _, err = call("convert", "checkpoint", tmp_path / "mask_rcnn.pth", tmp_path / "a.safetensors")
    assert code == 2
    assert err.startswith(f"error: {tmp_path / 'mask_rcnn.pth'}: holds weights but neither our config")
    assert err.count("\n") == 1


def test_metrics(call: Call, recipe: Path, weights: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    given = ["-c", weights, "--out", tmp_path / "out", "--json-out", numbers, "--precision", "fp32"]
    code, text, err = call("evaluate", recipe, *given, "--per-class", "--metrics", "panoptic", "bbox", "segm")
    assert (code, err) == (0, "")
    assert "Panoptic quality" in text
    assert "Average precision" in text
    written = json.loads(numbers.read_text())
    assert written["All"]["pq"] > 0.5
    for kind in ("bbox", "segm"):
        assert 0.1 < written[kind]["ap"] <= written[kind]["ap50"] <= 1
    code, text, _ = call("evaluate", recipe, *given)
    assert code == 0
    assert "Average precision" not in text
    assert "bbox" not in json.loads(numbers.read_text())


def test_metrics_are_told_from_overrides() -> None:
    assert _split_metrics("panoptic", ["segm", "train.lr=1"]) == (["segm"], ["train.lr=1"])
    assert _split_metrics("segm,bbox", []) == (["bbox", "segm"], [])
    assert _split_metrics("panoptic", []) == ([], [])
    with pytest.raises(ConfigError, match="--metrics boxes: is unknown; choose among panoptic, bbox, segm"):
        _split_metrics("boxes", [])


def test_augmented(call: Call, recipe: Path, weights: Path, tmp_path: Path) -> None:
    """A single view that is the plain one gives the plain result; more views another, no worse."""
    given = ["-c", weights, "--precision", "fp32", "--out", tmp_path / "out", "--json-out"]
    plain = ["data.tta.scales=[[64,64]]", "data.tta.flip=false", "data.test_scale=[64,64]"]
    found = []
    said: list[bool] = []
    by_recipe = ["data.tta.flip=true", "data.tta.in_evaluation=true"]
    for options in (
        [],
        ["--tta"],
        ["--tta", "data.tta.flip=true"],
        by_recipe,
        [*by_recipe, "--no-tta"],
    ):
        number = tmp_path / f"{len(found)}.json"
        code, text, err = call("evaluate", recipe, *given, number, *plain, "data.eval_batch_size=1", *options)
        assert (code, err) == (0, "")
        found.append(json.loads(number.read_text())["All"]["pq"])
        said.append("with test-time augmentation" in text)
    assert said == [False, True, True, True, False]
    assert found[3:] == [found[2], found[0]]
    assert found[1] == pytest.approx(found[0], abs=0.02)
    assert found[2] != found[1]
    assert found[2] > found[0] - 0.1


def test_predict_augmented(call: Call, weights: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", easy_image("a", 1))
    code, text, err = call("predict", tmp_path / "a.png", "-c", weights, "--tta", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "1 of 1 photos done" in text
