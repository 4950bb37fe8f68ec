"""COCO panoptic to detection, pixel by pixel, and through to panoptic again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import decode_rle
from make_data import (
    CAT,
    CATEGORIES,
    GRASS,
    SKY,
    ToyImage,
    ToySegment,
    edit_json,
    pack_folder,
    write_panoptic_set,
)
from spatialflow.data.converters import detection_to_panoptic, panoptic_to_detection
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError, OutputError
from spatialflow.files import read_json

IMAGES = [
    ToyImage("grass", segments=[ToySegment(GRASS, (0, 0, 64, 48))]),
    ToyImage("void", segments=[]),
    ToyImage(
        "crowd",
        size=(30, 20),
        segments=[ToySegment(SKY, (0, 0, 20, 9)), ToySegment(CAT, (3, 2, 9, 30), True)],
    ),
    ToyImage("one pixel", segments=[ToySegment(CAT, (63, 47, 64, 48)), ToySegment(CAT, (0, 0, 1, 1))]),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_panoptic_set(tmp_path, IMAGES)


def test_each_pixel(source: Path, tmp_path: Path) -> None:
    """Area and box are of the pixels, whatever the JSON says; images without annotations stay."""
    edit_json(source, lambda d: d["annotations"][0]["segments_info"][0].update(area=1, bbox=[0, 0, 1, 1]))
    result = panoptic_to_detection(source, tmp_path / "out.json")
    assert (result.images, result.segments) == (4, 5)
    content = read_json(tmp_path / "out.json")
    before = read_json(source)
    assert content["images"] == before["images"]
    assert content["categories"] == [{"id": c["id"], "name": c["name"]} for c in CATEGORIES]
    assert [a["id"] for a in content["annotations"]] == [0, 1, 2, 3, 4]
    assert [a["image_id"] for a in content["annotations"]] == [1, 3, 3, 4, 4]
    assert [a["iscrowd"] for a in content["annotations"]] == [0, 0, 1, 0, 0]
    assert [a["category_id"] for a in content["annotations"]] == [GRASS, SKY, CAT, CAT, CAT]
    segments = [(image, i) for image in IMAGES for i in range(1001, 1001 + len(image.segments))]
    for entry, (image, segment_id) in zip(content["annotations"], segments, strict=True):
        mask = image.id_map() == segment_id
        rows, columns = np.nonzero(mask)
        np.testing.assert_array_equal(decode_rle(entry["segmentation"]), mask)
        assert entry["area"] == mask.sum()
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert entry["bbox"] == [columns.min(), rows.min(), width, height]


def test_things_only(source: Path, tmp_path: Path) -> None:
    panoptic_to_detection(source, tmp_path / "out.json", things_only=True, first_id=1)
    content = read_json(tmp_path / "out.json")
    assert [(a["id"], a["image_id"]) for a in content["annotations"]] == [(1, 3), (2, 4), (3, 4)]
    assert [c["name"] for c in content["categories"]] == ["cat", "dog"]
    assert len(content["images"]) == 4


def test_there_and_back(source: Path, tmp_path: Path) -> None:
    panoptic_to_detection(source, tmp_path / "det.json")
    detection_to_panoptic(tmp_path / "det.json", tmp_path / "back.json", categories=source)
    one, other = read_truth(source), read_truth(tmp_path / "back.json")
    assert one.categories == other.categories
    assert one.images == other.images
    for image_id, annotation in one.annotations.items():
        segments = [(s.category_id, s.is_crowd, s.area, s.bbox) for s in annotation.segments]
        again = other.annotations[image_id].segments
        assert [(s.category_id, s.is_crowd, s.area, s.bbox) for s in again] == segments


def test_files_that_state_neither_area_nor_crowd(source: Path, tmp_path: Path) -> None:
    """As the original's own converter from two channels writes them."""

    def strip(content: Any) -> None:
        for annotation in content["annotations"]:
            for info in annotation["segments_info"]:
                del info["area"], info["iscrowd"], info["bbox"]

    edit_json(source, strip)
    assert panoptic_to_detection(source, tmp_path / "out.json").segments == 5
    assert {a["iscrowd"] for a in read_json(tmp_path / "out.json")["annotations"]} == {0}


FAULTS: list[tuple[Callable[[Any], object], str]] = [
    (
        lambda d: d["annotations"][2]["segments_info"].pop(),
        r"segment 1002 has pixels but is not in segments_info",
    ),
    (
        lambda d: d["annotations"][1]["segments_info"].append({"id": 7, "category_id": 3}),
        "segment 7 has no pixel",
    ),
    (lambda d: d["images"][0].update(width=63), r"grass\.png: is 64x48 pixels, but images says 63x48"),
    (lambda d: d["annotations"][0].update(file_name="none.png"), r"none\.png: no such panoptic PNG"),
    (lambda d: d["annotations"][0].update(file_name="../x.png"), "leaves its folder"),
    (lambda d: d.pop("categories"), "categories: the key is missing"),
    (
        lambda d: d["annotations"][0]["segments_info"][0].update(category_id=4),
        "4 is not among the categories",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(source: Path, tmp_path: Path, change: Callable[[Any], object], message: str) -> None:
    edit_json(source, change)
    with pytest.raises(DataError, match=message):
        panoptic_to_detection(source, tmp_path / "new" / "out.json")
    assert not (tmp_path / "new").exists()


def test_the_source_is_not_replaced(source: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is what is converted"):
        panoptic_to_detection(source, source, overwrite=True)
    assert source.read_bytes() == before


def test_pngs_in_an_archive(source: Path, tmp_path: Path) -> None:
    panoptic_to_detection(source, tmp_path / "folder.json")
    pack_folder(source.with_suffix(""), source.with_suffix(".zip"))
    panoptic_to_detection(source, tmp_path / "archive.json")
    assert (tmp_path / "archive.json").read_bytes() == (tmp_path / "folder.json").read_bytes()
    moved = source.with_suffix(".zip").rename(tmp_path / "moved.zip")
    panoptic_to_detection(source, tmp_path / "moved.json", segments=moved)
    assert (tmp_path / "moved.json").read_bytes() == (tmp_path / "folder.json").read_bytes()
