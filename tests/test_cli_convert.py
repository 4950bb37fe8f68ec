"""``spatialflow convert`` of data: what it writes and says, and every mistake in one line."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_data import CAT, SKY, ToyImage, ToySegment, write_panoptic_set
from spatialflow.cli.main import run
from spatialflow.files import read_json, write_json

Call = Callable[..., tuple[int, str, str]]
COMMANDS = [
    "panoptic2detection",
    "panoptic2semantic",
    "detection2panoptic",
    "two-channel2panoptic",
    "cityscapes",
    "ade20k",
    "mapillary",
    "coco-stuff",
]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Exit code, standard output and error of a command."""

    def go(*arguments: object) -> tuple[int, str, str]:
        code = run(["convert", *(str(argument) for argument in arguments)])
        return (code, *capsys.readouterr())

    return go


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_panoptic_set(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(call: Call, command: str) -> None:
    code, text, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert f"Example: spatialflow convert {command} " in " ".join(text.split())
    assert "--out" in text
    assert "--overwrite" in text


def test_listed(call: Call) -> None:
    text = call()[1]
    assert all(command in text for command in COMMANDS)


def test_detection_and_back(call: Call, source: Path, tmp_path: Path) -> None:
    det, pan = tmp_path / "det.json", tmp_path / "pan.json"
    assert call("panoptic2detection", source, "--out", det) == (0, f"{det}: 2 images, 4 segments\n", "")
    assert call("detection2panoptic", det, "--out", pan, "--categories", source)[0] == 0
    assert len(read_json(pan)["annotations"]) == 2
    assert call("panoptic2detection", source, "--out", det, "--things-only", "--first-id", 1)[0] == 0
    assert [a["id"] for a in read_json(det)["annotations"]] == [1, 2]


def test_semantic(call: Call, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("panoptic2semantic", source, "--out", out, "--void", 255)[0] == 0
    with Image.open(out / "first.png") as image:
        assert sorted(set(np.asarray(image).ravel().tolist())) == [CAT, SKY, 255]
    code, _, err = call("panoptic2semantic", source, "--out", out)
    assert (code, err.count("\n")) == (2, 1)
    assert "pass --overwrite" in err
    assert call("panoptic2semantic", source, "--out", out, "--overwrite")[0] == 0
    assert call("panoptic2semantic", source, "--out", tmp_path / "out.json", "--things-other")[0] == 0
    assert {a["category_id"] for a in read_json(tmp_path / "out.json")["annotations"]} == {183, SKY}


def test_two_channel(call: Call, tmp_path: Path) -> None:
    write_json(tmp_path / "i.json", {"images": [{"id": 1, "file_name": "a.jpg", "height": 2, "width": 2}]})
    (tmp_path / "two").mkdir()
    Image.fromarray(np.full((2, 2, 3), (18, 1, 0), np.uint8)).save(tmp_path / "two" / "a.png")
    code, text, err = call(
        "two-channel2panoptic", tmp_path / "i.json", tmp_path / "two", "--out", tmp_path / "o.json"
    )
    assert (code, text, err) == (0, f"{tmp_path / 'o.json'}: 1 images, 1 segments\n", "")


def test_cityscapes(call: Call, tmp_path: Path) -> None:
    for folder, name, mode in (("leftImg8bit", "leftImg8bit", "RGB"), ("gtFine", "gtFine_instanceIds", "L")):
        path = tmp_path / folder / "val" / "ulm" / f"ulm_000000_000019_{name}.png"
        path.parent.mkdir(parents=True)
        Image.new(mode, (4, 3), 7 if mode == "L" else 0).save(path)
    code, text, err = call(
        "cityscapes", tmp_path, "--split", "val", "--out", tmp_path / "o.json", "--workers", 1
    )
    assert (code, err) == (0, "")
    assert "1 images, 1 segments" in text
    assert f"its photos: {tmp_path / 'leftImg8bit' / 'val'} (data.train_images, data.val_images)" in text


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_ade20k(call: Call, tmp_path: Path) -> None:
    save(tmp_path / "images" / "validation" / "a.jpg", np.zeros((3, 4, 3), np.uint8))
    save(tmp_path / "annotations" / "validation" / "a.png", np.full((3, 4), 3, np.uint8))
    things = np.zeros((3, 4, 3), np.uint8)
    things[0, 0] = 4, 1, 0
    save(tmp_path / "annotations_instance" / "validation" / "a.png", things)
    code, text, err = call("ade20k", tmp_path, "--split", "validation", "--out", tmp_path / "o.json")
    assert (code, err) == (0, "")
    assert "1 images, 2 segments" in text
    assert f"its photos: {tmp_path / 'images' / 'validation'} (data.train_images" in text


def test_mapillary(call: Call, tmp_path: Path) -> None:
    label = {"name": "a--b", "readable": "B", "instances": True, "evaluate": True, "color": [1, 2, 3]}
    write_json(tmp_path / "config_v2.0.json", {"labels": [label]})
    save(tmp_path / "validation" / "images" / "a.jpg", np.zeros((2, 2, 3), np.uint8))
    save(tmp_path / "validation" / "v2.0" / "instances" / "a.png", np.array([[0, 1], [1, 1]], np.uint16))
    given = [
        "mapillary",
        tmp_path,
        "--out",
        tmp_path / "o.json",
        "--split",
        "validation",
        "--version",
        "v2.0",
    ]
    code, text, err = call(*given, "--from", "instances")
    assert (code, err) == (0, "")
    assert "1 images, 2 segments" in text
    assert f"its photos: {tmp_path / 'validation' / 'images'} (data.train_images" in text
    code, _, err = call(*given)
    assert (code, err.count("\n")) == (2, 1)
    assert "panoptic: no such folder; unpack it, or convert the instances (--from instances)" in err


def test_coco_stuff(call: Call, tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg", "height": 2, "width": 2}]
    for name, category_id in (("things", 1), ("stuff", 92)):
        runs = {"size": [2, 2], "counts": [category_id % 2, 2, 2 - category_id % 2]}
        mask = {"image_id": 1, "category_id": category_id, "segmentation": runs}
        write_json(tmp_path / f"{name}.json", {"images": images, "annotations": [mask]})
    save(tmp_path / "maps" / "a.png", np.full((2, 2), 91, np.uint8))
    for stuff in ("stuff.json", "maps"):
        out = tmp_path / f"of_{stuff}.json"
        code, text, err = call("coco-stuff", tmp_path / "things.json", tmp_path / stuff, "--out", out)
        assert (code, err) == (0, "")
        assert "1 images, 2 segments" in text


def test_overlap(call: Call, source: Path, tmp_path: Path) -> None:
    det = tmp_path / "det.json"
    call("panoptic2detection", source, "--out", det)
    content = read_json(det)
    content["annotations"] += content["annotations"][:1]
    write_json(det, content)
    given = ["detection2panoptic", det, "--out", tmp_path / "o.json", "--categories", source]
    code, _, err = call(*given)
    assert (code, err.count("\n")) == (2, 1)
    assert "are in more than one segment" in err
    code, text, err = call(*given, "--overlap", "order")
    assert (code, err) == (0, "")
    assert re.search(r"\d+ pixels of 1 images were in several masks", text)
    code, _, err = call(*given, "--overlap", "both")
    assert (code, "choose among error, smaller-on-top, order" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["panoptic2detection", "none.json", "--out", "o.json"], "none.json: no such file"),
        (["panoptic2detection", "ANN", "--out", "o.txt"], "ends in .json"),
        (["panoptic2detection", "ANN"], "Missing option '--out'"),
        (["panoptic2detection", "ANN", "--out", "o.json", "--segments", "none"], "none: no such folder"),
        (
            ["panoptic2semantic", "ANN", "--out", "o", "--void", "3"],
            "choose another value for that: --void 255",
        ),
        (["detection2panoptic", "ANN", "--out", "o.json"], "needs no conversion"),
        (["two-channel2panoptic", "ANN", "none", "--out", "o.json"], "none: no such folder"),
        (["cityscapes", "none", "--out", "o.json"], "no such folder"),
        (["cityscapes", ".", "--out", "o.json", "--workers", "0"], "--workers"),
        (["ade20k", ".", "--out", "o.json"], "name the folder ADEChallengeData2016"),
        (["mapillary", ".", "--out", "o.json"], "no such folder"),
        (["mapillary", ".", "--out", "o.json", "--version", "v3"], "choose among v1.2, v2.0"),
        (["mapillary", ".", "--out", "o.json", "--from", "x"], "choose among panoptic, instances"),
        (["coco-stuff", "ANN", "ANN", "--out", "o.json"], "give COCO's file of things"),
        (["panoptic2detection", "ANN", "--out", "ANN"], "so it is not replaced"),
    ],
)
def test_mistakes(
    call: Call,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, err = call(*(str(source) if a == "ANN" else a for a in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert set(tmp_path.rglob("*")) == before


def test_trains_on_what_was_converted(call: Call, tmp_path: Path) -> None:
    """Through detection and back, then one short training on it."""
    segments = [ToySegment(SKY, (0, 0, 64, 32)), ToySegment(CAT, (10, 8, 40, 40))]
    source = write_panoptic_set(
        tmp_path, [ToyImage(str(i), size=(64, 64), segments=segments) for i in range(2)]
    )
    back = tmp_path / "annotations" / "back.json"
    call("panoptic2detection", source, "--out", tmp_path / "det.json")
    assert call("detection2panoptic", tmp_path / "det.json", "--out", back, "--categories", source)[0] == 0
    recipe = tmp_path / "short.yaml"
    recipe.write_text("base: spatialflow_tiny\n")
    changes = [
        f"data.train={back}",
        f"data.val={back}",
        f"data.categories={back}",
        f"train.out={tmp_path}/runs",
    ]
    changes += ["train.epochs=1", "data.batch_size=2", "data.workers=0", "train.devices=1"]
    code = run(["train", str(recipe), *changes])
    assert code == 0
