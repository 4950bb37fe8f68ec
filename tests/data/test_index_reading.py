"""The compact form of a ground truth: equal to the careful reader's, and kept beside large files."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import CAT, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.data import index_reading
from spatialflow.data.index_reading import open_index
from spatialflow.data.panoptic_index import NO_ANNOTATION, PanopticIndex
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError

IMAGES = (
    ToyImage("first"),
    ToyImage("second", (64, 48), (ToySegment(SKY, (0, 0, 48, 64)), ToySegment(CAT, (0, 0, 9, 9), True))),
    ToyImage("empty", segments=()),
)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = write_panoptic_set(tmp_path, IMAGES)

    def change(content: dict[str, Any]) -> None:
        content["annotations"].reverse()  # files need not keep the order of images
        content["images"].insert(1, {"id": 77, "file_name": "näh.jpg", "height": 5, "width": 6})
        content["annotations"][-1]["segments_info"][0]["bbox"] = None
        content["annotations"][-1]["segments_info"][1]["bbox"] = [1.5, 2, 3.25, 4]
        content["info"] = {"anything": [1, {"a": None}]}

    edit_json(path, change)
    return path


@pytest.fixture
def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_reading, "WORTH_KEEPING", 0)


def assert_equal_to_careful_reading(index: PanopticIndex, path: Path) -> None:
    careful = read_truth(path)
    assert index.categories == careful.categories
    assert [index.info(i) for i in range(len(index))] == list(careful.images.values())
    for i, image_id in enumerate(careful.images):
        annotation = careful.annotations.get(image_id)
        if annotation is None:
            assert index.counts[i] == NO_ANNOTATION
            assert index.rows(i).stop == index.rows(i).start
            continue
        rows = index.rows(i)
        assert index.png_name(i) == annotation.file_name
        assert index.ids[rows].tolist() == [s.id for s in annotation.segments]
        assert index.category_ids[rows].tolist() == [s.category_id for s in annotation.segments]
        assert index.is_crowd[rows].tolist() == [s.is_crowd for s in annotation.segments]
        for bbox, segment in zip(index.bboxes[rows].tolist(), annotation.segments, strict=True):
            assert np.array_equal(bbox, segment.bbox or [np.nan] * 4, equal_nan=True)


def forbid_careful_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError("the quick way should do")

    monkeypatch.setattr(index_reading, "read_truth", refuse)


def test_equal_to_the_careful_reader(truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_careful_reading(monkeypatch)
    assert_equal_to_careful_reading(open_index(truth), truth)


def test_texts_for_ids(truth: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for entry in content["images"]:
            entry["id"] = f"city_{entry['id']}"
        for entry in content["annotations"]:
            entry["image_id"] = f"city_{entry['image_id']}"

    edit_json(truth, change)
    assert_equal_to_careful_reading(open_index(truth), truth)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["annotations"][0].update(file_name="a..b.png"),
        lambda c: c["images"][0].update(id="text"),
        lambda c: c["annotations"][-1]["segments_info"][0].update(iscrowd=True),
        lambda c: c["annotations"][-1]["segments_info"][0].update(area=12.0),
        lambda c: c["images"][0].update(id=2**63, file_name="far.jpg"),
    ],
)
def test_odd_files_are_read_carefully(truth: Path, change: Any, keep_all: None) -> None:
    """Two dots in a name, ids of both kinds or beyond 64 bits, truth values for 0 and 1."""

    def fits(content: dict[str, Any]) -> None:
        first = content["images"][0]["id"]
        change(content)
        for entry in content["annotations"]:
            if entry["image_id"] == first:
                entry["image_id"] = content["images"][0]["id"]

    edit_json(truth, fits)
    for _ in range(2):
        assert_equal_to_careful_reading(open_index(truth), truth)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda c: c["images"].append(c["images"][0]), r"images\[4\]\.id: image 1 is given twice"),
        (lambda c: c["images"][0].update(height=0), r"images\[0\]\.height"),
        (lambda c: c["images"][0].update(width=True), r"images\[0\]\.width"),
        (lambda c: c["images"][0].update(file_name="../x.jpg"), r"images\[0\]\.file_name"),
        (lambda c: c["images"][0].update(file_name=""), r"images\[0\]\.file_name"),
        (lambda c: c["annotations"].append(c["annotations"][0]), r"annotations\[3\]\.image_id"),
        (lambda c: c["annotations"][0].update(image_id=5), r"annotations\[0\]\.image_id"),
        (lambda c: c["annotations"][0].update(file_name="/x.png"), r"annotations\[0\]\.file_name"),
        (lambda c: c["annotations"][0].pop("segments_info"), r"annotations\[0\]\.segments_info"),
        (
            lambda c: c["annotations"][2]["segments_info"][0].update(id=0),
            r"\.id: 0 is void",
        ),
        (lambda c: c["annotations"][2]["segments_info"][0].update(id=1 << 24), r"segments_info\[0\]\.id"),
        (lambda c: c["annotations"][2]["segments_info"][1].update(id=1001), r"segment 1001 is listed twice"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(category_id=1), r"category_id: 1 is not"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(iscrowd=2), r"iscrowd: 0 or 1"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(area=-1), r"area"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(area=1.5), r"area"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(bbox=[0, 0, -1, 1]), r"bbox"),
        (lambda c: c["annotations"][2]["segments_info"][0].update(bbox=[0, 0, 1]), r"bbox"),
        (lambda c: c["annotations"][2]["segments_info"][0].pop("iscrowd"), r"iscrowd: the key is missing"),
        (lambda c: c.pop("categories"), r"categories: the key is missing"),
    ],
)
def test_faults_are_the_careful_readers(truth: Path, change: Any, field: str) -> None:
    """So no fault slips through the quick way."""
    edit_json(truth, change)
    with pytest.raises(DataError, match=field):
        open_index(truth)


def test_index_is_kept_and_used(truth: Path, keep_all: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_index(truth)
    kept = truth.with_name(f".{truth.name}.index.npz")
    assert kept.exists()
    monkeypatch.setattr(index_reading, "_read_quickly", lambda path: pytest.fail("the index should do"))
    again = open_index(truth)
    assert again.path == truth
    assert again.categories == first.categories
    assert_equal_to_careful_reading(again, truth)


def test_index_of_another_state_of_the_file_is_made_anew(truth: Path, keep_all: None) -> None:
    open_index(truth)
    status = truth.stat()
    text = truth.read_text()
    truth.write_text(text.replace('"first.png"', '"fir5t.png"'))  # of the same size
    os.utime(truth, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert json.loads(truth.read_text()) != json.loads(text)
    assert_equal_to_careful_reading(open_index(truth), truth)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing", None])
def test_damaged_index_is_made_anew(truth: Path, keep_all: None, damage: bytes | None) -> None:
    open_index(truth)
    kept = truth.with_name(f".{truth.name}.index.npz")
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert_equal_to_careful_reading(open_index(truth), truth)
    assert kept.read_bytes() == content


def test_small_files_leave_no_index(truth: Path) -> None:
    before = sorted(truth.parent.iterdir())
    open_index(truth)
    assert sorted(truth.parent.iterdir()) == before


def test_folder_that_cannot_be_written_to(
    truth: Path, keep_all: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert_equal_to_careful_reading(open_index(truth), truth)


def test_empty_lists(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, ())
    index = open_index(path)
    assert len(index) == 0
    assert index.bboxes.shape == (0, 4)
