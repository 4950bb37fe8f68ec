"""The repaired copy: what is changed, what is kept, and where it is not written."""

import json
from pathlib import Path
from typing import Any

import pytest

from make_data import ToyImage, edit_json, write_panoptic_set
from make_faults import Planter, clean_set, rows
from spatialflow.data.check import check_dataset, write_repaired
from spatialflow.errors import DataError, OutputError


@pytest.fixture
def planter(tmp_path: Path) -> Planter:
    return clean_set(tmp_path)


def read(path: Path) -> Any:
    """The content, without the mark of a copy."""
    content = json.loads(path.read_text())
    content.pop("repaired_by", None)
    return content


def test_only_copies_are_replaced(planter: Planter) -> None:
    report = planter.check()
    mine = planter.path.with_name("mine.json")
    mine.write_text('{"my": "notes"}')
    with pytest.raises(OutputError, match=r"mine\.json: is there already, and no repaired copy"):
        write_repaired(report, mine)
    assert mine.read_text() == '{"my": "notes"}'
    copy = planter.path.with_name("copy.json")
    for _ in range(2):
        write_repaired(report, copy)


def test_a_copy_is_no_conversion(planter: Planter) -> None:
    """Which a later one might replace."""
    planter.edit(lambda content: content.update(converted_by="spatialflow convert"))
    result = write_repaired(planter.check(), planter.path.with_name("out.json"))
    assert "converted_by" not in read(result.path)


def test_of_a_clean_set_the_copy_is_equal(planter: Planter) -> None:
    planter.edit(lambda content: content.update(info={"year": 2026}, licenses=[{"id": 1}]))
    before = read(planter.path)
    result = write_repaired(planter.check(), planter.path.with_name("out.json"))
    assert (result.changes, result.left) == ([], [])
    assert read(result.path) == read(planter.path) == before


def test_only_what_is_wrong_is_changed(planter: Planter) -> None:
    before = read(planter.path)
    planter.segment(0, area=1)
    planter.segment(1, bbox=[0, 0, 1, 1])
    planter.image(2, height=1, coco_url="http://x")
    result = write_repaired(planter.check(), planter.path.with_name("out.json"))
    before["images"][2]["coco_url"] = "http://x"
    assert read(result.path) == before
    assert result.changes == [
        "a.png: segment 1002: area 1 -> 660",
        "b.png: segment 1002: bbox [0, 0, 1, 1] -> [5, 5, 25, 55]",
        "c.png (images[2]): size 40x1 -> 40x40",
    ]


def test_an_unlisted_segment_takes_the_place_of_an_impossible_id_only_if_the_area_agrees(
    planter: Planter,
) -> None:
    planter.segment(0, id=0)
    result = write_repaired(planter.check(), planter.path.with_name("out.json"))
    assert read(result.path)["annotations"][0]["segments_info"][1]["id"] == 1002
    planter.segment(0, area=659)
    result = write_repaired(planter.check(), planter.path.with_name("out.json"))
    assert [row.kind.key for row in result.left] == ["segment-id-range"]
    assert result.changes == []


def test_an_image_without_usable_files_is_left_out_once(planter: Planter) -> None:
    planter.photo().unlink()
    planter.png().unlink()
    planter.segment(0, area=-1)  # of the image that goes
    report = planter.check()
    assert rows(report) == {"photo-missing": 1, "png-missing": 1, "segment-malformed": 1}
    result = write_repaired(report, planter.path.with_name("out.json"))
    assert result.changes == ["a.png (images[0]), whose files cannot be used, dropped"]
    content = read(result.path)
    assert [image["id"] for image in content["images"]] == [2, 3]
    assert [annotation["image_id"] for annotation in content["annotations"]] == [2, 3]


def test_never_over_the_input(planter: Planter, tmp_path: Path) -> None:
    before = planter.path.read_bytes()
    link = tmp_path / "link.json"
    link.symlink_to(planter.path)
    hard = tmp_path / "hard.json"
    hard.hardlink_to(planter.path)
    for out in (planter.path, planter.path.parent / ".." / "annotations" / planter.path.name, link, hard):
        with pytest.raises(OutputError, match="is the file that is checked"):
            write_repaired(planter.check(), out)
    with pytest.raises(OutputError, match="is a folder"):
        write_repaired(planter.check(), tmp_path)
    assert planter.path.read_bytes() == before


def test_not_without_any_image(planter: Planter, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out.json"
    with pytest.raises(DataError, match="no image would be left"):
        write_repaired(planter.check(images=empty), out)
    assert not out.exists()


def test_many_faults_at_once(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(name) for name in "abcdef"])

    def spoil(content: Any) -> None:
        segments = [annotation["segments_info"] for annotation in content["annotations"]]
        segments[0][0]["id"] = "1001"
        segments[0][1].update(area=None, bbox=[1, 2])
        segments[1].append({"id": 5, "category_id": 3, "iscrowd": 0, "area": 0, "bbox": [0, 0, 0, 0]})
        content["annotations"][2]["image_id"] = "3"
        content["images"][3]["width"] = 1
        content["annotations"].append(content["annotations"][0])
        content["images"].append(None)

    edit_json(path, spoil)
    (tmp_path / "images/f.png").write_bytes(b"")
    repaired = write_repaired(check_dataset(path), path.with_name("repaired.json"))
    assert repaired.left == []
    left = check_dataset(repaired.path, segments=path.with_suffix(""))
    assert set(rows(left)) == {"category-unused", "photo-unlisted", "png-unlisted"}
    assert left.statistics.num_trainable == 5


def test_exchanged_pngs_cost_no_segment(planter: Planter) -> None:
    """Segments without pixels may be those whose pixels nothing lists."""
    planter.edit(lambda content: content["annotations"][0]["segments_info"][0].update(id=77))
    report = planter.check()
    assert rows(report) == {"segment-empty": 1, "segment-unlisted": 1}
    result = write_repaired(report, planter.path.with_name("out.json"))
    assert result.changes == []
    assert [row.kind.key for row in result.left] == ["segment-empty", "segment-unlisted"]
