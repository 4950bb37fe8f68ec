from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from spatialflow.categories import Category
from spatialflow.visualize.legend import add_legend


def segments(*names):
    """Names in capitals are things."""
    return [
        SimpleNamespace(is_thing=name.isupper(), category=Category(i, name, name.isupper(), (10 * i, 7, 250)))
        for i, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("size", "where", "place"),
    [((300, 200), "right", "right"), ((300, 200), "bottom", "bottom"), ((300, 200), True, "right"),
     ((900, 200), True, "bottom"), ((300, 20), "right", "right"), ((20, 300), "bottom", "bottom")],
)  # fmt: skip
def test_the_legend_is_beside_the_picture(size, where, place):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8))
    larger = add_legend(picture, segments("CAT", "grass"), where)
    pixels = np.asarray(larger)
    assert (pixels[: size[1], : size[0]] == np.asarray(picture)).all()
    assert larger.width > size[0] if place == "right" else larger.height > size[1]
    panel = pixels[:, size[0] :] if place == "right" else pixels[size[1] :]
    assert (panel[:, :, 2] == 250).any()
    assert (panel[:3] == 255).all()
    assert (panel[-3:] == 255).all(), "nothing is cut off"


def test_each_category_has_one_colour_and_all_fit():
    names = [f"CLASS{i}" for i in range(40)]
    listed = [
        SimpleNamespace(is_thing=True, category=Category(i, name, True, (3 * i, 255 - 3 * i, 77)))
        for i, name in enumerate(names)
        for _ in range(2)
    ]
    pixels = np.asarray(add_legend(Image.new("RGB", (300, 150)), listed, "right"))
    for i in range(40):
        found = np.nonzero((pixels == (3 * i, 255 - 3 * i, 77)).all(axis=2))
        assert len(found[0]) > 50
        assert np.ptp(found[0]) < 20
        assert np.ptp(found[1]) < 20, "one square"


def test_without_segments_or_wish_there_is_none():
    picture = Image.new("RGB", (30, 20))
    assert add_legend(picture, [], True) is picture
    assert add_legend(picture, segments("CAT"), False) is picture
