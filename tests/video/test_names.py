import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from make_video import prediction_of
from spatialflow.data.synthetic import CATEGORIES
from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.video import names as module
from spatialflow.video.names import SteadyNames

SIZE = (240, 320)
Box = tuple[int, int, int, int]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Box]]:
    """Places of the tags that were drawn, by their text."""
    places: dict[str, list[Box]] = {}

    def note(picture: Image.Image, box: Box, text: str, color: object, size: int) -> None:
        places.setdefault(text, []).append(box)

    monkeypatch.setattr(module, "draw_tag", note)
    return places


def scene(*things: tuple[int, str, Box], ground: str = "dots") -> PanopticPrediction:
    """Things (id, name, box) on stuff of id 90."""
    label_of = {category.name: label for label, category in enumerate(CATEGORIES)}
    ids = np.full(SIZE, 90, np.int32)
    rows = []
    for number, name, (x1, y1, x2, y2) in ((90, ground, (0, 0, SIZE[1], SIZE[0])), *things):
        ids[y1:y2, x1:x2] = number
        label = label_of[name]
        category = CATEGORIES[label]
        rows.append(Segment(number, label, category, category.is_thing, 0.9, 0, (0, 0, 0, 0)))
    return prediction_of(ids, rows)


def write(names: SteadyNames, prediction: PanopticPrediction) -> None:
    picture = Image.new("RGB", SIZE[::-1])
    names.write(picture, prediction.segment_ids.numpy(), prediction.segments)


def test_name_moves_with_its_thing(written: dict[str, list[Box]]) -> None:
    names = SteadyNames()
    for x in range(20, 200, 9):
        write(names, scene((1, "disc", (x, 100, x + 40, 140))))
    tops, lefts = {box[1] for box in written["disc"]}, [box[0] for box in written["disc"]]
    assert len(tops) == 1
    assert max(written["disc"][0][3], 0) <= 100  # above the thing
    assert np.diff(lefts).tolist() == [9] * 19


def test_name_of_stuff_stays_though_a_better_place_comes_up(written: dict[str, list[Box]]) -> None:
    names = SteadyNames()
    for x in range(0, 200, 10):
        write(names, scene((1, "square", (x, 20, x + 120, 90))))
    assert len(written["dots"]) == 20
    assert len(set(written["dots"])) == 1


def test_name_of_stuff_moves_when_its_place_is_gone(written: dict[str, list[Box]]) -> None:
    names = SteadyNames()
    write(names, scene())
    write(names, scene((1, "square", (0, 0, 320, 200))))
    (first, second) = written["dots"]
    assert first != second
    assert second[1] >= 195
    write(names, scene((1, "square", (0, 0, 320, 238))))
    assert len(written["dots"]) == 2  # nowhere


def test_names_of_things_do_not_cover_each_other_and_keep_their_sides(written: dict[str, list[Box]]) -> None:
    names = SteadyNames()
    for x in range(200, 60, -5):  # the star passes the disc
        write(names, scene((1, "disc", (120, 100, 160, 140)), (2, "star", (x, 104, x + 40, 144))))
        disc, star = written["disc"][-1], written["star"][-1]
        assert disc[2] <= star[0] or star[2] <= disc[0] or disc[3] <= star[1] or star[3] <= disc[1]
    assert len(set(written["disc"])) == 1  # the older one stays
    below = [box[1] > 120 for box in written["star"]]
    assert sum(a != b for a, b in itertools.pairwise(below)) == 1  # once, and not back


def test_tiny_things_have_no_name(written: dict[str, list[Box]]) -> None:
    write(SteadyNames(), scene((1, "disc", (100, 100, 103, 103))))
    assert "disc" not in written


def test_tags_lie_inside_of_any_picture(written: dict[str, list[Box]]) -> None:
    names = SteadyNames()
    for box in ((0, 0, 40, 40), (280, 200, 320, 240), (0, 0, 320, 240)):
        write(names, scene((1, "disc", box)) if box[2] < 320 or box[0] else whole())
    for boxes in written.values():
        for x1, y1, x2, y2 in boxes:
            assert 0 <= x1 < x2 <= 320
            assert 0 <= y1 < y2 <= 240


def whole() -> PanopticPrediction:
    """A disc, and nothing else."""
    prediction = scene((1, "disc", (0, 0, 320, 240)))
    return dataclasses.replace(prediction, segments=prediction.segments[-1:])


def test_pictures_smaller_than_a_name(written: dict[str, list[Box]]) -> None:
    prediction = scene((1, "disc", (0, 0, 9, 9)))
    ids = prediction.segment_ids.numpy()[:10, :10]
    small = prediction_of(ids, prediction.segments)
    SteadyNames().write(Image.new("RGB", (10, 10)), ids, small.segments)
    assert written == {}
