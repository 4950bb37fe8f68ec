"""The ``segmentation`` of a COCO detection file (cocodataset.org/#format-data) as runs of pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from spatialflow import json_fields as fields
from spatialflow.json_fields import FieldError
from spatialflow.masks import coco_counts
from spatialflow.masks.mask_runs import MaskRuns

_FAR = 4
"""Image sides that a polygon may leave the image by before it is cut, as drawing it costs its length."""


def read_segmentation(value: Any, size: tuple[int, int]) -> MaskRuns:
    """One object's mask.

    Args:
        value: polygons, or run lengths, compressed or not.
        size: (H, W) of the image.

    Raises:
        FieldError: it is none of these, or of another size.
    """
    if isinstance(value, Mapping):
        return _read_rle(value, size)
    if isinstance(value, list):
        polygons = [_read_polygon(polygon, f"[{i}]") for i, polygon in enumerate(value)]
        return runs_of_polygons(polygons, size)
    raise FieldError("", f"polygons or run lengths are expected, got {fields.show(value)}")


def runs_of_polygons(polygons: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> MaskRuns:
    """The pixels inside at least one of several polygons, by COCO's rule; what lies outside the image is cut.

    Args:
        polygons: (K, 2) x, y each, in pixels, where (0, 0) is the image's top left corner. Fewer than three
            points have no area.
        size: (H, W) of the image.
    """
    height, width = size
    far = _FAR * max(size)
    cut = [_cut_to_square(polygon, -far, far + max(size)) for polygon in polygons]
    flat = [polygon.ravel() for polygon in cut if len(polygon) > 2]
    if not flat:
        return MaskRuns.of_counts(np.array([height * width]), size)
    joined = coco.merge(coco.frPyObjects(flat, height, width))
    return MaskRuns.of_counts(coco_counts.decode(joined["counts"].decode()), size)


def _read_rle(value: Mapping[str, Any], size: tuple[int, int]) -> MaskRuns:
    stated = fields.get(value, "size")
    if stated != list(size):
        raise FieldError(
            "size", f"{list(size)} (height, width) of the image is expected, got {fields.show(stated)}"
        )
    counts = fields.get(value, "counts")
    try:
        if isinstance(counts, str):
            return MaskRuns.of_counts(coco_counts.decode(counts), size)
        if not isinstance(counts, list) or not all(type(count) is int for count in counts):
            raise FieldError("counts", f"run lengths are expected, got {fields.show(counts)}")
        return MaskRuns.of_counts(np.array(counts, np.int64), size)
    except (ValueError, OverflowError) as error:
        raise FieldError("counts", f"no mask of this image: {error}; export it again") from None


def _read_polygon(value: Any, name: str) -> NDArray[np.float64]:
    if not isinstance(value, list) or len(value) % 2 or not all(fields.is_number(number) for number in value):
        raise FieldError(name, f"a list x, y, x, y, ... of numbers is expected, got {fields.show(value)}")
    return np.array(value, np.float64).reshape(-1, 2)


def _cut_to_square(polygon: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """What of a polygon lies between two coordinates (Sutherland and Hodgman's way, side by side)."""
    if not polygon.size or (polygon.min() >= low and polygon.max() <= high):
        return polygon
    for axis in (0, 1):
        for limit, sign in ((low, 1.0), (high, -1.0)):
            inside = sign * (polygon[:, axis] - limit) >= 0
            points: list[NDArray[np.float64]] = []
            for i, point in enumerate(polygon):
                before = polygon[i - 1]
                if inside[i] != inside[i - 1]:
                    share = (limit - before[axis]) / (point[axis] - before[axis])
                    crossing = before + share * (point - before)
                    crossing[axis] = limit
                    points.append(crossing)
                if inside[i]:
                    points.append(point)
            polygon = np.array(points).reshape(-1, 2)
            if not points:
                return polygon
    return polygon
