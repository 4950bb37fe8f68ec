"""Ids, labels, channels and colours of classes."""

import json
from pathlib import Path
from typing import Any

import pytest

from make_data import CATEGORIES
from spatialflow.categories import Categories, Category, coco_panoptic
from spatialflow.errors import DataError


def entry(category_id: int, name: str, isthing: int, **more: Any) -> dict[str, Any]:
    return {"id": category_id, "name": name, "isthing": isthing} | more


def test_things_come_first_each_by_ascending_id() -> None:
    mixed = Categories.from_json(
        [
            entry(9, "sky", 0),
            entry(7, "dog", 1),
            entry(2, "grass", 0),
            entry(30, "ant", 1),
            entry(1, "sea", 0),
        ]
    )
    assert [c.name for c in mixed] == ["dog", "ant", "sea", "grass", "sky"]
    assert (mixed.num_things, mixed.num_stuff, mixed.num_stuff_channels) == (2, 3, 4)
    assert [mixed.label(i) for i in (7, 30, 1, 2, 9)] == [0, 1, 2, 3, 4]
    assert mixed.things_channel == 3
    assert [mixed.stuff_channel(label) for label in range(5)] == [3, 3, 0, 1, 2]
    assert mixed[1].id == 30
    assert len(mixed) == 5
    assert 30 in mixed
    assert 3 not in mixed
    with pytest.raises(KeyError):
        mixed.label(3)


def test_coco() -> None:
    coco = coco_panoptic()
    assert (coco.num_things, coco.num_stuff, coco.num_stuff_channels) == (80, 53, 54)
    assert (coco[0].name, coco[0].id, coco[79].name, coco[79].id) == ("person", 1, "toothbrush", 90)
    assert (coco[80].name, coco[80].id, coco[132].name, coco[132].id) == ("banner", 92, "rug-merged", 200)
    # 'things-other', id 183, would be the 37th of the original's 54 stuff ids
    assert coco.things_channel == 36
    assert coco.stuff_channel(0) == 36
    channels = [coco.stuff_channel(label) for label in range(80, 133)]
    assert channels == [c for c in range(54) if c != 36]
    assert coco[80 + 35].id < 183 < coco[80 + 36].id


def test_coco_channels_equal_the_original(reference: Path) -> None:
    golden = json.loads((reference / "public" / "r50" / "detect.json").read_text())
    coco = coco_panoptic()
    assert [coco[label].id for label in range(80)] == golden["cat_ids"]
    ids = {coco.stuff_channel(coco.label(i)) if i != 183 else 36: i for i in golden["seg_ids"]}
    assert [ids[channel] for channel in range(54)] == golden["seg_ids"]


def test_only_coco_itself_has_its_things_channel() -> None:
    entries = coco_panoptic().to_json()
    assert Categories.from_json(entries).things_channel == 36
    assert Categories.from_json(entries[:-1]).things_channel == 52


@pytest.mark.parametrize("things", [0, 3])
def test_all_of_one_kind(things: int) -> None:
    classes = Categories.from_json([entry(i, str(i), int(i < things)) for i in range(3)])
    assert (classes.num_things, classes.num_stuff) == (things, 3 - things)
    assert classes.things_channel == 3 - things


def test_json_round_trip(tmp_path: Path) -> None:
    toy = Categories.from_json(CATEGORIES)
    assert toy.to_json() == CATEGORIES
    (tmp_path / "list.json").write_text(json.dumps(CATEGORIES))
    (tmp_path / "whole.json").write_text(json.dumps({"images": [], "categories": CATEGORIES}))
    assert Categories.load(tmp_path / "list.json") == Categories.load(tmp_path / "whole.json") == toy
    assert Categories.load("coco_panoptic") == coco_panoptic() != toy
    assert hash(Categories.from_json(CATEGORIES)) == hash(toy)
    assert repr(toy) == "Categories(2 things, 2 stuff)"
    assert str(toy[0]) == "cat"


def test_missing_colours_are_made_up_and_stay() -> None:
    entries = [entry(i, str(i), 1) for i in range(20)]
    first, again = Categories.from_json(entries), Categories.from_json(list(reversed(entries)))
    assert [c.color for c in first] == [c.color for c in again]
    assert len({c.color for c in first}) == 20


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({}, "categories: a list of"),
        ([1], "categories: a list of"),
        ([], "the list is empty"),
        ([{"name": "a", "isthing": 1}], "categories[0]: id is missing"),
        ([entry(1, "a", 1), {"id": 2, "isthing": 1}], "categories[1]: name is missing"),
        ([{"id": 1, "name": "a", "supercategory": "b"}], "; convert it to COCO panoptic first"),
        ([entry(-1, "a", 1)], "id -1"),
        ([{"id": True, "name": "a", "isthing": 1}], "id True"),
        ([{"id": 1, "name": "a", "isthing": "0"}], "isthing '0' is neither 1"),
        ([{"id": 1, "name": "a", "isthing": None}], "isthing None is neither 1"),
        ([{"id": "1", "name": "a", "isthing": 1}], "id '1'"),
        ([entry(1, "a", 1), entry(1, "b", 1)], "id 1 is given twice"),
        ([entry(1, "a", 1), entry(2, "a", 0)], "name 'a' is given twice"),
        ([entry(1, "a", 1, color=[1, 2])], "color [1, 2]"),
        ([entry(1, "a", 1, color=[1, 2, 256])], "color [1, 2, 256]"),
        ([entry(1, "a", 1, color="red")], "color 'red'"),
        ([entry(1, "a", 1, color=3)], "color 3"),
    ],
    ids=str,
)
def test_wrong_lists(entries: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        Categories.from_json(entries, "my.json")
    message = str(caught.value)
    assert message.startswith("my.json: ")
    assert expected in message
    assert "\n" not in message


def test_wrong_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": []}')
    with pytest.raises(DataError, match=r"a\.json: categories: the key is missing"):
        Categories.load(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"b\.json: no such file"):
        Categories.load(tmp_path / "b.json")


def test_constructed_by_hand() -> None:
    classes = Categories([Category(5, "b", False, (1, 2, 3)), Category(4, "a", True, (0, 0, 0))])
    assert [c.id for c in classes] == [4, 5]
    with pytest.raises(DataError, match="given twice"):
        Categories([Category(5, "b", False, (1, 2, 3))] * 2)
