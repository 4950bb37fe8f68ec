import numpy as np
import pytest
from pycocotools import mask as coco

from spatialflow.masks.polygons import outline


def drawn(polygons, size):
    """The mask that pycocotools draws of polygons."""
    if not polygons:
        return np.zeros(size, bool)
    return coco.decode(coco.merge(coco.frPyObjects(polygons, *size))).astype(bool)


def test_a_rectangle_by_hand():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    (polygon,) = outline(mask)
    corners = {tuple(corner) for corner in np.reshape(polygon, (-1, 2))}
    assert corners == {(2, 1), (6, 1), (6, 3), (2, 3)}
    assert len(polygon) == 8


def test_one_pixel_and_one_line_have_area():
    for size in ((1, 1), (1, 6), (6, 1)):
        mask = np.ones(size, bool)
        (polygon,) = outline(mask)
        assert len(polygon) == 8
        assert (drawn([polygon], size) == mask).all()


def test_drawn_again_any_mask_is_the_very_same():
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = int(rng.integers(1, 14)), int(rng.integers(1, 14))
        mask = rng.random(size) < rng.random()
        assert (drawn(outline(mask), size) == mask).all()


def test_parts_are_polygons_of_their_own_and_holes_are_cut_in():
    mask = np.zeros((20, 30), bool)
    mask[2:12, 2:14] = mask[5:18, 20:28] = True
    mask[4:6, 4:7] = mask[8:10, 8:11] = False
    polygons = outline(mask)
    assert len(polygons) == 2
    assert (drawn(polygons, mask.shape) == mask).all()
    filled = drawn(outline(mask, holes=False), mask.shape)
    assert filled[2:12, 2:14].all()
    assert filled.sum() == 120 + 104


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_tolerance_leaves_out_corners_and_keeps_the_shape(tolerance):
    y, x = np.mgrid[:200, :200]
    mask = np.hypot(x - 100, y - 90) < 70
    mask &= np.hypot(x - 110, y - 90) > 20
    exact, fewer = outline(mask), outline(mask, tolerance)
    assert len(fewer[0]) < len(exact[0]) * (0.9 if tolerance < 1 else 0.5)
    near = drawn(fewer, mask.shape)
    assert (near & mask).sum() / (near | mask).sum() > 1 - 0.02 * tolerance


def test_an_empty_mask_has_none():
    assert outline(np.zeros((4, 5), bool)) == []
