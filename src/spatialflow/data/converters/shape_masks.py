"""Shapes that annotation tools draw, as masks: polygons, boxes, ellipses, and arrays at a place.

The rule is one for all: x goes right and y down, in pixels, from (0, 0) at the image's top left corner, and a
pixel belongs to a shape if its centre (column + 0.5, row + 0.5) does. A polygon is closed, and where it
crosses itself it has the even-odd rule, as in labelme's own masks (Pillow's) and in CVAT's (pycocotools's).
Of centres that lie exactly on its outline those belong to it that have its inside below them, or right of
them where the edge is vertical, so that of two polygons which share an edge each pixel belongs to one. What
lies outside the image is cut.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spatialflow.masks.mask_runs import MaskRuns


def runs_of_polygon(points: NDArray[np.float64], size: tuple[int, int]) -> MaskRuns:
    """The pixels inside one polygon.

    Args:
        points: (K, 2) x, y; fewer than three have no area.
        size: (H, W) of the image.
    """
    height, width = size
    ends = np.roll(points, -1, axis=0)
    turned = ends[:, :1] < points[:, :1]  # all edges from left to right: one and the same in both neighbours
    left, right = np.where(turned, ends, points), np.where(turned, points, ends)
    first = _first_centre(left[:, 0], width)
    columns = _first_centre(right[:, 0], width) - first
    edge = np.repeat(np.arange(len(points)), columns)
    column = np.arange(len(edge)) - np.repeat(np.cumsum(columns) - columns - first, columns)
    (x, y), (dx, dy) = left[edge].T, (right - left)[edge].T
    row = _first_centre(y + (column + 0.5 - x) * dy / dx, height)
    positions = np.sort(column * height + row).reshape(-1, 2)  # where each column goes in and out
    return union(MaskRuns(positions[:, 0], positions[:, 1], np.array([0, len(positions)]), size))


def runs_of_box(
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    degrees: float = 0.0,
    pivot: tuple[float, float] | None = None,
) -> MaskRuns:
    """The pixels inside a rectangle.

    Args:
        box: x1, y1, x2, y2 of two opposite corners.
        size: (H, W) of the image.
        degrees: it is turned by, clockwise as one sees it.
        pivot: the point that it is turned about; by default its middle.
    """
    x1, y1, x2, y2 = box
    corners: NDArray[np.float64] = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    if degrees:
        centre = np.array(pivot or ((x1 + x2) / 2, (y1 + y2) / 2))
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        corners = (corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return runs_of_polygon(corners, size)


def runs_of_ellipse(
    centre: tuple[float, float],
    squared_radii: tuple[float, float],
    size: tuple[int, int],
    degrees: float = 0.0,
) -> MaskRuns:
    """The pixels inside an ellipse, without those whose centres lie on its outline.

    Args:
        centre: x, y.
        squared_radii: along x and along y, before it is turned.
        size: (H, W) of the image.
        degrees: it is turned by, clockwise as one sees it.
    """
    a, b = squared_radii
    reach = math.sqrt(max(a, b)) + 1  # one more than any pixel it can have
    left, right = (int(np.clip(centre[0] + way, 0, size[1])) for way in (-reach, reach + 1))
    top, bottom = (int(np.clip(centre[1] + way, 0, size[0])) for way in (-reach, reach + 1))
    x = np.arange(left, right) + 0.5 - centre[0]
    y = (np.arange(top, bottom) + 0.5 - centre[1])[:, None]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return runs_at(along**2 * b + across**2 * a < a * b, left, top, size)


def runs_at(mask: NDArray[np.bool_], left: int, top: int, size: tuple[int, int]) -> MaskRuns:
    """A small mask at its place in the image.

    Args:
        mask: (h, w).
        left: column of its first pixel; it may lie outside.
        top: its row.
        size: (H, W) of the image.
    """
    height, width = size
    inside = mask[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    if not inside.any():
        return _empty(size)
    small = MaskRuns.of_array(np.pad(inside, ((0, 1), (0, 0))))  # so that no run goes on in the next column
    column = small.starts // small.size[0]
    moved = (column + max(left, 0)) * height + max(top, 0) - column * small.size[0]
    joined = MaskRuns(small.starts + moved, small.ends + moved, small.bounds, size)
    return union(joined)


def union(masks: MaskRuns) -> MaskRuns:
    """One mask of all pixels that are in at least one of several masks."""
    order = np.argsort(masks.starts, kind="stable")
    order = order[masks.ends[order] > masks.starts[order]]
    if not len(order):
        return _empty(masks.size)
    starts, ends = masks.starts[order], np.maximum.accumulate(masks.ends[order])
    is_first = np.append(True, starts[1:] > ends[:-1])
    is_last = np.append(is_first[1:], True)
    return MaskRuns(starts[is_first], ends[is_last], np.array([0, is_first.sum()]), masks.size)


def _empty(size: tuple[int, int]) -> MaskRuns:
    none = np.zeros(0, np.int64)
    return MaskRuns(none, none, np.zeros(2, np.int64), size)


def _first_centre(coordinates: NDArray[np.float64], pixels: int) -> NDArray[np.int64]:
    """The first pixel whose centre is at or past each coordinate, cut to 0..pixels."""
    return np.clip(np.ceil(coordinates - 0.5), 0, pixels).astype(np.int64)
