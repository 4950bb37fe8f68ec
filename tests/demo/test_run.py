"""The demo, much shortened: every part runs and leaves what it should."""

import json
from pathlib import Path

import pytest

from spatialflow.demo.run import make_data, read_curves, run_demo
from spatialflow.errors import OutputError


def test_curves_come_from_the_log(tmp_path: Path) -> None:
    log = tmp_path / "metrics.csv"
    log.write_text("step,loss/cls,loss/total,val/pq\n9,1.5,2.5,\n19,1.25,2.0,\n19,,,62.5\n")
    steps, losses, qualities = read_curves(log)
    assert steps == 20
    assert losses == [(9, {"cls": 1.5, "total": 2.5}), (19, {"cls": 1.25, "total": 2.0})]
    assert qualities == [(19, 0.625)]


def test_train_and_val_share_no_photo(tmp_path: Path) -> None:
    data = make_data(tmp_path, 3, 3)
    train, val = (sorted((tmp_path / split).glob("*.jpg")) for split in ("train", "val"))
    assert data.train.is_file()
    assert data.val.is_file()
    assert not {p.read_bytes() for p in train} & {p.read_bytes() for p in val}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=f"{tmp_path}: holds files that are of no demo"):
        run_demo(tmp_path, images=1, val_images=1)
    assert [p.name for p in tmp_path.rglob("*")] == ["model", "mine.txt"]


@pytest.mark.slow
def test_whole_demo(tmp_path: Path) -> None:
    lines: list[str] = []
    overrides = ["train.epochs=1", "data.workers=0", "train.log_every=1", "train.precision=fp32"]
    for _ in range(2):  # the second replaces what the first left
        report = run_demo(tmp_path, images=16, val_images=4, overrides=overrides, say=lines.append)
    assert report == tmp_path / "report.html"
    page = report.read_text()
    assert page.count("<img") == 3 * 4  # photo, truth and prediction of every test photo
    assert "2 steps of 8 photos" in page
    result = json.loads((tmp_path / "result" / "panoptic.json").read_text())
    assert len(result["annotations"]) == 4
    assert (tmp_path / "model" / "spatialflow_tiny" / "last.ckpt").is_file()
    assert sum("panoptic quality on the test photos" in line for line in lines) == 2
