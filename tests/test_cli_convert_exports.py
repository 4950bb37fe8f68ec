"""``spatialflow convert`` of annotation tools' exports: what it writes and says, and each mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from make_exports import write, write_classes, write_mask, write_photo
from spatialflow.cli.main import run
from spatialflow.files import read_json

Call = Callable[..., tuple[int, str, str]]
CAT = {"label": "cat", "points": [[0, 0], [4, 4]], "shape_type": "rectangle"}
RECTANGLE = {"x": 0, "y": 0, "width": 50, "height": 100, "rectanglelabels": ["cat"]}
REGION = {"type": "rectanglelabels", "original_width": 6, "original_height": 4, "value": RECTANGLE}
BOX = '<box label="cat" xtl="0" ytl="0" xbr="3" ybr="4"/>'


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Exit code, standard output and error of a command that runs in ``tmp_path``, which has the exports."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path)
    write_photo(tmp_path / "photos" / "a.jpg")
    write(tmp_path / "photos" / "a.json", {"imagePath": "a.jpg", "shapes": [CAT, {**CAT, "label": "dog"}]})
    write(tmp_path / "ls.json", [{"data": {"image": "a.jpg"}, "annotations": [{"result": [REGION]}]}])
    image = f'<image name="a.jpg" width="6" height="4">{BOX}</image>'
    write(tmp_path / "cvat.xml", f"<annotations>{image}</annotations>")
    write_mask(tmp_path / "masks" / "a.png", [[1] * 6] * 4)

    def go(*arguments: str) -> tuple[int, str, str]:
        return (run(["convert", *arguments]), *capsys.readouterr())

    return go


@pytest.mark.parametrize("command", ["labelme", "cvat", "label-studio", "masks"])
def test_help(call: Call, command: str) -> None:
    code, text, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert f"Example: spatialflow convert {command} " in " ".join(text.split())
    for option in ("--out", "--classes", "--images", "--overlap", "--ignore-unknown", "--overwrite"):
        assert option in text
    assert command in call()[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["labelme", "photos", "--overlap", "order"],
            "1 images, 1 segments; 16 pixels of 1 images were in several masks; "
            "1 masks have no pixel and are left out",
        ),
        (["cvat", "cvat.xml", "--images", "photos", "--workers", "1"], "1 images, 1 segments"),
        (["label-studio", "ls.json", "--images", "photos"], "1 images, 1 segments"),
        (
            ["label-studio", "ls.json", "--image-key", "image"],
            "1 images, 1 segments; 1 photos were",
        ),
        (["masks", "masks", "--images", "photos", "--layout", "labels", "--split"], "1 images, 1 segments"),
    ],
)
def test_commands(call: Call, arguments: list[str], said: str) -> None:
    code, text, err = call(*arguments, "--classes", "classes.yaml", "--out", "out.json")
    assert (code, err) == (0, "")
    assert text.startswith(f"out.json: {said}")
    assert len(read_json("out.json")["annotations"]) == 1


MISTAKES = [
    (["labelme", "photos"], "16 pixels are in more than one segment"),
    (["labelme", "none"], "none: no such folder of labelme JSON files"),
    (["labelme", "photos", "--overlap", "both"], "choose among error, smaller-on-top, order"),
    (["labelme", "photos", "--classes", "none.yaml"], "none.yaml: cannot be read"),
    (["labelme", "photos", "--images", "none"], "none: no such folder of photos"),
    (["cvat", "none.xml"], "none.xml: no such file"),
    (["cvat", "."], "annotations.xml or one annotations/instances_*.json is expected"),
    (["cvat", "cvat.xml", "--out", "cvat.xml"], "ends in .json"),
    (["label-studio", "ls.json", "--out", "ls.json"], "so it is not replaced"),
    (["cvat", "nowhere/annotations.xml"], "no such file"),
    (["label-studio", "cvat.xml"], "is XML or HTML, a JSON file is expected"),
    (["masks", "masks"], "Missing option '--images'"),
    (["masks", "masks", "--images", "photos", "--layout", "x"], "choose among auto, photos"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes(call: Call, tmp_path: Path, arguments: list[str], message: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    given = [*arguments, *([] if "--out" in arguments else ["--out", "out.json"])]
    given += [] if "--classes" in arguments else ["--classes", "classes.yaml"]
    code, out, err = call(*given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
