"""The commands as a user runs them; mistakes of input are in test_cli_mistakes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from make_cli import Command
from make_data import write_photo
from make_training import easy_image
from spatialflow.image_io import read_id_png


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for i in range(3):
        write_photo(folder / f"{i}.png", easy_image(str(i), i))
    return folder


def entries(result: Path) -> list[dict[str, object]]:
    content = json.loads((result / "panoptic.json").read_text())
    assert {"images", "annotations", "categories"} <= set(content)
    annotations: list[dict[str, object]] = content["annotations"]
    return annotations


# ---- the program --------------------------------------------------------------------------------------


def test_version(spatialflow: Command) -> None:
    import spatialflow as package

    assert spatialflow("--version") == (0, f"spatialflow {package.__version__}\n", "")


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "pq", "demo"])
def test_help_has_an_example_or_says_it_all(spatialflow: Command, command: str) -> None:
    code, out, err = spatialflow(command, "--help")
    assert (code, err) == (0, "")
    assert "Usage: " in out
    assert command == "demo" or "Example: spatialflow" in out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(spatialflow: Command, arguments: list[str]) -> None:
    code, out, _ = spatialflow(*arguments)
    assert code == 0
    for command in ("train", "evaluate", "predict", "pq", "demo"):
        assert command in out


def test_help_breaks_lines_only_where_the_terminal_does(
    spatialflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    words = "What the model is and how photos are prepared, one of our checkpoints says itself;"
    assert words in spatialflow("evaluate", "--help").out
    assert "the worst first, and false positives" in spatialflow("data", "view", "--help").out


def test_help_needs_no_pytorch() -> None:
    """It is answered in well under a second because nothing heavy is imported."""
    program = (
        "import sys; from spatialflow.cli.main import run; code = run(['--help']); "
        "heavy = {'torch', 'lightning', 'timm', 'cv2', 'numpy', 'pydantic'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["predict", "a.jpg", "--out", "b"], "Missing option '--checkpoint'"),
        (["predict", "--checkpoint", "tiny", "--out", "b"], "Missing argument 'IMAGE|FOLDER|GLOB|VIDEO'"),
        (["evaluate", "spatialflow_tiny", "--chekpoint", "tiny"], "--chekpoint"),
        (["demo", "--seed", "-1"], "--seed"),
        (["pq", "a.json"], "Missing argument 'PRED.json'"),
    ],
)
def test_wrong_use_is_one_line(spatialflow: Command, arguments: list[str], message: str) -> None:
    code, out, err = spatialflow(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert "--help`" in err


# ---- predict ------------------------------------------------------------------------------------------


def test_predict_a_folder(spatialflow: Command, photos: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, err = spatialflow("predict", photos, "--checkpoint", weights, "--out", out, "--device", "cpu")
    assert (code, err) == (0, "")
    assert "running on cpu" in said
    assert f"3 of 3 photos done: {out / 'panoptic.json'}" in said
    assert sorted(p.name for p in (out / "panoptic").iterdir()) == ["0.png", "1.png", "2.png"]
    for entry in entries(out):
        painted = set(read_id_png(out / "panoptic" / str(entry["file_name"])).ravel().tolist()) - {0}
        infos = entry["segments_info"]
        assert isinstance(infos, list)
        assert painted == {info["id"] for info in infos}
    with Image.open(out / "overlay" / "0.jpg") as overlay:
        assert overlay.width >= 64


def test_predict_files_and_globs_without_overlay(
    spatialflow: Command, photos: Path, weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, _, _ = spatialflow(
        "predict", photos / "2.png", photos / "[01].png", "-c", weights, "--out", out, "--no-overlay"
    )
    assert code == 0
    assert [entry["file_name"] for entry in entries(out)] == ["2.png", "0.png", "1.png"]
    assert not (out / "overlay").exists()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_is_said(
    spatialflow: Command, photos: Path, weights: Path, tmp_path: Path, precision: str
) -> None:
    code, said, _ = spatialflow(
        "predict",
        photos,
        "-c",
        weights,
        "--out",
        tmp_path / "out",
        "--precision",
        precision,
        "--device",
        "cpu",
    )
    assert code == 0
    assert f", {precision}\n" in said


def test_bad_photos_are_skipped(spatialflow: Command, photos: Path, weights: Path, tmp_path: Path) -> None:
    (photos / "1.png").write_bytes((photos / "1.png").read_bytes()[:300])
    (photos / "2.png").write_text("no photo")
    out = tmp_path / "out"
    code, said, err = spatialflow("predict", photos, "-c", weights, "--out", out)
    assert code == 1
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"skipped: {photos / '1.png'}: cannot be decoded")
    assert lines[1].startswith(f"skipped: {photos / '2.png'}: is not an image")
    assert "1 of 3 photos done" in said
    assert [entry["file_name"] for entry in entries(out)] == ["0.png"]


def test_second_result_says_that_it_replaces_the_first(
    spatialflow: Command, photos: Path, weights: Path, tmp_path: Path
) -> None:
    command = ("predict", photos, "-c", weights, "--out", tmp_path / "out", "--no-overlay")
    assert "earlier" not in spatialflow(*command).out
    assert "panoptic.json, in the place of the earlier one" in spatialflow(*command).out


# ---- train, evaluate, pq ------------------------------------------------------------------------------


def test_train_evaluate_and_pq_agree(spatialflow: Command, recipe: Path, tmp_path: Path) -> None:
    code, said, err = spatialflow("train", recipe, "train.epochs=8", "train.val_every=8")
    assert (code, err) == (0, "")
    last = tmp_path / "runs" / "easy" / "last.ckpt"
    assert f"checkpoints: {last} (last)" in said

    numbers = tmp_path / "numbers.json"
    code, said, err = spatialflow(
        "evaluate", recipe, "-c", last, "--json-out", numbers, "--per-class", "--precision", "fp32"
    )
    assert (code, err) == (0, "")
    out = tmp_path / "runs" / "easy" / "evaluate"
    assert f"result: {out / 'panoptic.json'}" in said
    for row in ("All", "Things", "Stuff", "cat", "dog", "grass", "sky"):
        assert row in said
    result = json.loads(numbers.read_text())
    assert result["All"]["n"] == 4
    assert result["Stuff"]["pq"] > 0
    assert f"{100 * result['All']['pq']:.1f}" in said

    again = tmp_path / "again.json"
    truth = tmp_path.parent / "nowhere"
    truth = Path(json.loads(json.dumps(recipe_data(recipe)))["val"])
    code, table, err = spatialflow("pq", truth, out / "panoptic.json", "--json-out", again)
    assert (code, err) == (0, "")
    assert json.loads(again.read_text()) == result
    assert "All" in table
    assert "cat" not in table


def recipe_data(recipe: Path) -> dict[str, str]:
    import yaml

    data: dict[str, str] = yaml.safe_load(recipe.read_text())["data"]
    return data


def test_pq_with_folders_named(spatialflow: Command, easy_data: Path, tmp_path: Path) -> None:
    truth = easy_data / "annotations" / "val.json"
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes(truth.read_bytes())
    pngs = truth.with_suffix("")
    code, said, _ = spatialflow("pq", moved, moved, "--gt-dir", pngs, "--pred-dir", pngs, "--per-class")
    assert code == 0
    assert "100.0" in said


def test_checkpoint_rules_the_model_and_the_recipe_the_data(
    spatialflow: Command, weights: Path, recipe: Path, tmp_path: Path
) -> None:
    """The default recipe is of another model and another test scale."""
    data = recipe_data(recipe)
    numbers = {}
    for name, arguments in {
        "own": [recipe],
        "other": ["spatialflow_r50_fpn_20e_coco", f"data.val={data['val']}", "data.workers=0"],
        "overridden": [recipe, "model.merge.score_threshold=0.99"],
    }.items():
        out = tmp_path / name
        code, said, err = spatialflow(
            "evaluate", *arguments, "-c", weights, "--out", out, "--json-out", out / "n"
        )
        assert (code, err) == (0, "")
        numbers[name] = json.loads((out / "n").read_text())
        assert ("note: " in said) is (name == "other")
        if name == "other":
            assert "differ in model.backbone" in said
            assert "the checkpoint's values are used" in said
    assert numbers["other"] == numbers["own"]
    assert numbers["own"]["Things"]["pq"] > 0
    assert numbers["overridden"]["Things"]["pq"] == 0
    assert numbers["overridden"]["Stuff"]["pq"] > 0


def test_weights_and_resume(spatialflow: Command, recipe: Path, weights: Path) -> None:
    assert spatialflow("train", recipe, "train.max_steps=1", "--weights", weights).code == 0
    assert spatialflow("train", recipe, "train.max_steps=1").code == 2
    code, said, _ = spatialflow("train", recipe, "train.max_steps=2", "--resume")
    assert code == 0
    assert "resumed    after step 1" in said


def test_interrupt(spatialflow: Command, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spatialflow.training.module import PanopticModule

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PanopticModule, "training_step", stop)
    code, _, err = spatialflow("train", recipe)
    assert (code, err) == (130, "interrupted\n")


def test_shipped_checkpoint_is_named_where_one_is_missing(spatialflow: Command, photos: Path) -> None:
    assert "tiny" in spatialflow("predict", photos, "-c", "none.ckpt", "--out", "x").err


def test_installed_program() -> None:
    program = Path(sys.executable).with_name("spatialflow")
    started = time.monotonic()
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 5  # about 0.7 s on an idle machine
    assert "predict" in done.stdout
    done = subprocess.run([program, "pq"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Missing argument 'GT.json'; see `spatialflow pq --help`\n"
