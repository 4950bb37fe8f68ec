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
    plain = {"labels": False, "contours": False, "min_side": 0}
    picture = np.asarray(draw_overlay(photo, ids, segments, **plain)).astype(int)
    assert picture.shape == photo.shape
    assert (picture[:, :100] == 100).all(), "void must stay as it is"
    # by hand: 100 * (1 - opacity) + colour * opacity, opacity 0.28 for stuff and 0.45 for things
    assert np.abs(picture[:, 100:200] - [72, 117, 72]).max() <= 1
    assert np.abs(picture[:, 200:] - [154, 64, 82]).max() <= 1
    picture = np.asarray(draw_overlay(photo, ids, segments, opacity=1.0, **plain))
    assert (picture[50, [150, 250]] == [GRASS.color, CAT.color]).all()
    picture = np.asarray(draw_overlay(photo, ids, segments, opacity=(0.0, 1.0), **plain))
    assert (picture[50, [150, 250]] == [GRASS.color, (100, 100, 100)]).all()


def test_an_outline_is_a_smooth_line_where_the_segment_ends():
    y, x = np.mgrid[:300, :300]
    radius = np.hypot(x - 150, y - 150)
    ids = (radius < 100).astype(np.int32)
    photo = np.full((300, 300, 3), 100, np.uint8)
    options = {"labels": False, "opacity": 0.0, "min_side": 0}
    picture = np.asarray(draw_overlay(photo, ids, [segment(1, CAT)], **options)).astype(int)
    redness = picture[..., 0] - picture[..., 1]
    line = redness > 20
    assert np.abs(radius[line] - 99.5).max() < 3
    # all around, the middle of the line is within half a pixel of the true circle
    angle = np.digitize(np.arctan2(y - 150, x - 150), np.linspace(-np.pi, np.pi, 61))
    for part in range(1, 61):
        weight = redness * (line & (angle == part))
        assert abs((radius * weight).sum() / weight.sum() - 99.3) < 0.5
    assert len(np.unique(redness[line])) > 20, "anti-aliased: many shades"


def test_steps_of_pixels_are_smoothed():
    y, x = np.mgrid[:300, :300]
    photo = np.full((300, 300, 3), 100, np.uint8)
    ids = (y > 100 + x / 4).astype(np.int32)  # a step every four columns
    options = {"labels": False, "opacity": 0.0, "min_side": 0}
    picture = np.asarray(draw_overlay(photo, ids, [segment(1, CAT)], **options)).astype(int)
    redness = np.clip(picture[..., 0] - picture[..., 1], 0, None)[:, 50:250]
    middle = (y[:, 50:250] * redness).sum(0) / redness.sum(0)
    error = middle - (100.5 + x[0, 50:250] / 4)
    assert abs(error.mean()) < 0.6
    assert error.std() < 0.1


def test_no_line_runs_along_the_edge_of_the_picture():
    photo = np.full((80, 90, 3), 100, np.uint8)
    for category in (CAT, GRASS):
        picture = draw_overlay(
            photo, np.ones((80, 90), np.int32), [segment(1, category)], labels=False, min_side=0
        )
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) == 1


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
    assert (
        np.count_nonzero(np.asarray(draw_overlay(photo, ids, [segment(1, CAT)], contours=False)).any(2)) == 9
    )
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
    picture = np.asarray(
        draw_overlay(photo, ids, [segment(5, GRASS), segment(6, CAT)], labels=False, contours=False)
    ).astype(int)
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
    with pytest.raises(ValueError, match=r"uint8 of shape \(200, 300, 2\)"):
        draw_overlay(photo[..., :2], ids, segments)


def test_void_may_be_darkened_or_hatched(scene):
    photo, ids, segments = scene
    photo[..., 0] = 200
    options = {"labels": False, "contours": False, "min_side": 0}
    left = np.asarray(draw_overlay(photo, ids, segments, **options))
    dark = np.asarray(draw_overlay(photo, ids, segments, void="darken", **options))
    hatched = np.asarray(draw_overlay(photo, ids, segments, void="hatch", **options))
    assert (dark[:, :100] == [70, 35, 35]).all()  # 0.35 of the photo
    void = hatched[:, :100].astype(int)
    assert (np.ptp(void, axis=2) == 0).all(), "grey"
    assert len(np.unique(void)) == 2
    assert 0.05 < (void[..., 0] == void.max()).mean() < 0.15, "a line of one pixel every twelve"
    for picture in (dark, hatched):
        assert (picture[:, 100:] == left[:, 100:]).all()


@pytest.mark.parametrize(
    ("labels", "named"), [(True, {1, 2}), ("things", {2}), ("stuff", {1}), (False, set())]
)
def test_names_of_things_of_stuff_or_none(scene, labels, named):
    photo, ids, segments = scene
    options = {"contours": False, "min_side": 0}
    plain = np.asarray(draw_overlay(photo, ids, segments, labels=False, **options)).astype(int)
    picture = np.asarray(draw_overlay(photo, ids, segments, labels=labels, **options)).astype(int)
    changed = np.nonzero((picture != plain).any(axis=2))[1] // 100
    assert set(changed.tolist()) == set(named)


def test_options_that_are_equal_draw_alike(scene):
    expected = draw_overlay(*scene, labels=True, opacity=(0.5, 0.1))
    assert draw_overlay(*scene, labels=np.True_, opacity=[0.5, 0.1]) == expected
    assert draw_overlay(*scene, labels=1, opacity=(0.5, 0.1)) == expected


def test_by_id_a_thing_keeps_its_colour_whatever_else_there_is():
    photo = np.zeros((60, 90, 3), np.uint8)
    ids = np.repeat(np.array([[3, 8, 5]], np.int32), 60, 0).repeat(30, 1)
    options = {"labels": False, "contours": False, "min_side": 0}
    listed = [segment(i, CAT) for i in (3, 8, 5)]

    def middle(segments, by):
        picture = np.asarray(draw_overlay(photo, ids, segments, color_by=by, **options))
        return [tuple(color) for color in picture[30, 15::30].tolist()]

    assert middle(listed, "id") == middle(listed[::-1], "id")
    assert middle(listed, "id")[1:] == middle(listed[1:], "id")[1:]
    assert len(set(middle(listed, "id"))) == 3
    assert middle(listed, "order") != middle(listed[::-1], "order")
    assert middle(listed, "order")[0] == tuple(int(0.45 * c) for c in CAT.color)


def test_two_of_a_kind_are_told_apart_whatever_the_colour():
    photo = np.full((40, 40, 3), 128, np.uint8)
    ids = np.ones((40, 40), np.int32)
    ids[:, 20:] = 2
    for color in ((255, 77, 255), (0, 0, 70), (220, 20, 60), (119, 11, 32), (250, 170, 30), (102, 102, 156)):
        category = Category(1, "x", True, color)
        segments = [segment(1, category), segment(2, category)]
        picture = np.asarray(draw_overlay(photo, ids, segments, labels=False, contours=False, min_side=0))
        assert np.abs(picture[20, 10].astype(int) - picture[20, 30]).sum() >= 18
        if max(color) < 100:
            assert picture[20, 30].max() > picture[20, 10].max(), "dark ones become brighter, not black"


@pytest.mark.parametrize(
    ("option", "message"),
    [({"void": "paint"}, "void: 'paint' is not one of 'leave', 'darken', 'hatch'"),
     ({"legend": "top"}, "legend: 'top'"), ({"labels": "cat"}, "labels: 'cat'"),
     ({"color_by": "name"}, "color_by"), ({"opacity": 1.5}, "opacity: 1.5"),
     ({"opacity": (0.1, 0.2, 0.3)}, "opacity"), ({"opacity": "half"}, "opacity: 'half'")],
)  # fmt: skip
def test_options_that_do_not_exist_are_named(scene, option, message):
    with pytest.raises(ValueError, match=message):
        draw_overlay(*scene, **option)


def test_a_path_and_a_grey_photo_are_taken(scene, tmp_path):
    photo, ids, segments = scene
    Image.fromarray(photo).save(tmp_path / "a.png")
    expected = draw_overlay(photo, ids, segments).tobytes()
    assert draw_overlay(tmp_path / "a.png", ids, segments).tobytes() == expected
    assert draw_overlay(Image.fromarray(photo).convert("L"), ids, segments).tobytes() == expected
