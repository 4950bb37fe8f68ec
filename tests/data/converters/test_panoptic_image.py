"""One image from masks and from an id map: ids, areas, boxes, void, and what is left out."""

import numpy as np
import pytest

from spatialflow.data.converters.panoptic_image import (
    SegmentLabel,
    SegmentMask,
    from_id_map,
    from_masks,
)
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.panoptic_annotation import SegmentInfo

IMAGE = ImageInfo(5, "city/a.b.jpg", 4, 6)


def box(x1: int, y1: int, x2: int, y2: int, category_id: int = 7, is_crowd: bool = False) -> SegmentMask:
    mask = np.zeros((4, 6), np.bool_)
    mask[y1:y2, x1:x2] = True
    return SegmentMask(category_id, MaskRuns.of_array(mask), is_crowd)


def test_masks() -> None:
    made = from_masks(IMAGE, [box(0, 0, 2, 3), box(3, 1, 6, 2, 9, is_crowd=True)], more={"license": 3})
    assert made.id_map.tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 2, 2, 2],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert made.segments == (
        SegmentInfo(1, 7, False, 6, (0, 0, 2, 3)),
        SegmentInfo(2, 9, True, 3, (3, 1, 3, 1)),
    )
    assert (made.png_name, made.overlapping, made.dropped, made.more) == (
        "city/a.b.png",
        0,
        0,
        {"license": 3},
    )


def test_masks_without_pixels_are_left_out() -> None:
    """One was empty from the start, one is wholly below another; the rest are counted from 1."""
    masks = [box(0, 0, 1, 1), box(2, 2, 2, 2), box(3, 0, 4, 1), box(3, 0, 5, 2), box(0, 3, 6, 4)]
    made = from_masks(IMAGE, masks, "order")
    assert [segment.id for segment in made.segments] == [1, 2, 3]
    assert [segment.area for segment in made.segments] == [1, 4, 6]
    assert made.id_map.tolist() == [
        [1, 0, 0, 2, 2, 0],
        [0, 0, 0, 2, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [3, 3, 3, 3, 3, 3],
    ]
    assert (made.overlapping, made.dropped) == (1, 2)


def test_policy() -> None:
    masks = [box(0, 0, 1, 2), box(0, 0, 6, 1)]
    assert [s.area for s in from_masks(IMAGE, masks, "smaller-on-top").segments] == [2, 5]
    assert [s.area for s in from_masks(IMAGE, masks, "order").segments] == [1, 6]
    with pytest.raises(DataError) as caught:
        from_masks(IMAGE, masks, source="set.json")
    assert str(caught.value) == (
        "set.json: image 5 (city/a.b.jpg): 1 pixels are in more than one segment, such as in number 1 "
        "(category 7) and 2 (category 7) of the image; correct them, or choose another overlap policy "
        "(--overlap): smaller-on-top or order"
    )


def test_no_masks() -> None:
    made = from_masks(IMAGE, [])
    assert made.segments == ()
    assert made.id_map.shape == (4, 6)
    assert not made.id_map.any()


def test_a_mask_of_another_size() -> None:
    with pytest.raises(ValueError, match="size"):
        from_masks(ImageInfo(1, "a.jpg", 4, 5), [box(0, 0, 1, 1)])


def test_id_map() -> None:
    """Ids stay; one that is not labelled becomes void, and a label without pixels is left out."""
    ids = np.zeros((4, 6), np.uint16)
    ids[1, :4], ids[2, 2:], ids[3, 0] = 26001, 24, 9
    labels = [SegmentLabel(24, 11, True), SegmentLabel(26001, 13), SegmentLabel(1, 1)]
    made = from_id_map(IMAGE, ids, labels, png_name="x.png")
    assert made.segments == (
        SegmentInfo(24, 11, True, 4, (2, 2, 4, 1)),
        SegmentInfo(26001, 13, False, 4, (0, 1, 4, 1)),
    )
    expected = ids.astype(np.int32)
    expected[3, 0] = 0
    np.testing.assert_array_equal(made.id_map, expected)
    assert made.id_map.dtype == np.int32
    assert (made.png_name, made.dropped) == ("x.png", 1)
    assert from_id_map(IMAGE, ids, []).id_map.sum() == 0


@pytest.mark.parametrize(
    ("labels", "shape"),
    [([SegmentLabel(0, 1)], (4, 6)), ([SegmentLabel(1, 1), SegmentLabel(1, 2)], (4, 6)), ([], (6, 4))],
)
def test_wrong_use(labels: list[SegmentLabel], shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"unique|id map"):
        from_id_map(IMAGE, np.zeros(shape, np.int32), labels)
