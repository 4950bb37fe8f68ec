"""Pixels of shapes: by hand, and against each pixel's centre tested in exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from spatialflow.data.converters.shape_masks import (
    runs_at,
    runs_of_box,
    runs_of_ellipse,
    runs_of_polygon,
    union,
)
from spatialflow.masks.mask_runs import MaskRuns


def pixels(runs: MaskRuns) -> NDArray[np.bool_]:
    apart = runs.starts[1:] > runs.ends[:-1]
    assert len(runs) == 1
    assert apart.all()
    assert (runs.starts < runs.ends).all()
    return runs.paint() == 1


def rows(runs: MaskRuns) -> list[str]:
    return ["".join("#" if inside else "." for inside in row) for row in pixels(runs).tolist()]


def polygon(*points: tuple[float, float], size: tuple[int, int] = (4, 6)) -> MaskRuns:
    return runs_of_polygon(np.array(points, np.float64).reshape(-1, 2), size)


def inside(points: list[list[float]], row: int, column: int) -> bool:
    """Whether the edges at or above a pixel's centre are odd in number, without rounding."""
    x, y = Fraction(2 * column + 1, 2), Fraction(2 * row + 1, 2)
    exact = [(Fraction(a), Fraction(b)) for a, b in points]
    odd = False
    for (x0, y0), (x1, y1) in zip(exact, exact[1:] + exact[:1], strict=True):
        if (x0 <= x) != (x1 <= x) and y0 + (x - x0) * (y1 - y0) / (x1 - x0) <= y:
            odd = not odd
    return odd


@pytest.mark.parametrize("seed", range(60))
def test_polygon_by_brute_force(seed: int) -> None:
    """Of any number of points, crossing themselves and leaving the image; also on halves of pixels."""
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
    number = int(rng.integers(0, 9))
    points = rng.integers(-8, 32, (number, 2)) / 2 if seed % 2 else rng.uniform(-5, 16, (number, 2))
    expected = [[inside(points.tolist(), r, c) for c in range(size[1])] for r in range(size[0])]
    assert pixels(runs_of_polygon(points.astype(np.float64), size)).tolist() == expected


def test_polygon_by_hand() -> None:
    assert rows(polygon((1, 1), (4, 1), (4, 3), (1, 3))) == ["......", ".###..", ".###..", "......"]
    # centres on the left and the upper edge are inside, on the right and the lower one outside
    assert rows(polygon((0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5))) == [
        "###...",
        "###...",
        "......",
        "......",
    ]
    # a slope: row r has the centres left of 4 - (r + 0.5), and the one on it is outside
    assert rows(polygon((0, 0), (4, 0), (0, 4))) == ["###...", "##....", "#.....", "......"]
    assert rows(polygon((0, 0), (6, 0), (6, 4), (0, 4))) == ["######"] * 4


def test_diagonal_centres_belong_to_one_side() -> None:
    """The diagonal of a square goes through centres; each is of just one of the halves."""
    upper, lower = polygon((0, 0), (4, 0), (4, 4)), polygon((0, 0), (4, 4), (0, 4))
    assert rows(upper) == [".###..", "..##..", "...#..", "......"]
    assert rows(lower) == ["#.....", "##....", "###...", "####.."]


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_share_no_pixel_and_leave_none(seed: int) -> None:
    """Triangles around a point cover a rectangle: each pixel once, whatever way their edges run."""
    rng = np.random.default_rng(seed)
    size = (13, 17)
    middle = rng.uniform(1, 12, 2)
    corners = [(0, 0), (7.3, 0), (17, 0), (17, 5.1), (17, 13), (4.9, 13), (0, 13)]
    covered = np.zeros(size, np.int32)
    for i, corner in enumerate(corners):
        points = np.array([middle, corner, corners[(i + 1) % len(corners)]])
        covered += pixels(runs_of_polygon(points[:: rng.choice([-1, 1])], size))
    assert (covered == 1).all()


def test_crossing_itself_is_even_odd() -> None:
    star = [
        (10 + 9 * math.sin(4 * math.pi * i / 5), 10 - 9 * math.cos(4 * math.pi * i / 5)) for i in range(5)
    ]
    mask = pixels(polygon(*star, size=(20, 20)))
    assert not mask[10, 10]
    theirs = coco.decode(coco.merge(coco.frPyObjects([np.array(star).ravel().tolist()], 20, 20)))
    assert not theirs[10, 10]
    assert (mask != theirs.astype(bool)).mean() < 0.1  # which rounds to fifths of pixels


def test_a_hole_by_a_seam() -> None:
    outer, hole = [(0, 0), (6, 0), (6, 4), (0, 4), (0, 0)], [(2, 1), (2, 3), (4, 3), (4, 1), (2, 1)]
    assert rows(polygon(*outer, *hole)) == ["######", "##..##", "##..##", "######"]


@pytest.mark.parametrize("points", [[], [(1, 1)], [(1, 1), (5, 3)], [(1, 1), (5, 1), (3, 1)], [(2, 2)] * 4])
def test_no_area_has_no_pixel(points: list[tuple[float, float]]) -> None:
    assert not pixels(polygon(*points)).any()


@pytest.mark.parametrize("far", [1e3, 1e9, 1e14])
def test_far_outside_is_cut(far: float) -> None:
    assert pixels(polygon((-far, -far), (far, -far), (far, far), (-far, far))).all()
    assert rows(polygon((3, -far), (far, -far), (far, far), (3, far))) == ["...###"] * 4
    assert not pixels(polygon((far, far), (2 * far, far), (far, 2 * far))).any()


def test_boxes() -> None:
    assert rows(runs_of_box((4, 3, 1, 1), (4, 6))) == ["......", ".###..", ".###..", "......"]
    # 4x2 about its middle (3, 2) by a quarter turn: 2x4
    assert rows(runs_of_box((1, 1, 5, 3), (4, 6), 90)) == ["..##.."] * 4
    # 3x1 about its corner (2, 0), clockwise: downwards and to the left of it
    assert rows(runs_of_box((2, 0, 5, 1), (4, 6), 90, pivot=(2, 0))) == [
        ".#....",
        ".#....",
        ".#....",
        "......",
    ]


def test_circle_by_hand() -> None:
    """Radius 2 about (3, 2): centres are at distances of sqrt(0.5), sqrt(2.5), sqrt(4.5) pixels."""
    assert rows(runs_of_ellipse((3, 2), (4, 4), (4, 6))) == ["..##..", ".####.", ".####.", "..##.."]
    # centres on the outline are outside: radius 1 about a centre
    assert rows(runs_of_ellipse((2.5, 1.5), (1, 1), (4, 6))) == ["......", "..#...", "......", "......"]
    assert not pixels(runs_of_ellipse((2.5, 1.5), (0, 0), (4, 6))).any()
    assert not pixels(runs_of_ellipse((50, 50), (4, 4), (4, 6))).any()
    assert pixels(runs_of_ellipse((50, 50), (1e12, 1e12), (4, 6))).all()


@pytest.mark.parametrize("degrees", [0, 30, 90, -45])
def test_ellipse_by_brute_force(degrees: float) -> None:
    found = pixels(runs_of_ellipse((9.3, 7.7), (49, 9), (16, 20), degrees))
    turn = math.radians(degrees)
    for r, row in enumerate(found.tolist()):
        for c, is_inside in enumerate(row):
            x, y = c + 0.5 - 9.3, r + 0.5 - 7.7
            along, across = (
                x * math.cos(turn) + y * math.sin(turn),
                y * math.cos(turn) - x * math.sin(turn),
            )
            assert is_inside == ((along / 7) ** 2 + (across / 3) ** 2 < 1)


@pytest.mark.parametrize("seed", range(30))
def test_a_mask_at_its_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (7, 9)
    small = rng.random((int(rng.integers(1, 9)), int(rng.integers(1, 9)))) < 0.6
    left, top = (int(n) for n in rng.integers(-9, 11, 2))
    expected = np.zeros(size, np.bool_)
    for r, row in enumerate(small):
        for c, value in enumerate(row):
            if 0 <= r + top < 7 and 0 <= c + left < 9:
                expected[r + top, c + left] = value
    np.testing.assert_array_equal(pixels(runs_at(small, left, top, size)), expected)


@pytest.mark.parametrize("seed", range(10))
def test_union(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.random((6, 5)) < 0.3 for _ in range(seed % 4)]
    masks = MaskRuns.stack([MaskRuns.of_array(array) for array in arrays], (6, 5))
    np.testing.assert_array_equal(pixels(union(masks)), np.any([np.zeros((6, 5), np.bool_), *arrays], axis=0))
