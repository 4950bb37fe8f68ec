"""Pictures, looked at pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest

from make_data import CAT, GRASS, ToyImage, ToySegment, write_panoptic_set
from make_view import write_pair
from spatialflow.browsing.drawing import COLORS, draw_mistakes, draw_segments
from spatialflow.browsing.mistakes import Kind, find_mistakes, found
from spatialflow.browsing.scene import Scene, read_scene
from spatialflow.browsing.source import open_source


def mistakes_of(scene: Scene) -> np.ndarray:
    assert scene.compared is not None
    assert scene.truth is not None
    picture = draw_mistakes(scene, find_mistakes(scene), found(scene.compared, scene.truth))
    return np.asarray(picture).astype(int)


def pixels_like(picture: np.ndarray, kind: Kind) -> np.ndarray:
    """(H, W) where a picture has, nearly, the colour of a kind of mistake."""
    return np.abs(picture - np.array(COLORS[kind])).max(axis=2) < 30


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    truth, prediction = write_pair(tmp_path)
    source = open_source(truth, predictions=prediction)
    return [read_scene(source, source.subject(i)) for i in range(3)]


def test_each_mistake_is_drawn_in_its_colour_where_it_is(scenes: list[Scene]) -> None:
    scene = scenes[1]
    picture = mistakes_of(scene)
    factor = int(scene.scale)
    places = {
        Kind.WRONG: (0, 20, 20, 38),  # the predicted dog
        Kind.FALSE: (52, 30, 58, 36),
        Kind.MISSED: (30, 20, 50, 40),
    }
    margin = 4  # of outlines and names, in pixels of the photo
    for kind, (x1, y1, x2, y2) in places.items():
        where = pixels_like(picture, kind)
        inside = where[y1 * factor : y2 * factor, x1 * factor : x2 * factor]
        assert 0.1 < inside.mean() < 0.9, "hatched, not filled"
        rows, columns = np.nonzero(where)
        assert columns.min() >= (x1 - margin) * factor
        assert rows.min() >= (y1 - margin) * factor
        assert rows.max() < (y2 + margin) * factor
    rest = picture[10 * factor + 9 : 16 * factor, : 60 * factor]
    assert (np.ptp(rest, axis=2) == 0).all(), "what is right is grey"


def test_kinds_are_hatched_in_different_ways(scenes: list[Scene]) -> None:
    picture = mistakes_of(scenes[1])
    factor = int(scenes[1].scale)

    def slopes(kind: Kind, box: tuple[int, int, int, int]) -> set[int]:
        """Of the lines in the middle of a box: how well a shift along either diagonal leaves the hatching."""
        x1, y1, x2, y2 = (v * factor for v in box)
        where = pixels_like(picture, kind)[y1 + 9 : y2 - 9, x1 + 9 : x2 - 9]
        rising = (where[3:, :-3] == where[:-3, 3:]).mean()
        falling = (where[3:, 3:] == where[:-3, :-3]).mean()
        return {sign for sign, share in ((1, rising), (-1, falling)) if share > 0.95}

    assert slopes(Kind.FALSE, (52, 30, 58, 36)) == {1}
    assert slopes(Kind.MISSED, (30, 29, 50, 40)) == {-1}
    assert slopes(Kind.WRONG, (0, 30, 20, 38)) == set()


def test_an_image_without_mistakes_is_grey(scenes: list[Scene]) -> None:
    for scene in (scenes[0], scenes[2]):
        picture = mistakes_of(scene)
        assert np.ptp(picture, axis=2).max() == 0


def test_a_tiny_mistake_is_ringed(tmp_path: Path) -> None:
    meadow = ToySegment(GRASS, (0, 0, 2560, 1000))
    truth = ToyImage("a", (1000, 2560), (meadow, ToySegment(CAT, (1001, 501, 1002, 502))))
    path = write_panoptic_set(tmp_path / "data", (truth,))
    result = write_panoptic_set(tmp_path / "pred", (ToyImage("a", (1000, 2560), (meadow,)),), "pred")
    source = open_source(path, predictions=result)
    scene = read_scene(source, source.subject(0))
    assert scene.truth is not None
    where = pixels_like(mistakes_of(scene), Kind.MISSED)
    rows, columns = np.nonzero(where)
    assert (rows.mean(), columns.mean()) == (pytest.approx(251, abs=2), pytest.approx(501, abs=2))
    assert 40 < np.ptp(columns) < 60


def test_void_is_grey_and_crowds_are_dotted(scenes: list[Scene]) -> None:
    scene = scenes[2]
    assert scene.truth is not None
    picture = np.asarray(draw_segments(scene.photo, scene.truth)).astype(int)
    half = picture.shape[0] // 2
    assert np.ptp(picture[half + 5 :], axis=2).max() == 0, "void has no colour"
    assert np.ptp(picture[: half - 5], axis=2).max() > 50, "and what is no void, has"
    assert picture[half + 5 :].min() >= 60, "and is no darker than a calm grey"
    plain = np.full_like(scene.photo, 90)
    dotted = np.asarray(draw_segments(plain, scene.truth)).astype(int)
    middle = picture.shape[1] // 2
    crowd, grass = dotted[20:60, 20:60], dotted[20:60, middle + 20 : middle + 60]
    assert len(np.unique(crowd.reshape(-1, 3), axis=0)) == 2
    assert len(np.unique(grass.reshape(-1, 3), axis=0)) == 1


def test_the_photo_is_not_changed(scenes: list[Scene]) -> None:
    scene = scenes[2]
    assert scene.truth is not None
    before = scene.photo.copy()
    draw_segments(scene.photo, scene.truth)
    mistakes_of(scene)
    np.testing.assert_array_equal(scene.photo, before)
