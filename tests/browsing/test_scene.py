from pathlib import Path

import numpy as np
import pytest

from make_data import CAT, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.browsing.scene import LARGEST_SIDE, Scene, picture_size, read_scene
from spatialflow.browsing.source import open_source
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png, write_id_png


def read(path: Path, place: int = 0) -> Scene:
    source = open_source(path)
    return read_scene(source, source.subject(place))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (480, 640)),
        ((128, 160), (384, 480)),  # small ones are enlarged by a whole factor
        ((1, 1), (400, 400)),
        ((3000, 4000), (960, 1280)),
        ((1281, 10), (1280, 10)),
        ((20000, 3), (1280, 1)),
    ],
)
def test_sizes_of_pictures(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert picture_size(size) == expected


def test_segments_are_those_of_the_png_at_any_size(tmp_path: Path) -> None:
    large = ToyImage(
        "large", (600, 2560), (ToySegment(SKY, (0, 0, 2560, 201)), ToySegment(CAT, (0, 300, 641, 600)))
    )
    small = ToyImage("small", (40, 60), (ToySegment(CAT, (10, 20, 30, 40)),))
    path = write_panoptic_set(tmp_path, (large, small))
    scene = read(path)
    assert scene.truth is not None
    assert scene.photo.shape == (300, LARGEST_SIDE, 3)
    assert scene.size == (600, 2560)
    np.testing.assert_array_equal(scene.truth.ids, large.id_map()[1::2, 1::2])
    assert [(s.id, s.area, s.box) for s in scene.truth.shapes] == [
        (1001, 514560, (0, 0, 2560, 201)),
        (1002, 192300, (0, 300, 641, 600)),
    ]
    assert scene.truth.void == 600 * 2560 - 514560 - 192300
    scene = read(path, 1)
    assert scene.truth is not None
    factor = scene.photo.shape[0] // 40
    assert factor > 1
    np.testing.assert_array_equal(scene.truth.ids, np.kron(small.id_map(), np.ones((factor, factor), int)))
    assert scene.scale == factor


def test_photos_are_turned_as_their_truth_is(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, (ToyImage("turned", (40, 60), orientation=6, suffix=".jpg"),))
    assert read(path).size == (40, 60)


def test_notes_say_what_is_odd(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    assert read(path).notes == []
    png = path.with_suffix("") / "first.png"
    ids = read_id_png(png)
    ids[ids == 1002] = 77
    write_id_png(png, ids)
    scene = read(path)
    assert scene.notes == [
        "Pixels of ids that segments_info does not list are drawn as void: 77.",
        "Segments without a pixel: 1002.",
    ]
    assert scene.truth is not None
    assert set(np.unique(scene.truth.ids)) == {0, 1001}
    assert scene.truth.void == (ids != 1001).sum()
    edit_json(path, lambda content: content["annotations"].pop(0))
    scene = read(path)
    assert scene.truth is None
    assert scene.notes == ["This image has no annotation."]


def test_files_of_two_sizes_are_refused(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    write_id_png(path.with_suffix("") / "first.png", np.full((47, 64), 1001, np.int32))
    with pytest.raises(DataError, match=r"first\.png: is 64x47 pixels, but its photo .* is 64x48"):
        read(path)
