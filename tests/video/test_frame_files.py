import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import spatialflow as sf
from make_video import true_prediction
from spatialflow.data.synthetic import CATEGORIES, SIZE
from spatialflow.data.synthetic_clip import draw_clip
from spatialflow.errors import OutputError
from spatialflow.image_io import read_id_png
from spatialflow.video.frame_files import FrameFiles


def write(path: Path, num_frames: int = 3) -> None:
    with FrameFiles(path, CATEGORIES, SIZE) as files:
        for number, frame in enumerate(draw_clip(0, num_frames)):
            files.add(true_prediction(frame), Fraction(number, 3))
        files.finish()


def test_is_a_coco_panoptic_result(tmp_path: Path) -> None:
    path = tmp_path / "out" / "panoptic.json"
    write(path)
    content = json.loads(path.read_text())
    assert [(i["id"], i["file_name"], i["height"], i["width"]) for i in content["images"]] == [
        (n, f"{n:06d}.jpg", *SIZE) for n in (1, 2, 3)
    ]
    assert [(a["image_id"], a["file_name"], a["time"]) for a in content["annotations"]] == [
        (1, "000001.png", 0.0),
        (2, "000002.png", 0.333333),
        (3, "000003.png", 0.666667),
    ]
    for annotation, frame in zip(content["annotations"], draw_clip(0, 3), strict=True):
        truth = true_prediction(frame)
        assert (
            read_id_png(path.with_suffix("") / annotation["file_name"]) == truth.segment_ids.numpy()
        ).all()
        assert annotation["segments_info"] == truth.to_coco(1, "")["segments_info"]
    assert content["categories"] == CATEGORIES.to_json()
    result = sf.evaluate_pq(path, path)
    assert result.all.pq == 1
    assert result.all.n == 4
    assert sorted(p.name for p in path.parent.iterdir()) == ["panoptic", "panoptic.json"]


def test_earlier_result_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "panoptic.json"
    write(path, 4)
    write(path, 2)
    assert len(json.loads(path.read_text())["annotations"]) == 2
    assert sorted(p.name for p in path.with_suffix("").iterdir()) == ["000001.png", "000002.png"]


def test_nothing_is_left_without_finish(tmp_path: Path) -> None:
    path = tmp_path / "panoptic.json"
    write(path)
    before = path.read_bytes()
    with FrameFiles(path, CATEGORIES, SIZE) as files:
        files.add(true_prediction(next(draw_clip(0, 1))), Fraction(0))
    assert path.read_bytes() == before
    assert len(list(path.with_suffix("").iterdir())) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["panoptic", "panoptic.json"]


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "panoptic.json"
    path.write_text('{"images": []}')
    with pytest.raises(OutputError, match=r"panoptic\.json: is of no earlier result"):
        write(path)
    path.unlink()
    (tmp_path / "panoptic").mkdir()
    (tmp_path / "panoptic" / "000001.png").write_bytes(b"someone's")
    with pytest.raises(OutputError, match=r"000001\.png: is of no earlier result"):
        write(path)
    (tmp_path / "panoptic" / "000001.png").unlink()
    write(path)
    (tmp_path / "panoptic" / "notes.txt").touch()
    with pytest.raises(OutputError, match=r"notes\.txt: is of no earlier result"):
        write(path)
    assert path.exists()


def test_name_is_that_of_a_json_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.json"):
        write(tmp_path / "panoptic")


def test_image_without_segments(tmp_path: Path) -> None:
    frame = next(draw_clip(0, 1))
    empty = true_prediction(frame)
    empty = type(empty)(empty.segment_ids * 0, ())
    with FrameFiles(tmp_path / "a.json", CATEGORIES, SIZE) as files:
        files.add(empty, Fraction(0))
        files.finish()
    assert json.loads((tmp_path / "a.json").read_text())["annotations"][0]["segments_info"] == []
    assert not np.any(read_id_png(tmp_path / "a" / "000001.png"))
