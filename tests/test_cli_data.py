"""``spatialflow data``: what its commands print, write and return."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from make_data import CATEGORIES, ToyImage, edit_json, write_panoptic_set
from make_faults import CLEAN, Planter, clean_set
from spatialflow.categories import Categories
from spatialflow.cli.main import run
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.panoptic_json import read_truth


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``spatialflow data`` in this process, in a wide terminal."""
    monkeypatch.setattr("spatialflow.cli.console.output.width", 160)

    def call(*arguments: object) -> Ended:
        code = run(["data", *(str(argument) for argument in arguments)])
        return Ended(code, *capsys.readouterr())

    return call


@pytest.fixture
def planter(tmp_path: Path) -> Planter:
    return clean_set(tmp_path)


def fails(ended: Ended) -> str:
    """What a command says that fails in the agreed way."""
    assert ended.code == 2, ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    return ended.err


def settings(out: str) -> dict[str, str]:
    """The settings in the line that says how to train."""
    line = next(line for line in out.splitlines() if line.startswith("train on it with "))
    return dict(word.split("=", 1) for word in shlex.split(line.removeprefix("train on it with ")))


def opens(options: dict[str, str], part: str = "train") -> int:
    """Read all images as these settings say; returns their number."""
    dataset = CocoPanoptic(
        options[f"data.{part}"],
        Categories.from_json(CATEGORIES),
        options.get(f"data.{part}_images"),
        options.get(f"data.{part}_segments"),
        scales=[(64, 48)],
    )
    return len([dataset[i] for i in range(len(dataset))])


# ---- check -------------------------------------------------------------------------------------------


def test_check_of_a_clean_set(data: Command, planter: Planter) -> None:
    ended = data("check", planter.path)
    assert (ended.code, ended.err) == (0, "")
    assert f"{planter.path}: 3 images, 6 segments: no faults; ready to train" in ended.out
    assert "Faults" not in ended.out
    row = next(line.split() for line in ended.out.splitlines() if line.strip().startswith("cat"))
    assert row == ["cat", "thing", "2", "2", "-", "10.8", "%"]  # 840 of 7744 pixels


def test_check_of_a_broken_set(data: Command, planter: Planter, tmp_path: Path) -> None:
    planter.segment(0, area=1)
    planter.edit(lambda c: c["categories"].append({"id": 30, "name": "[red]cow\n", "isthing": 1}))
    ended = data("check", planter.path, "--json-out", tmp_path / "report.json")
    assert ended.code == 1
    assert "area that does not match the pixels" in ended.out
    assert "a.png: segment 1002: 1, has 660 px" in ended.out
    assert "[red]cow\\n" in ended.out
    assert "1 error, 1 note; training would suffer" in ended.out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["training_would_suffer"]
    assert [(row["kind"], row["severity"], row["count"]) for row in report["faults"]] == [
        ("area-wrong", "error", 1),
        ("category-unused", "note", 1),
    ]
    assert report["statistics"]["images"] == 3


def test_warnings_are_no_errors(data: Command, planter: Planter) -> None:
    planter.photo("z").write_bytes(planter.photo().read_bytes())
    assert data("check", planter.path).code == 0


def test_only_the_first_offenders_are_named(data: Command, tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(f"{i}") for i in range(5)])
    edit_json(path, lambda c: [a["segments_info"][0].update(area=1) for a in c["annotations"]])
    out = data("check", path).out
    assert [f"{i}.png: segment 1001" in out for i in range(5)] == [True, True, True, False, False]
    assert "..." in out


def test_check_with_validation(data: Command, planter: Planter, tmp_path: Path) -> None:
    other = write_panoptic_set(tmp_path / "other", CLEAN[:1])
    third = write_panoptic_set(tmp_path / "third", [ToyImage("v")])
    assert data("check", planter.path, "--val", third).code == 0
    ended = data("check", planter.path, "--val", third, "--val", other)
    assert ended.code == 1
    assert "validation photo with the content of a training photo" in ended.out


def test_fix(data: Command, planter: Planter, tmp_path: Path) -> None:
    planter.segment(0, area=1)
    planter.segment(1, category_id=99)
    out = tmp_path / "elsewhere" / "repaired.json"
    ended = data("check", planter.path, "--fix", out)
    assert ended.code == 1  # of the file that was checked
    assert "changed: a.png: segment 1002: area 1 -> 660" in ended.out
    assert "left for you: segment of an unknown category (1): correct category_id" in ended.out
    options = settings(ended.out)
    assert options == {
        "data.train": str(out),
        "data.train_segments": str(planter.path.with_suffix("")),
        "data.train_images": str(planter.photo().parent),
    }
    planter.segment(1, category_id=7)
    ended = data("check", planter.path, "--fix", out)
    assert opens(settings(ended.out)) == 3
    ended = data("check", out, "--segments", planter.path.with_suffix(""), "--images", planter.photo().parent)
    assert ended.code == 0


def test_fix_beside_the_input_needs_the_pngs_only(data: Command, planter: Planter) -> None:
    ended = data("check", planter.path, "--fix", planter.path.with_name("b c.json"))
    assert set(settings(ended.out)) == {"data.train", "data.train_segments"}
    assert opens(settings(ended.out)) == 3


def test_long_lists_of_changes_are_cut(data: Command, tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(f"{i}") for i in range(25)])
    edit_json(path, lambda c: [a["segments_info"][0].update(area=1) for a in c["annotations"]])
    out = data("check", path, "--fix", tmp_path / "out.json").out
    assert out.count("changed: ") == 21
    assert "changed: ... and 5 more" in out


def test_check_of_what_cannot_be_read(data: Command, planter: Planter, tmp_path: Path) -> None:
    assert "no such file" in fails(data("check", tmp_path / "none.json"))
    assert "is a folder" in fails(data("check", tmp_path))
    assert "no such folder" in fails(data("check", planter.path, "--images", tmp_path / "none"))
    assert "is the file that is checked" in fails(data("check", planter.path, "--fix", planter.path))
    assert "is a folder" in fails(data("check", planter.path, "--json-out", tmp_path))


# ---- split, subset, merge ----------------------------------------------------------------------------


def test_split(data: Command, planter: Planter, tmp_path: Path) -> None:
    ended = data("split", planter.path, "--val", "0.4", "--out", tmp_path / "my splits", "--seed", "3")
    assert (ended.code, ended.err) == (0, "")
    assert f"{tmp_path}/my splits/train.json: 2 images" in ended.out
    assert "note:" in ended.out  # grass and dog are in one image
    options = settings(ended.out)
    assert set(options) == {"data.train", "data.train_images", "data.val", "data.val_images"}
    assert (opens(options), opens(options, "val")) == (2, 1)


def test_split_beside_the_input_is_found_without_options(data: Command, planter: Planter) -> None:
    ended = data("split", planter.path, "--out", planter.path.parent)
    options = settings(ended.out)
    assert set(options) == {"data.train", "data.val"}
    assert (opens(options), opens(options, "val")) == (2, 1)


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "nan", "10"])
def test_split_by_no_share(share: str, data: Command, planter: Planter, tmp_path: Path) -> None:
    assert "a share between 0 and 1" in fails(
        data("split", planter.path, f"--val={share}", "--out", tmp_path / "x")
    )
    assert not (tmp_path / "x").exists()


def test_split_of_a_broken_file_points_to_the_check(data: Command, planter: Planter, tmp_path: Path) -> None:
    planter.png().unlink()
    assert "`spatialflow data check`" in fails(data("split", planter.path, "--out", tmp_path / "x"))


def test_where_photos_are_not_found(data: Command, planter: Planter) -> None:
    for name in "abc":
        planter.photo(name).unlink()
    out = data("split", planter.path, "--out", planter.path.parent).out
    assert "the photos were not found; name their folder with data.train_images=DIR" in out


def test_subset(data: Command, planter: Planter, tmp_path: Path) -> None:
    out = tmp_path / "cats.json"
    ended = data("subset", planter.path, "--categories", "cat,sky", "--out", out)
    assert (ended.code, ended.err) == (0, "")
    assert f"{out}: 2 of 3 images" in ended.out
    assert opens(settings(ended.out)) == 2
    listed = tmp_path / "list.txt"
    listed.write_text("b.png\n")
    ended = data("subset", planter.path, "--list", listed, "--out", tmp_path / "b.json")
    assert f"{tmp_path / 'b.json'}: 1 of 3 images" in ended.out
    assert "give --categories, --list, or both" in fails(
        data("subset", planter.path, "--out", tmp_path / "x.json")
    )


def test_merge(data: Command, planter: Planter, tmp_path: Path) -> None:
    other = write_panoptic_set(tmp_path / "other", CLEAN)
    names = tmp_path / "map.yaml"
    names.write_text("grass:\n")
    out = tmp_path / "both.json"
    ended = data("merge", planter.path, other, "--map", names, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    assert f"{out}: 3 + 3 images, 3 categories" in ended.out
    assert f"note: of {other}, 3 images got new ids, 3 PNGs new names" in ended.out
    assert settings(ended.out) == {"data.train": str(out)}
    assert opens(settings(ended.out)) == 6
    assert len(read_truth(out).annotations) == 6
    assert "is there already" in fails(data("merge", planter.path, other, "--out", out))


def test_help(data: Command) -> None:
    assert all(name in data().out for name in ("check", "split", "subset", "merge"))
    for name in ("check", "split", "subset", "merge"):
        assert "Example: spatialflow data" in data(name, "--help").out
