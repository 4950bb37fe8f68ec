"""Every mistake of input ends in one line on standard error, exit code 2, and nothing half-written."""

import errno
import os
import pickle
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from make_data import CATEGORIES, edit_json, write_panoptic_set
from make_training import easy_image, write_easy_recipe
from spatialflow.cli.main import run
from spatialflow.image_io import read_id_png, write_id_png
from spatialflow.training.run import TrainResult

Fails = Callable[..., str]


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Fails:
    """Run a command that must fail in the agreed way; returns what it says."""

    def call(*arguments: object) -> str:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        err = capfd.readouterr().err
        assert code == 2, err
        assert err.startswith("error: "), err
        assert err.count("\n") == 1, err
        return err

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(easy_image("photo", 1).pixels()).save(path)
    return path


def files_in(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")} if folder.exists() else set()


# ---- predict ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.jpg", "none.jpg: no such photo or folder; check the path"),
        ("*.tiff", "*.tiff: the pattern matches no file"),
        ("empty", "empty: the folder holds no photos"),
        ("short.jpg", "short.jpg: cannot be decoded"),
        ("text.jpg", "text.jpg: is not an image that can be read"),
        ("empty.jpg", "empty.jpg: is empty; fetch it again"),
    ],
)
def test_predict_without_a_photo(
    fails: Fails, tmp_path: Path, weights: Path, photo: Path, source: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "empty.jpg").touch()
    with Image.open(photo) as image:
        image.save(tmp_path / "whole.jpg")
    (tmp_path / "short.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-200])
    out = tmp_path / "out"
    assert message in fails("predict", tmp_path / source, "-c", weights, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--device", "gpu", "use auto, cpu, cuda"),
        ("--device", "cuda:99", "use "),
        ("--precision", "half", "precision 'half' is unknown; use auto, fp32, bf16, fp16"),
        ("--precision", "fp16", "precision fp16 needs a GPU"),
    ],
)
def test_wrong_hardware(
    fails: Fails, tmp_path: Path, weights: Path, photo: Path, option: str, value: str, message: str
) -> None:
    out = tmp_path / "out"
    device = () if option == "--device" else ("--device", "cpu")
    assert message in fails("predict", photo, "-c", weights, "--out", out, option, value, *device)
    assert not out.exists()


class Sentinel:
    """Unpickling it would run code."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (77,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.ckpt", "none.ckpt: no such checkpoint"),
        ("folder.ckpt", "folder.ckpt: is a folder"),
        ("text.pth", "text.pth: is not a checkpoint"),
        ("empty.ckpt", "empty.ckpt: is not a checkpoint"),
        ("code.pth", "code.pth: is not a checkpoint that can be loaded safely"),
        ("list.pth", "list.pth: state_dict: is missing"),
        ("numbers.pth", "numbers.pth: state_dict: is missing or holds no tensors"),
        ("foreign.pth", "foreign.pth: holds weights but neither our config nor"),
        ("foreign.safetensors", "foreign.safetensors: holds weights but neither our config nor"),
        ("text.safetensors", "text.safetensors: is not a readable safetensors file"),
        ("photo.png", "photo.png: is not a checkpoint"),
        ("short.safetensors", "short.safetensors: is not a readable safetensors file"),
        ("short.ckpt", "short.ckpt: is not a checkpoint"),
        ("original.pth", "original.pth: "),
    ],
)
def test_no_checkpoint(
    fails: Fails, tmp_path: Path, weights: Path, trained: TrainResult, photo: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.ckpt").mkdir()
    (tmp_path / "empty.ckpt").touch()
    for text in ("text.pth", "text.safetensors"):
        (tmp_path / text).write_text("not at all")
    with (tmp_path / "code.pth").open("wb") as file:
        pickle.dump({"state_dict": Sentinel()}, file)
    tensors = {"weight": torch.zeros(2)}
    for file_name, content in {
        "list.pth": [1, 2],
        "numbers.pth": {"state_dict": {"a": 1}},
        "foreign.pth": {"state_dict": tensors},
        "original.pth": {
            "state_dict": {
                "bbox_head.retina_cls.weight": tensors["weight"],
                "stuff_head.conv.weight": tensors["weight"],
            }
        },
    }.items():
        torch.save(content, tmp_path / file_name)
    save_file(tensors, tmp_path / "foreign.safetensors")
    (tmp_path / "short.safetensors").write_bytes(weights.read_bytes()[:5000])
    (tmp_path / "short.ckpt").write_bytes(trained.last.read_bytes()[:5000])
    out = tmp_path / "out"
    assert message in fails("predict", photo, "-c", tmp_path / name, "--out", out)
    assert not out.exists()


# ---- output -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["predict", "evaluate", "train", "demo", "pq", "evaluate-json"])
def test_folder_that_cannot_be_written(
    fails: Fails, tmp_path: Path, weights: Path, photo: Path, recipe: Path, easy_data: Path, command: str
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    truth = easy_data / "annotations" / "val.json"
    arguments: dict[str, tuple[object, ...]] = {
        "predict": ("predict", photo, "-c", weights, "--out", out),
        "evaluate": ("evaluate", recipe, "-c", weights, "--out", out),
        "evaluate-json": ("evaluate", recipe, "-c", weights, "--json-out", out / "n.json"),
        "train": ("train", recipe, f"train.out={out}"),
        "demo": ("demo", "--out", out),
        "pq": ("pq", truth, truth, "--json-out", out / "n.json"),
    }
    message = fails(*arguments[command])
    assert f"{out}" in message
    assert "choose another output folder" in message


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """No file can grow beyond so many bytes: writes fail in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("command", "size"), [("predict", 100), ("predict", 3000), ("evaluate", 1000), ("train", 200_000)]
)
def test_files_that_cannot_grow(
    limit_files: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    weights: Path,
    photo: Path,
    recipe: Path,
    command: str,
    size: int,
) -> None:
    out = tmp_path / "out"
    arguments: dict[str, tuple[object, ...]] = {
        "predict": (photo, "-c", weights, "--out", out),
        "evaluate": (recipe, "-c", weights, "--out", out),
        "train": (recipe, f"train.out={out}"),
    }
    limit_files(size)
    code = run([command, *map(str, arguments[command])])
    err = capsys.readouterr().err
    assert code == 2, err
    assert err.startswith("error: "), err
    assert err.count("\n") == 1, err
    assert "cannot be written" in err
    assert not [name for name in files_in(out) if ".tmp" in name or name.endswith((".ckpt", ".json"))]
    for png in out.rglob("*.png"):
        read_id_png(png)
    assert not list(out.rglob("*.jpg")), "what cannot be written whole is not there"


def test_full_disk_anywhere(
    fails: Fails, tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no code of ours is in between, as in a logger's thread."""
    from spatialflow.cli import commands

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/events")

    monkeypatch.setattr(commands, "say", full)
    monkeypatch.setattr("spatialflow.inference.folder.find_photos", full)
    message = fails("predict", photo, "-c", "tiny", "--out", tmp_path / "out")
    assert "/disk/events: cannot be written (No space left on device); free some space" in message


# ---- ground truth -------------------------------------------------------------------------------------

Breaker = Callable[[Path], object]


def content_change(change: Callable[[Any], object]) -> Breaker:
    return lambda truth: edit_json(truth, change)


def png_of(truth: Path) -> Path:
    return truth.with_suffix("") / f"{truth.stem[0]}0.png"


def photo_of(truth: Path, number: int) -> Path:
    return truth.parents[1] / "images" / f"{truth.stem[0]}{number}.png"


def repaint(change: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Breaker:
    def breaker(truth: Path) -> None:
        write_id_png(png_of(truth), change(read_id_png(png_of(truth)).copy()))

    return breaker


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def detection_file(content: Any) -> None:
    """Make a COCO detection file of it, the common mistake."""
    for category in content["categories"]:
        del category["isthing"]
    content["annotations"] = [
        {"id": i, "image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}
        for i in range(1, 4)
    ]


def first(content: Any) -> Any:
    return content["annotations"][0]["segments_info"][0]


BROKEN: dict[str, tuple[Breaker, str]] = {
    "no-file": (lambda t: t.unlink(), r"{json}: no such file"),
    "cut-json": (cut, r"{json}: is not valid JSON.*truncated"),
    "list": (lambda t: t.write_text("[]"), r"{json}: .*not COCO panoptic"),
    "detection": (content_change(detection_file), r"{json}: .*convert"),
    "no-categories": (content_change(lambda c: c.pop("categories")), r"{json}: categories: .*missing"),
    "no-annotations": (content_change(lambda c: c.pop("annotations")), r"{json}: annotations: .*missing"),
    "no-segments": (
        content_change(lambda c: c["annotations"][0].pop("segments_info")),
        r"{json}: annotations\[0\]\.segments_info: .*",
    ),
    "no-id": (content_change(lambda c: first(c).pop("id")), r"segments_info\[0\]\.id: .*missing"),
    "no-category": (content_change(lambda c: first(c).pop("category_id")), r"category_id: .*missing"),
    "unknown-category": (content_change(lambda c: first(c).update(category_id=99)), r"category_id.* 99"),
    "double-segment": (
        content_change(lambda c: first(c).update(id=c["annotations"][0]["segments_info"][1]["id"])),
        r"segment \d+ .*twice",
    ),
    "double-image": (content_change(lambda c: c["images"][1].update(id=1)), r"images\[1\]\.id: .*twice"),
    "double-category": (content_change(lambda c: c["categories"][1].update(id=3)), r"categories.*3.*twice"),
    "no-png": (lambda t: png_of(t).unlink(), r"{png}: no such panoptic PNG"),
    "no-folder": (lambda t: shutil.rmtree(t.with_suffix("")), r"{folder}"),
    "cut-png": (lambda t: cut(png_of(t)), r"{png}: the PNG is truncated"),
    "photo-for-png": (lambda t: Image.new("L", (64, 64)).save(png_of(t)), r"{png}: is not an 8-bit RGB PNG"),
}
ONLY_WITH_PHOTOS: dict[str, tuple[Breaker, str]] = {
    "png-of-other-size": (repaint(lambda ids: ids[:32]), r"{png}: .*64x32.*"),
    "id-not-in-json": (repaint(lambda ids: np.where(ids == 1001, 777, ids)), r"{png}: .*777"),
    "id-not-in-png": (repaint(lambda ids: np.where(ids == 1001, 1002, ids)), r"{png}: .*1001"),
    "no-photo": (lambda t: photo_of(t, 1).unlink(), r"1\.png: no such image"),
    "cut-photo": (lambda t: cut(photo_of(t, 0)), r"0\.png: cannot be decoded"),
    "no-photos": (lambda t: shutil.rmtree(t.parents[1] / "images"), r"{json}: "),
}


def pattern(template: str, truth: Path) -> re.Pattern[str]:
    names = {"json": truth, "png": png_of(truth), "folder": truth.with_suffix("")}
    for key, path in names.items():
        template = template.replace(f"{{{key}}}", re.escape(str(path)))
    return re.compile(template)


@pytest.fixture
def data(tmp_path: Path, easy_data: Path) -> Path:
    return Path(shutil.copytree(easy_data, tmp_path / "data"))


@pytest.mark.parametrize("case", [*BROKEN, *ONLY_WITH_PHOTOS])
def test_broken_truth_in_training(fails: Fails, tmp_path: Path, data: Path, case: str) -> None:
    breaker, message = (BROKEN | ONLY_WITH_PHOTOS)[case]
    truth = data / "annotations" / "train.json"
    recipe = write_easy_recipe(tmp_path / "easy.yaml", data)
    categories = f"data.categories={data / 'annotations' / 'val.json'}"
    breaker(truth)
    assert pattern(message, truth).search(fails("train", recipe, categories))
    assert not [name for name in files_in(tmp_path / "runs") if name.endswith(".ckpt") or ".tmp" in name]


@pytest.mark.parametrize("case", [*BROKEN, *ONLY_WITH_PHOTOS])
def test_broken_truth_in_evaluation(
    fails: Fails, tmp_path: Path, data: Path, weights: Path, case: str
) -> None:
    breaker, message = (BROKEN | ONLY_WITH_PHOTOS)[case]
    truth = data / "annotations" / "val.json"
    recipe = write_easy_recipe(tmp_path / "easy.yaml", data)
    breaker(truth)
    assert pattern(message, truth).search(fails("evaluate", recipe, "-c", weights))
    assert not [name for name in files_in(tmp_path / "runs") if name.endswith(".json") or ".tmp" in name]


@pytest.mark.parametrize(
    ("key", "command"), [("val", ()), ("test", ("--split", "test-dev", "--algorithm", "mine"))]
)
def test_missing_annotations_of_a_recipe(fails: Fails, weights: Path, key: str, command: tuple[str]) -> None:
    told = fails(
        "evaluate", "spatialflow_r50_fpn_20e_coco", f"data.{key}=x_test-dev.json", "-c", weights, *command
    )
    assert told == f"error: x_test-dev.json: no such file; name the annotations, data.{key}=FILE\n"


@pytest.mark.parametrize("case", BROKEN)
def test_broken_truth_in_pq(fails: Fails, tmp_path: Path, data: Path, easy_data: Path, case: str) -> None:
    breaker, message = BROKEN[case]
    truth = data / "annotations" / "val.json"
    breaker(truth)
    numbers = tmp_path / "numbers.json"
    command = ("pq", truth, easy_data / "annotations" / "val.json", "--json-out", numbers)
    assert pattern(message, truth).search(fails(*command))
    assert not numbers.exists()


def test_prediction_without_an_image(fails: Fails, data: Path, easy_data: Path) -> None:
    prediction = data / "annotations" / "val.json"
    edit_json(prediction, lambda c: c["annotations"].pop(2))
    message = fails("pq", easy_data / "annotations" / "val.json", prediction)
    assert f"{prediction}: annotations: image 3 of " in message
    assert "has no prediction; add one" in message


# ---- recipes and models that do not fit ---------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spatialflow_tini"], "recipe 'spatialflow_tini' is unknown; did you mean 'spatialflow_tiny'?"),
        (["none.yaml"], "none.yaml: the recipe cannot be read"),
        (["spatialflow_tiny", "train.lrr=1"], "train.lrr is no known key; did you mean 'train.lr'?"),
        (["spatialflow_tiny", "train.lr"], "override 'train.lr': expected key.sub=value"),
        (["spatialflow_tiny", "train.lr=fast"], "train.lr: "),
        (["spatialflow_tiny", "model.backbone=resnet5"], "model.backbone=resnet5: timm has no such model"),
    ],
)
def test_wrong_recipe(
    fails: Fails,
    tmp_path: Path,
    weights: Path,
    easy_data: Path,
    command: str,
    arguments: list[str],
    message: str,
) -> None:
    truth = easy_data / "annotations" / "val.json"
    data = (
        [f"data.{key}={truth}" for key in ("train", "val", "categories")] if "model" in arguments[-1] else []
    )
    more = (
        ["-c", weights]
        if command == "evaluate"
        else [f"train.out={tmp_path}"]
        if "=" in arguments[-1]
        else []
    )
    assert message in fails(command, *arguments, *data, *more)


def test_checkpoint_of_other_classes(fails: Fails, tmp_path: Path, weights: Path) -> None:
    renamed = [{**c, "name": f"other {c['name']}"} for c in CATEGORIES]
    truth = write_panoptic_set(tmp_path, name="val", categories=renamed)
    recipe = write_easy_recipe(tmp_path / "easy.yaml", tmp_path)
    message = fails("evaluate", recipe, "-c", weights, f"data.train={truth}", f"data.categories={truth}")
    assert f"{truth}: categories: id 3 is the thing 'other cat'" in message


def test_weights_of_another_backbone(fails: Fails, recipe: Path, weights: Path, tmp_path: Path) -> None:
    options = "model.backbone_options={channels: [8, 16, 16, 32]}"
    message = fails("train", recipe, "--weights", weights, options)
    assert f"{weights}: backbone.body.layer4.0.conv1.weight: has shape" in message
    assert "set model.backbone and its options as the file has them" in message
    assert not (tmp_path / "runs").exists()


def test_overridden_architecture_does_not_fit(fails: Fails, recipe: Path, weights: Path) -> None:
    message = fails("evaluate", recipe, "-c", weights, "model.head_convs=3")
    assert f"{weights}: subnets." in message
    assert "is missing" in message
