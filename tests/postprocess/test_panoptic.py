"""The merge, rule by rule on small canvases."""

import numpy as np
import pytest
from numpy.typing import NDArray

from make_data import CATEGORIES
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.config import MergeConfig
from spatialflow.postprocess.panoptic import Instances, merge, segment_geometry
from spatialflow.structures import PanopticPrediction

TOY = Categories.from_json(CATEGORIES)
CAT, DOG, GRASS, SKY = range(4)
THINGS_CHANNEL = 2
HEIGHT, WIDTH = 20, 30
Thing = tuple[tuple[float, float, float, float], float, int]
SCORES = np.array([0.7, 0.8, 0.9], np.float32)


def instances(*things: Thing, full: bool = True) -> Instances:
    """Boxes whose masks fill them, or are empty."""
    count = len(things)
    return Instances(
        np.array([box for box, _, _ in things], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in things], np.float32),
        np.array([label for _, _, label in things], np.int64),
        np.full((count, 28, 28), 1.0 if full else 0.0, np.float32),
    )


def stuff(channel: int = THINGS_CHANNEL) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH), channel, np.uint8)


def run(things: Instances, map_: NDArray[np.uint8] | None = None, **config: float) -> PanopticPrediction:
    settings = MergeConfig.model_validate({"stuff_area": 10, "using_bbox": False} | config)
    return merge(things, stuff() if map_ is None else map_, SCORES, TOY, settings)


def canvas(*boxes: tuple[int, int, int, int, int]) -> NDArray[np.int32]:
    """Id map with rectangles x1, y1, x2, y2, id painted one over the other."""
    ids = np.zeros((HEIGHT, WIDTH), np.int32)
    for x1, y1, x2, y2, segment_id in boxes:
        ids[y1:y2, x1:x2] = segment_id
    return ids


def labels(prediction: PanopticPrediction) -> list[int]:
    return [segment.label for segment in prediction.segments]


def test_two_instances_and_their_description() -> None:
    prediction = run(instances(((2, 3, 12, 13), 0.9, DOG), ((20, 5, 26, 9), 0.5, CAT)))
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((2, 3, 12, 13, 1), (20, 5, 26, 9, 2)))
    dog, cat = prediction.segments
    assert (dog.id, dog.label, dog.category.name, dog.is_thing) == (1, DOG, "dog", True)
    assert (dog.score, dog.area, dog.box) == (pytest.approx(0.9), 100, (2, 3, 12, 13))
    assert (cat.id, cat.label, cat.score, cat.area) == (2, CAT, pytest.approx(0.5), 24)


def test_scores_below_the_threshold_are_left_out() -> None:
    things = instances(((0, 0, 5, 5), 0.5, CAT), ((10, 0, 15, 5), 0.375, CAT), ((20, 0, 25, 5), 0.25, CAT))
    assert len(run(things, score_threshold=0.375).segments) == 2  # equal to it is enough
    assert len(run(things, score_threshold=0.6).segments) == 0


def test_the_better_instance_keeps_its_pixels() -> None:
    # the second is covered to 2 of 10 columns
    prediction = run(instances(((2, 2, 12, 12), 0.9, DOG), ((10, 2, 20, 12), 0.8, DOG)))
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((10, 2, 20, 12, 2), (2, 2, 12, 12, 1)))


@pytest.mark.parametrize(("x", "enters"), [(8, True), (7, False)])
def test_an_instance_covered_too_much_is_left_out(x: int, enters: bool) -> None:
    # covered to (12 - x) / 10, and 0.4 is not more than 0.4
    things = instances(((2, 2, 12, 12), 0.9, DOG), ((x, 2, x + 10, 12), 0.8, CAT))
    assert labels(run(things, overlap_threshold=0.4)) == ([DOG, CAT] if enters else [DOG])


def test_an_instance_left_out_covers_nobody() -> None:
    # the third overlaps only the second, which is left out
    things = instances(((0, 0, 10, 10), 0.9, DOG), ((4, 0, 14, 10), 0.8, CAT), ((10, 0, 16, 10), 0.7, CAT))
    prediction = run(things)
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((0, 0, 10, 10, 1), (10, 0, 16, 10, 2)))
    assert labels(prediction) == [DOG, CAT]
    assert prediction.segments[1].score == pytest.approx(0.7)


def test_empty_masks_make_no_segment() -> None:
    assert run(instances(((2, 2, 12, 12), 0.9, DOG), full=False)).segments == ()
    covered = instances(((2, 2, 12, 12), 0.9, DOG), ((2, 2, 12, 12), 0.8, CAT))
    assert labels(run(covered, overlap_threshold=1.0)) == [DOG]  # allowed in, but no pixel is left


def test_stuff_fills_what_is_free_in_the_order_of_labels() -> None:
    map_ = stuff(1)
    map_[10:] = 0
    prediction = run(instances(((0, 0, 10, 20), 0.9, CAT)), map_)
    expected = canvas((0, 0, 30, 10, 3), (0, 10, 30, 20, 2), (0, 0, 10, 20, 1))
    assert np.array_equal(prediction.segment_ids.numpy(), expected)
    assert labels(prediction) == [CAT, GRASS, SKY]
    assert [s.is_thing for s in prediction.segments] == [True, False, False]
    assert [s.score for s in prediction.segments] == pytest.approx([0.9, 0.7, 0.8])


@pytest.mark.parametrize(("limit", "enters"), [(400, True), (401, False)])
def test_stuff_needs_enough_free_pixels(limit: int, enters: bool) -> None:
    prediction = run(instances(((0, 0, 10, 20), 0.9, CAT)), stuff(0), stuff_area=limit)  # 400 are free
    assert labels(prediction) == ([CAT, GRASS] if enters else [CAT])


def test_stuff_without_any_pixel_is_no_segment_even_if_no_area_is_asked_for() -> None:
    assert labels(run(instances(), stuff(1), stuff_area=0)) == [SKY]


def test_the_things_channel_stays_void() -> None:
    assert run(instances()).segments == ()
    coco = coco_panoptic()
    map_ = np.full((HEIGHT, WIDTH), 36, np.uint8)
    map_[:10] = 35
    map_[:, :15] = 37
    settings = MergeConfig(stuff_area=10)
    prediction = merge(instances(), map_, np.ones(54, np.float32), coco, settings)
    assert [s.category.name for s in prediction.segments] == ["window-other", "tree-merged"]
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((0, 0, 30, 10, 1), (0, 0, 15, 20, 2)))


def test_a_box_without_a_mask_becomes_a_new_segment() -> None:
    things = instances(((2, 3, 12, 13), 0.9, DOG), full=False)
    prediction = run(things, using_bbox=True)
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((2, 3, 12, 13, 1)))
    assert labels(prediction) == [DOG]
    assert prediction.segments[0].score == pytest.approx(0.9)


def test_a_box_extends_its_accepted_mask_under_the_same_id() -> None:
    things = instances(((2, 2, 22, 12), 0.9, DOG))
    things.masks[0, :, 7:] = 0  # left quarter only
    assert run(things).segments[0].area == 50
    prediction = run(things, using_bbox=True)
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((2, 2, 22, 12, 1)))
    assert len(prediction.segments) == 1
    assert prediction.segments[0].area == 200


@pytest.mark.parametrize(("threshold", "fills"), [(0.5, True), (0.51, False)])
def test_enough_of_the_box_must_be_void(threshold: float, fills: bool) -> None:
    map_ = stuff()
    map_[:, :7] = 1  # takes half of the box
    things = instances(((2, 2, 12, 12), 0.9, DOG), full=False)
    prediction = run(things, map_, using_bbox=True, bbox_threshold=threshold)
    assert labels(prediction) == ([SKY, DOG] if fills else [SKY])
    if fills:
        assert np.array_equal(prediction.segment_ids.numpy(), canvas((2, 2, 12, 12, 2), (0, 0, 7, 20, 1)))


def test_boxes_come_after_stuff_and_in_the_order_of_scores() -> None:
    things = instances(((0, 0, 10, 10), 0.9, CAT), ((5, 0, 15, 10), 0.8, DOG), full=False)
    map_ = stuff()
    map_[15:] = 0
    prediction = run(things, map_, using_bbox=True)
    assert labels(prediction) == [GRASS, CAT, DOG]
    expected = canvas((5, 0, 15, 10, 3), (0, 0, 10, 10, 2), (0, 15, 30, 20, 1))
    assert np.array_equal(prediction.segment_ids.numpy(), expected)


def test_boxes_below_the_score_threshold_fill_nothing() -> None:
    assert run(instances(((0, 0, 10, 10), 0.3, CAT), full=False), using_bbox=True).segments == ()


@pytest.mark.parametrize(
    "box",
    [
        (5.2, 5.2, 5.9, 15),  # truncates to nothing
        (5, 5, 5, 15),
        (5, 5, 15, 5),
        (40, 2, 60, 12),  # beyond the right border
        (2, 30, 12, 40),
        (-20, -20, -5, -5),
    ],
)
def test_boxes_without_a_pixel_make_no_segment(box: tuple[float, float, float, float]) -> None:
    things = instances((box, 0.9, DOG), full=False)
    for threshold in (0.0, 0.5):
        assert run(things, using_bbox=True, bbox_threshold=threshold).segments == ()


def test_boxes_truncate_and_may_leave_the_image() -> None:
    things = instances(((-3.5, -2, 4.9, 5.999), 0.9, DOG), ((25.5, 16.2, 99, 99), 0.8, CAT), full=False)
    prediction = run(things, using_bbox=True)
    assert np.array_equal(prediction.segment_ids.numpy(), canvas((0, 0, 4, 5, 1), (25, 16, 30, 20, 2)))


def test_ids_count_from_one_without_gaps() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        corners = rng.uniform(-4, 28, (12, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(0, 14, (12, 2))], axis=1).astype(np.float32)
        scores = np.sort(rng.random(12).astype(np.float32))[::-1]
        masks = rng.random((12, 28, 28)).astype(np.float32) * 1.4
        things = Instances(boxes, scores, rng.integers(0, 2, 12), masks)
        map_ = rng.integers(0, 3, (4, 6)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
        first, again = (run(things, map_, using_bbox=True) for _ in range(2))
        ids = first.segment_ids.numpy()
        assert [s.id for s in first.segments] == list(range(1, len(first.segments) + 1))
        assert sorted(set(ids.ravel()) - {0}) == [s.id for s in first.segments]
        assert np.array_equal(ids, again.segment_ids.numpy())
        assert first.segments == again.segments


def test_geometry_by_hand() -> None:
    ids = np.array([[1, 1, 0, 2], [2, 0, 0, 2], [2, 3, 3, 2]], np.int32)
    areas, boxes = segment_geometry(ids, 3)
    assert areas.tolist() == [2, 5, 2]
    assert boxes.tolist() == [[0, 0, 2, 1], [0, 0, 4, 3], [1, 2, 3, 3]]


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1), (13, 17)])
def test_geometry_equals_a_loop(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        drawn = rng.integers(0, 4, size)
        ids = np.searchsorted(np.unique(np.append(drawn, 0)), drawn).astype(np.int32)  # no gaps
        count = int(ids.max())
        areas, boxes = segment_geometry(ids, count)
        for segment_id in range(1, count + 1):
            rows, columns = np.nonzero(ids == segment_id)
            assert areas[segment_id - 1] == len(rows)
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert boxes[segment_id - 1].tolist() == expected
