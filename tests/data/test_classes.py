from pathlib import Path

import pytest

from make_data import CAT, CATEGORIES, DOG, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.config import DataConfig
from spatialflow.data.classes import describe_classes, training_categories
from spatialflow.errors import DataError

BIRD = {"id": 5, "name": "bird", "isthing": 1, "color": [1, 2, 3]}


def shows(name: str, *category_ids: int) -> ToyImage:
    """A photo with a bar of each category."""
    bars = [ToySegment(c, (8 * i, 0, 8 * i + 8, 48)) for i, c in enumerate(category_ids)]
    return ToyImage(name, segments=bars)


def config(
    tmp_path: Path, train: ToyImage, val: ToyImage, val_categories: list[dict[str, object]]
) -> DataConfig:
    return DataConfig(
        train=str(write_panoptic_set(tmp_path / "train", [train])),
        val=str(write_panoptic_set(tmp_path / "val", [val], categories=val_categories)),
    )


def test_classes_are_those_of_the_training_file(tmp_path: Path) -> None:
    data = config(tmp_path, shows("a", CAT, DOG, SKY, 20), shows("b", CAT), CATEGORIES)
    categories, notes = training_categories(data)
    assert categories == Categories.from_json(CATEGORIES)
    assert notes == []
    assert describe_classes(categories) == "2 things (cat, dog), 2 stuff (grass, sky)"


def test_a_class_without_segments_is_noted(tmp_path: Path) -> None:
    data = config(tmp_path, shows("a", CAT, SKY), shows("b", CAT), CATEGORIES)
    categories, notes = training_categories(data)
    assert len(categories) == 4
    assert notes == [f"{data.train} has no segment of 2 classes (dog, grass)"]


def test_a_class_only_of_validation_counts_and_is_noted(tmp_path: Path) -> None:
    """It gets an output, so that panoptic quality is that of ``spatialflow evaluate``."""
    unused = {**BIRD, "id": 6, "name": "fish"}
    data = config(tmp_path, shows("a", CAT, DOG, SKY, 20), shows("b", 5, SKY), [*CATEGORIES, BIRD, unused])
    categories, notes = training_categories(data)
    assert categories == Categories.from_json([*CATEGORIES, BIRD])
    assert notes == [
        f"{data.val} shows what {data.train} does not (bird): it cannot be learnt, so it counts as missed"
    ]
    only_listed = config(tmp_path / "2", shows("a", CAT, SKY, 20), shows("b", DOG), CATEGORIES)
    assert training_categories(only_listed)[1][0].endswith(
        "(dog): it cannot be learnt, so it counts as missed"
    )


def test_one_id_for_two_classes(tmp_path: Path) -> None:
    data = config(tmp_path, shows("a", CAT), shows("b", CAT), CATEGORIES)
    edit_json(Path(data.val), lambda content: content["categories"][0].update(name="lion"))
    with pytest.raises(DataError, match=r"id 3 is the thing 'lion', but the thing 'cat' in .*train"):
        training_categories(data)


def test_classes_named_otherwise(tmp_path: Path) -> None:
    data = config(tmp_path, shows("a", CAT), shows("b", CAT), CATEGORIES)  # 3 is a car in COCO
    named = data.model_copy(update={"categories": "coco_panoptic"})
    categories, notes = training_categories(named)
    assert categories == coco_panoptic()
    assert notes[0].startswith(f"{data.train} has no segment of 132 classes (person, bicycle, motorcycle, ")
    assert notes[0].endswith(" and 124 more)")


def test_without_data_auto_is_coco() -> None:
    assert Categories.load("auto") == coco_panoptic()
    assert describe_classes(coco_panoptic()).startswith("80 things (person, bicycle, car, ")


def test_one_class_of_two_ids(tmp_path: Path) -> None:
    moved = [{**c, "id": 70} if c["name"] == "cat" else c for c in CATEGORIES]
    data = config(tmp_path, shows("a", CAT), shows("b", 70), moved)
    with pytest.raises(DataError, match=r"val.*: 'cat' is id 70, but 3 in .*train.*; give both"):
        training_categories(data)
