"""``spatialflow data view``: what it prints and returns."""

from pathlib import Path

import pytest

from make_cli import Command
from make_data import edit_json
from make_view import check_pages, write_pair


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path)


def test_view(spatialflow: Command, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    ended = spatialflow("data", "view", pair[0], "--out", tmp_path / "out", "--limit", 2)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"2 of 3 images drawn: {tmp_path / 'out' / 'index.html'}\n"
    check_pages(tmp_path / "out")


def test_view_with_predictions(spatialflow: Command, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    moved = pair[1].with_suffix("").rename(tmp_path / "pngs")
    ended = spatialflow(
        *("data", "view", pair[0], "--out", tmp_path / "out"),
        *("--predictions", pair[1], "--predictions-dir", moved),
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0].startswith("panoptic quality of 3 images: ")
    assert "3 of 3 images drawn" in ended.out


def test_view_says_what_was_skipped(spatialflow: Command, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    (pair[0].with_suffix("") / "right.png").write_bytes(b"")
    ended = spatialflow("data", "view", pair[0], "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.startswith("skipped: ")
    assert ended.err.count("\n") == 1
    assert "right.png: is not a PNG" in ended.err
    assert "2 of 3 images drawn" in ended.out


def test_view_mistakes_of_the_user(spatialflow: Command, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("mine")
    for arguments, message in (
        ((pair[0], "--out", out), "index.html: is of no earlier pages"),
        ((tmp_path / "none.json", "--out", tmp_path / "new"), "none.json: no such file"),
        ((pair[0], "--out", tmp_path / "new", "--limit", 0), "--limit"),
        ((pair[0], "--out", tmp_path / "new", "--predictions-dir", out), "give --predictions, too"),
        ((pair[0], "--out", out / "index.html"), "cannot write there"),
    ):
        ended = spatialflow("data", "view", *arguments)
        assert ended.code == 2
        assert ended.err.startswith("error: ")
        assert ended.err.count("\n") == 1
        assert message in ended.err
        assert not (tmp_path / "new").exists()
    edit_json(pair[0], lambda content: content["images"][0].update(file_name="../../etc/passwd"))
    ended = spatialflow("data", "view", pair[0], "--out", tmp_path / "new")
    assert ended.code == 2
    assert "leaves its folder" in ended.err
