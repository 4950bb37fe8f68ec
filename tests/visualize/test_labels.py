"""Names never cover each other, and can be read."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from spatialflow.categories import Category
from spatialflow.visualize import draw_overlay, fonts, labels
from spatialflow.visualize.index_map import index_map


def crowded(seed, size=(300, 400), count=60):
    rng = np.random.default_rng(seed)
    ids = np.zeros(size, np.int32)
    for number in range(1, count + 1):
        y, x = rng.integers(0, size[0]), rng.integers(0, size[1])
        ids[y : y + rng.integers(2, 90), x : x + rng.integers(2, 90)] = number
    segments = []
    for number in np.unique(ids[ids > 0]).tolist():
        category = Category(number % 7, "n" * (1 + number % 12), number % 3 > 0, (number, 90, 200))
        segments.append(SimpleNamespace(id=number, score=0.5, is_thing=category.is_thing, category=category))
    return np.full((*size, 3), 90, np.uint8), ids, segments


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(300, 400), (40, 900), (900, 50)])
def test_in_a_crowd_no_name_covers_another_or_leaves_the_picture(seed, size, monkeypatch):
    boxes = []
    monkeypatch.setattr(labels, "draw_tag", lambda picture, box, *rest: boxes.append(box))
    picture = draw_overlay(*crowded(seed, size), min_side=0)
    assert len(boxes) >= 3
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for x1, y1, x2, y2 in boxes:
        assert 0 <= x1 < x2 <= picture.width
        assert 0 <= y1 < y2 <= picture.height


def test_stuff_is_named_where_no_thing_has_its_name(monkeypatch):
    """A thing sits in the middle of the stuff: the stuff's name is beside it, on the stuff."""
    ids = np.ones((300, 400), np.int32)
    ids[100:200, 150:250] = 2
    segments = [
        SimpleNamespace(id=1, score=1, is_thing=False, category=Category(1, "grass", False, (0, 99, 0))),
        SimpleNamespace(id=2, score=1, is_thing=True, category=Category(2, "cat", True, (99, 0, 0))),
    ]
    boxes = {}
    monkeypatch.setattr(labels, "draw_tag", lambda picture, box, text, *rest: boxes.update({text: box}))
    draw_overlay(np.zeros((300, 400, 3), np.uint8), ids, segments, scores=False, min_side=0)
    x1, y1, x2, y2 = boxes["grass"]
    assert (ids[y1:y2, x1:x2] == 1).all()
    x1, y1, x2, y2 = boxes["cat"]
    assert (ids[y1:y2, x1:x2] == 2).all()


def test_stuff_finds_room_beside_a_things_name(monkeypatch):
    """A low strip of stuff, in whose middle a small thing has its name: the stuff's name goes elsewhere."""
    ids = np.ones((60, 400), np.int32)
    ids[40:56, 190:210] = 2
    segments = [
        SimpleNamespace(id=1, score=1, is_thing=False, category=Category(1, "grass", False, (0, 99, 0))),
        SimpleNamespace(id=2, score=1, is_thing=True, category=Category(2, "some cat", True, (99, 0, 0))),
    ]
    boxes = {}
    monkeypatch.setattr(labels, "draw_tag", lambda picture, box, text, *rest: boxes.update({text: box}))
    draw_overlay(np.zeros((60, 400, 3), np.uint8), ids, segments, scores=False, min_side=0)
    assert set(boxes) == {"grass", "some cat"}


def test_letters_that_the_font_lacks_come_from_the_system_or_without_accents(monkeypatch):
    fonts.line.cache_clear()
    monkeypatch.setattr(fonts, "_SYSTEM", ("no-such-font.ttf",))
    drawn = fonts.line("Bäume und forêt", 20)
    assert drawn.text == "Baume und foret"
    assert drawn.width == fonts.line("Baume und foret", 20).width
    monkeypatch.undo()
    fonts.line.cache_clear()


def test_a_tag_shows_its_text_in_readable_ink():
    for color in ((250, 250, 210), (10, 10, 60)):
        picture = Image.new("RGB", (100, 40), (128, 128, 128))
        labels.draw_tag(picture, (5, 5, 95, 35), "name", color, 20)
        pixels = np.asarray(picture).astype(int)
        assert (pixels[2] == 128).all()
        assert (pixels[5, 50] == color).all()
        assert (pixels[5, 5] != color).any(), "round corner"
        darkest, lightest = pixels[8:32, 10:90].sum(2).min(), pixels[8:32, 10:90].sum(2).max()
        assert lightest - darkest > 500


def test_more_segments_than_16_bits_count():
    ids = np.arange(1, 70001, dtype=np.int32).reshape(1, -1)
    index = index_map(ids, [SimpleNamespace(id=i) for i in range(1, 70001)])
    assert (index == ids).all()
