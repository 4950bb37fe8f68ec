from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from spatialflow.categories import Category
from spatialflow.structures import Segment
from spatialflow.visualize import draw_overlay, write_names

CAT = Category(17, "cat", True, (220, 20, 60))
GRASS = Category(193, "grass", False, (0, 160, 0))


def segment(number, category, score=0.9):
    return Segment(number, 0, category, category.is_thing, score, 0, (0, 0, 0, 0))


@pytest.fixture
def scene():
    """A grey photo: void on the left, grass in the middle, a cat on the right."""
    photo = np.full((200, 300, 3), 100, np.uint8)
    ids = np.zeros((200, 300), np.int32)
    ids[:, 100:200], ids[:, 200:] = 7, 3000
    return photo, ids, [segment(7, GRASS), segment(3000, CAT)]


def test_pixels_are_blended_as_documented(scene):
    photo, ids, segments = scene
    picture = np.asarray(draw_overlay(photo, ids, segments, labels=False, min_side=0)).astype(int)
    assert picture.shape == photo.shape
    assert (picture[:, :99] == 100).all(), "void must stay as it is"
    # by hand: 100 * (1 - opacity) + colour * opacity, opacity 0.32 for stuff and 0.55 for things
    assert np.abs(picture[50, 150] - [68, 119, 68]).max() <= 1
    assert np.abs(picture[50, 250] - [166, 56, 78]).max() <= 1


def test_contours_run_along_both_sides_of_a_border(scene):
    photo, ids, segments = scene
    picture = np.asarray(draw_overlay(photo, ids, segments, labels=False, min_side=0)).astype(int)
    assert np.abs(picture[50, 200] - [214, 24, 62]).max() <= 1  # 0.95 of the cat's colour
    assert np.abs(picture[50, 199] - [45, 133, 45]).max() <= 1  # 0.55 of the grass's
    assert (picture[50, 202] == picture[50, 250]).all()


def test_tensor_array_and_pil_give_the_same_picture(scene):
    photo, ids, segments = scene
    photo = np.random.default_rng(0).integers(0, 256, photo.shape, np.uint8)
    pictures = [
        draw_overlay(image, ids, segments)
        for image in (photo, Image.fromarray(photo), torch.from_numpy(photo).permute(2, 0, 1))
    ]
    assert all(p.mode == "RGB" and p.tobytes() == pictures[0].tobytes() for p in pictures)


def test_the_photo_is_not_changed(scene):
    photo, ids, segments = scene
    draw_overlay(photo, ids, segments, min_side=0)
    assert (photo == 100).all()


def test_instances_of_a_class_differ_and_stuff_does_not():
    photo = np.zeros((90, 90, 3), np.uint8)
    ids = np.repeat(np.repeat(np.arange(1, 10).reshape(3, 3), 30, 0), 30, 1)
    picture = np.asarray(
        draw_overlay(photo, ids, [segment(i, CAT) for i in range(1, 10)], labels=False, min_side=0)
    )
    colors = {tuple(c) for c in picture[15::30, 15::30].reshape(-1, 3).tolist()}
    assert len(colors) == 9
    assert all(red > green and red > blue for red, green, blue in colors), "still the cat's red"
    picture = np.asarray(
        draw_overlay(photo, ids, [segment(i, GRASS) for i in range(1, 10)], labels=False, min_side=0)
    )
    assert len({tuple(c) for c in picture[15::30, 15::30].reshape(-1, 3).tolist()}) == 1


def test_labels_lie_on_their_segments(scene):
    photo, ids, segments = scene
    plain = np.asarray(draw_overlay(photo, ids, segments, labels=False, min_side=0)).astype(int)
    named = np.asarray(draw_overlay(photo, ids, segments, min_side=0)).astype(int)
    rows, columns = np.nonzero(np.abs(named - plain).sum(2))
    assert columns.min() > 100, "no label on void"
    for left, right in ((100, 200), (200, 300)):
        inside = (columns >= left) & (columns < right)
        assert 10 <= np.ptp(rows[inside]) <= 40
        assert abs(np.median(columns[inside]) - (left + right) / 2) < 5


def test_scores_are_written_for_things_only(scene):
    photo, ids, segments = scene
    with_scores = np.asarray(draw_overlay(photo, ids, segments, min_side=0)).astype(int)
    without = np.asarray(draw_overlay(photo, ids, segments, scores=False, min_side=0)).astype(int)
    changed = np.nonzero(np.abs(with_scores - without).sum(2))[1]
    assert changed.size
    assert changed.min() >= 200


def test_names_alone_are_written_on_their_own_colours(scene):
    photo, ids, segments = scene
    picture = Image.fromarray(photo.copy())
    ids[100:, 200:] = 12
    write_names(picture, ids, [*segments, segment(12, CAT)])
    pixels = np.asarray(picture)
    named = [pixels[:, 100:200], pixels[:100, 200:], pixels[100:, 200:]]
    for part, category in zip(named, (GRASS, CAT, CAT), strict=True):
        assert (part == category.color).all(2).sum() > 100
    assert (pixels[:, :100] == 100).all()


def test_labels_never_overlap_and_tiny_segments_have_none():
    photo = np.zeros((400, 400, 3), np.uint8)
    ids = np.zeros((400, 400), np.int32)
    ids[200:203, 200:203] = 1
    assert np.count_nonzero(np.asarray(draw_overlay(photo, ids, [segment(1, CAT)])).any(2)) == 9
    # two narrow bands whose names would meet: only one finds room
    ids = np.zeros((400, 400), np.int32)
    ids[186:200], ids[200:214] = 1, 2
    dark = Category(1, "one", False, (0, 0, 90)), Category(2, "two", False, (0, 90, 0))
    picture = np.asarray(draw_overlay(photo, ids, [segment(i, c) for i, c in enumerate(dark, 1)])).astype(int)
    solid = [(picture == color.color).all(2).any() for color in dark]
    assert sum(solid) == 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [((128, 160), (480, 384)), ((480, 640), (640, 480)), ((64, 64), (384, 384)), ((1, 1), (400, 400)),
     ((3, 900), (900, 3))],
)  # fmt: skip
def test_small_photos_are_enlarged_by_a_whole_factor(size, expected):
    photo = np.zeros((*size, 3), np.uint8)
    assert draw_overlay(photo, np.ones(size, np.int32), [segment(1, CAT)]).size == expected
    assert draw_overlay(photo, np.ones(size, np.int32), [segment(1, CAT)], min_side=0).size == size[::-1]


def test_enlarging_keeps_every_segment_in_its_place():
    ids = np.zeros((100, 100), np.int32)
    ids[40:60, 40:60], ids[80, 80] = 5, 6
    photo = np.full((100, 100, 3), 100, np.uint8)
    picture = np.asarray(draw_overlay(photo, ids, [segment(5, GRASS), segment(6, CAT)], labels=False)).astype(
        int
    )
    assert picture.shape == (400, 400, 3)
    tinted = np.abs(picture - 100).sum(2) > 5
    truth = np.kron(ids > 0, np.ones((4, 4), bool))
    assert (tinted & truth).sum() / (tinted | truth).sum() > 0.98
    assert picture[321, 321, 0] > picture[321, 321, 1] + 50


def test_no_segments_leaves_the_photo():
    photo = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    assert (np.asarray(draw_overlay(photo, np.zeros((60, 50), np.int32), [], min_side=0)) == photo).all()
    unlisted = np.full((60, 50), 12)
    assert (np.asarray(draw_overlay(photo, unlisted, [segment(11, CAT)], min_side=0)) == photo).all()


def test_truth_may_come_as_plain_objects(scene):
    photo, ids, segments = scene
    plain = [
        SimpleNamespace(id=s.id, category=s.category, is_thing=s.is_thing, score=s.score) for s in segments
    ]
    assert draw_overlay(photo, ids, plain).tobytes() == draw_overlay(photo, ids, segments).tobytes()


def test_a_wrong_size_or_image_is_refused(scene):
    photo, ids, segments = scene
    with pytest.raises(ValueError, match=r"segment_ids is 200x300 pixels .* and the image 100x150"):
        draw_overlay(photo[::2, ::2], ids, segments)
    with pytest.raises(ValueError, match="float32"):
        draw_overlay(photo.astype(np.float32), ids, segments)
    with pytest.raises(ValueError, match="200x300"):
        draw_overlay(photo[..., 0], ids, segments)
