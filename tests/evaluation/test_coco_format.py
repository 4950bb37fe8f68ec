"""A written result: read back, evaluated, and never half there."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spatialflow.categories import Categories, Category
from spatialflow.data.panoptic_json import ImageInfo, read_prediction
from spatialflow.errors import OutputError
from spatialflow.evaluation.coco_format import INFO, ResultWriter
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.image_io import read_id_png
from spatialflow.structures import PanopticPrediction, Segment

CATEGORIES = Categories([Category(4, "cat", True, (255, 0, 0)), Category(2, "sky", False, (0, 0, 255))])


def prediction() -> PanopticPrediction:
    ids = torch.tensor([[1, 1, 2], [1, 0, 70000]], dtype=torch.int32)
    cat, sky = CATEGORIES
    return PanopticPrediction(
        ids,
        (
            Segment(1, 0, cat, True, 0.9, 3, (0, 0, 2, 2)),
            Segment(2, 0, cat, True, 0.8, 1, (2, 0, 3, 1)),
            Segment(70000, 1, sky, False, 0.7, 1, (2, 1, 3, 2)),
        ),
    )


def empty() -> PanopticPrediction:
    return PanopticPrediction(torch.zeros(2, 3, dtype=torch.int32), ())


def test_result_evaluates_to_100_against_itself(tmp_path: Path) -> None:
    with ResultWriter(tmp_path / "new" / "out") as writer:
        writer.add(5, "a.png", prediction())
        writer.add("aachen_0", "aachen/b.png", empty())
        images = [ImageInfo(5, "a.jpg", 2, 3), ImageInfo("aachen_0", "b.jpg", 2, 3)]
        assert len(writer) == 2
        path = writer.close(CATEGORIES, images)
    assert path == tmp_path / "new" / "out" / "panoptic.json"
    np.testing.assert_array_equal(read_id_png(path.with_suffix("") / "a.png"), prediction().segment_ids)
    read = read_prediction(path)
    assert read.categories == CATEGORIES
    assert [s.bbox for s in read.annotations[5].segments] == [(0, 0, 2, 2), (2, 0, 1, 1), (2, 1, 1, 1)]
    result = evaluate_pq(path, path)  # complete enough to serve as truth
    assert (result.all.pq, result.all.n) == (1.0, 2)
    assert result.per_class[4].tp == 2
    assert files_in(tmp_path / "new" / "out") == {"panoptic.json", "panoptic/a.png", "panoptic/aachen/b.png"}


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def write(folder: Path, *names: str) -> Path:
    picture = Image.new("RGB", (3, 2))
    with ResultWriter(folder) as writer:
        for number, name in enumerate(names):
            writer.add(number, name, prediction(), picture)
        return writer.close(CATEGORIES)


def interrupted(folder: Path) -> None:
    with ResultWriter(folder) as writer:
        writer.add(5, "a.png", empty())
        raise KeyboardInterrupt


def test_an_earlier_result_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before
    assert json.loads((tmp_path / "panoptic.json").read_text())["images"] == []


def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_earlier_result_goes_and_nothing_else_does(tmp_path: Path) -> None:
    write(tmp_path / "out", "a.png", "b/c.png")
    (tmp_path / "out" / "panoptic" / "mine.png").write_bytes(b"")
    (tmp_path / "out" / "overlay" / "mine.jpg").write_bytes(b"")
    write(tmp_path / "out", "d.png")
    left = {"panoptic.json", "panoptic/mine.png", "overlay/mine.jpg", "panoptic/d.png", "overlay/d.jpg"}
    assert files_in(tmp_path / "out") == left


@pytest.mark.parametrize("content", ['{"info": null}', '{"info": {"description": "COCO"}}', "{}", "[", "[]"])
def test_a_file_from_elsewhere_is_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "panoptic.json").write_text(content)
    with pytest.raises(OutputError, match=r"panoptic\.json: is no result of spatialflow"):
        ResultWriter(tmp_path)
    assert (tmp_path / "panoptic.json").read_text() == content
    assert files_in(tmp_path) == {"panoptic.json"}


def test_a_list_that_leaves_the_folder_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    names = ["../../photo.png", str(tmp_path / "photo.png"), "x.png"]
    (tmp_path / "out").mkdir()
    content = {"info": INFO, "annotations": [{"file_name": name} for name in names]}
    (tmp_path / "out" / "panoptic.json").write_text(json.dumps(content))
    write(tmp_path / "out", "a.png")
    assert (tmp_path / "photo.png").exists()


@pytest.mark.parametrize("entries", [None, [1], [{}], [{"file_name": 3}]])
def test_an_earlier_result_may_be_damaged(tmp_path: Path, entries: object) -> None:
    (tmp_path / "panoptic.json").write_text(json.dumps({"info": INFO, "annotations": entries}))
    write(tmp_path, "a.png")
    assert len(json.loads((tmp_path / "panoptic.json").read_text())["annotations"]) == 1


def test_what_cannot_be_replaced_is_named(tmp_path: Path) -> None:
    (tmp_path / "panoptic.json").mkdir()
    with pytest.raises(OutputError, match=r"panoptic\.json: .*choose another"):
        ResultWriter(tmp_path)


@pytest.mark.parametrize(
    ("image_id", "name"), [(5, "b.png"), (6, "a.png"), (6, "../b.png"), (6, "/b.png"), (6, "b.jpg")]
)
def test_refused_entries(image_id: int, name: str, tmp_path: Path) -> None:
    with ResultWriter(tmp_path) as writer:
        writer.add(5, "a.png", prediction())
        with pytest.raises(ValueError, match=r"png|jpg"):
            writer.add(image_id, name, prediction())
        assert len(writer) == 1


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another output folder"):
        ResultWriter(tmp_path / "file")


@pytest.mark.parametrize("name", ["panoptic/a.png", "overlay/a.jpg"])
def test_files_of_no_result_are_not_replaced(tmp_path: Path, name: str) -> None:
    """Such as ground truth whose JSON lies elsewhere."""
    write(tmp_path, "b.png")
    mine = tmp_path / name
    mine.write_bytes(b"mine")
    before = files_in(tmp_path)
    with pytest.raises(OutputError, match=rf"{name}: is of no earlier result"):
        write(tmp_path, "a.png", "b.png")
    assert mine.read_bytes() == b"mine"
    assert files_in(tmp_path) == before


def test_two_writers_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ResultWriter(tmp_path) as first:
        first.add(1, "a.png", prediction())
        monkeypatch.setattr("os.getpid", lambda: os.getppid())  # another process that runs
        with ResultWriter(tmp_path) as second:
            second.add(2, "b.png", prediction())
            monkeypatch.undo()
        first.close(CATEGORIES)
    assert files_in(tmp_path) == {"panoptic.json", "panoptic/a.png"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr("os.getpid", lambda: int(gone))
    ResultWriter(tmp_path).add(1, "a.png", prediction())
    monkeypatch.undo()
    assert len(files_in(tmp_path)) == 1
    write(tmp_path, "b.png")
    assert files_in(tmp_path) == {"panoptic.json", "panoptic/b.png", "overlay/b.jpg"}
