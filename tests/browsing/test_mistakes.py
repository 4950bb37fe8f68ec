"""Which segment is marked as what, on images whose mistakes are known."""

from pathlib import Path

import pytest

from make_view import write_pair
from spatialflow.browsing.mistakes import Kind, Mistake, find_mistakes, found
from spatialflow.browsing.scene import Scene, read_scene
from spatialflow.browsing.source import open_source


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    truth, prediction = write_pair(tmp_path)
    source = open_source(truth, predictions=prediction)
    return [read_scene(source, source.subject(i)) for i in range(3)]


def told(mistake: Mistake) -> tuple[object, ...]:
    ids = [None if shape is None else shape.id for shape in (mistake.truth, mistake.pred)]
    return mistake.kind, mistake.name, *ids, mistake.iou


def test_mistakes_of_hand_made_images(scenes: list[Scene]) -> None:
    right, mistaken, crowded = (find_mistakes(scene) for scene in scenes)
    assert right == []
    assert [told(mistake) for mistake in mistaken] == [
        (Kind.WRONG, "cat as dog", 1003, 1003, 0.9),
        (Kind.FALSE, "cat", None, 1004, None),
        (Kind.MISSED, "dog", 1004, None, None),
    ]
    # on a crowd of their category and on void, predictions are neither right nor wrong
    assert crowded == []


def test_found_are_the_matched_segments(scenes: list[Scene]) -> None:
    ids = []
    for scene in scenes:
        assert scene.compared is not None
        assert scene.truth is not None
        ids.append([shape.id for shape in found(scene.compared, scene.truth)])
    assert ids == [[1001, 1002], [1001, 1002], [1001]]


def test_large_mistakes_come_first(scenes: list[Scene]) -> None:
    mistakes = find_mistakes(scenes[1])
    assert mistakes[0].shape.area == 360  # of a wrong match, the predicted segment
    assert mistakes[0].shape.box == (0, 20, 20, 38)
    assert [category.name for category in mistakes[0].categories] == ["cat", "dog"]


def test_without_a_prediction_there_is_no_mistake(tmp_path: Path) -> None:
    source = open_source(write_pair(tmp_path)[0])
    assert find_mistakes(read_scene(source, source.subject(1))) == []
