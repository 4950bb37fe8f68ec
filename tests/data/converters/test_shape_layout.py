"""Shapes become segments: groups, stuff, and overlaps between shapes and between segments."""

from pathlib import Path

import numpy as np
import pytest

from make_exports import CAT, DOG, GRASS, write_classes
from spatialflow.data.converters.class_list import ClassList, load_classes
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.shape_layout import Shape, lay_flat
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.masks.mask_runs import MaskRuns

IMAGE = ImageInfo(1, "a.jpg", 1, 8)


@pytest.fixture
def classes(tmp_path: Path) -> ClassList:
    return load_classes(write_classes(tmp_path))


def shape(category_id: int, row: str, group: int | None = None, is_crowd: bool = False) -> Shape:
    mask = MaskRuns.of_array(np.array([[letter == "#" for letter in row]]))
    return Shape(category_id, mask, group, is_crowd)


def lay(classes: ClassList, overlap: OverlapPolicy, *shapes: Shape) -> PanopticImage:
    return lay_flat(IMAGE, shapes, classes, overlap, png_name="a.png", source="a.json")


def found(made: PanopticImage) -> tuple[str, list[tuple[int, int | None]]]:
    ids = "".join(map(str, made.id_map[0].tolist()))
    return ids, [(segment.category_id, segment.area) for segment in made.segments]


def test_segments(classes: ClassList) -> None:
    made = lay(
        classes,
        "error",
        shape(CAT, "#......."),
        shape(GRASS, ".#......"),
        shape(CAT, "..#.....", group=5),
        shape(DOG, "...#....", group=5),
        shape(CAT, "....#...", group=5),
        shape(GRASS, ".....#..", group=7),
        shape(CAT, "......#."),
    )
    assert found(made) == ("12343250", [(CAT, 1), (GRASS, 2), (CAT, 2), (DOG, 1), (CAT, 1)])
    assert not made.overlapping


def test_shapes_of_one_segment_may_overlap(classes: ClassList) -> None:
    shapes = (
        shape(GRASS, "####...."),
        shape(GRASS, "..####.."),
        shape(CAT, "......##", 1),
        shape(CAT, ".......#", 1),
    )
    made = lay(classes, "error", *shapes)
    assert found(made) == ("11111122", [(GRASS, 6), (CAT, 2)])


def test_overlap(classes: ClassList) -> None:
    """Grass lies under the cat with its first shape and over it with its second."""
    shapes = shape(GRASS, "###....."), shape(CAT, ".#####.."), shape(GRASS, ".....###")
    with pytest.raises(DataError, match=r"a\.json: image 1 \(a\.jpg\): 3 pixels are in more than one"):
        lay(classes, "error", *shapes)
    by_order = lay(classes, "order", *shapes)
    assert found(by_order) == ("12222111", [(GRASS, 4), (CAT, 4)])
    by_size = lay(classes, "smaller-on-top", *shapes)
    assert found(by_size) == ("12222211", [(GRASS, 3), (CAT, 5)])
    assert by_order.overlapping == by_size.overlapping == 3


def test_hidden_wholly(classes: ClassList) -> None:
    made = lay(classes, "order", shape(CAT, ".##....."), shape(DOG, ".###...."))
    assert found(made) == ("01110000", [(DOG, 3)])
    assert (made.dropped, made.overlapping) == (1, 2)


def test_crowd_is_of_things(classes: ClassList) -> None:
    made = lay(classes, "error", shape(CAT, "#.......", None, True), shape(GRASS, ".#......", None, True))
    assert [segment.is_crowd for segment in made.segments] == [True, False]


def test_none(classes: ClassList) -> None:
    policies: tuple[OverlapPolicy, ...] = ("error", "order", "smaller-on-top")
    for policy in policies:
        assert found(lay(classes, policy)) == ("00000000", [])
