"""The regions of one annotation of Label Studio.

Brushes, polygons, rectangles (turned about their upper left corner) and ellipses (turned about their middle)
have pixels, by the rule of :mod:`.shape_masks` and :mod:`.brush_rle`; key points and vectors have none. Other
results, such as choices and relations, say nothing of pixels. Coordinates are percentages of the image's
sides, and are rounded to a millionth of a pixel, since percentages seldom hold one exactly. A region's label
is in its own result, or in one of type ``labels`` that has the same id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow import json_fields as fields
from spatialflow.data.converters.brush_rle import decode_brush
from spatialflow.data.converters.export_rules import ExportRules
from spatialflow.data.converters.shape_layout import Shape
from spatialflow.data.converters.shape_masks import runs_of_box, runs_of_ellipse, runs_of_polygon
from spatialflow.json_fields import FieldError
from spatialflow.masks.mask_runs import MaskRuns

_AREAS = ("brush", "polygon", "rectangle", "ellipse")
_NO_AREAS = ("keypoint", "vector")
_DECIMALS = 6
"""Of a pixel."""


def stated_size(result: Sequence[Any]) -> tuple[int, int] | None:
    """(H, W) of the image by its regions; None if there is none.

    Raises:
        FieldError: they differ, or are of a turned image.
    """
    found: tuple[int, int] | None = None
    for i, region in enumerate(result):
        try:
            if _kind(region) not in _AREAS:
                continue
            size = fields.positive(region, "original_height"), fields.positive(region, "original_width")
            if region.get("image_rotation") not in (None, 0):
                raise FieldError(
                    "image_rotation",
                    f"{fields.show(region['image_rotation'])} is not supported; turn the photo itself, and "
                    f"draw its regions again",
                )
            if found not in (None, size):
                raise FieldError("original_width", "differs from that of other regions of the task")
        except FieldError as error:
            raise error.under(f"result[{i}]") from None
        found = size
    return found


def read_regions(result: Sequence[Any], size: tuple[int, int], rules: ExportRules) -> Iterator[Shape]:
    """The regions that have a class and an area by their kind, in the order of the file.

    Args:
        result: of the annotation.
        size: (H, W) of the image.
        rules: classes, and what is counted.

    Raises:
        FieldError: a region is wrong.
    """
    labels_of = {
        region["id"]: region["value"].get("labels")
        for region in result
        if _kind(region) == "labels" and isinstance(region.get("id"), str)
    }
    for i, region in enumerate(result):
        kind = _kind(region)
        try:
            if kind in _NO_AREAS:
                rules.tally.add("kind", kind)
            if kind == "bitmask":
                raise FieldError("type", "bitmasks are not supported; use a Brush, or export masks as PNGs")
            if kind not in _AREAS:
                continue
            category_id = _category(region, kind, labels_of, rules)
            if category_id is not None:
                yield Shape(category_id, _mask(region["value"], kind, size))
        except FieldError as error:
            raise error.under(f"result[{i}]") from None


def _kind(region: Any) -> str:
    """The shape that a result is; rectangle for rectanglelabels."""
    if not isinstance(region, Mapping) or not isinstance(region.get("value"), Mapping):
        return ""  # such as a relation
    kind = str(region.get("type"))
    return kind if kind == "labels" else kind.removesuffix("labels")


def _category(
    region: Mapping[str, Any], kind: str, labels_of: Mapping[str, Any], rules: ExportRules
) -> int | None:
    name = f"value.{kind}labels"
    labels = region["value"].get(f"{kind}labels") or labels_of.get(str(region.get("id"))) or []
    if not isinstance(labels, list) or len(labels) > 1:
        raise FieldError(name, f"one label is expected, got {fields.show(labels)}; a pixel has one class")
    return rules.category(labels[0] if labels else "", name)


def _mask(value: Mapping[str, Any], kind: str, size: tuple[int, int]) -> MaskRuns:
    try:
        if kind == "brush":
            return _brush(value, size)
        if kind == "polygon":
            return runs_of_polygon(_points(fields.get(value, "points"), size), size)
        degrees = _number(value, "rotation") if value.get("rotation") is not None else 0.0
        if kind == "rectangle":
            x, y, w, h = (_number(value, key) for key in ("x", "y", "width", "height"))
            (left, top), (right, bottom) = _to_pixels([[x, y], [x + w, y + h]], size)
            return runs_of_box((left, top, right, bottom), size, degrees, pivot=(left, top))
        x, y, a, b = (_number(value, key) for key in ("x", "y", "radiusX", "radiusY"))
        centre, radii = _to_pixels([[x, y], [a, b]], size)
        return runs_of_ellipse((centre[0], centre[1]), (radii[0] ** 2, radii[1] ** 2), size, degrees)
    except FieldError as error:
        raise error.under("value") from None


def _brush(value: Mapping[str, Any], size: tuple[int, int]) -> MaskRuns:
    if value.get("format", "rle") != "rle":
        raise FieldError("format", f"'rle' is expected, got {fields.show(value['format'])}")
    try:
        return MaskRuns.of_array(decode_brush(fields.get(value, "rle"), size))
    except ValueError as error:
        raise FieldError("rle", f"no brush of this image: {error}; export it again") from None


def _points(value: Any, size: tuple[int, int]) -> NDArray[np.float64]:
    if not isinstance(value, list):
        raise FieldError("points", f"a list of [x, y] is expected, got {fields.show(value)}")
    for i, point in enumerate(value):
        if not isinstance(point, list) or len(point) != 2 or not all(map(fields.is_number, point)):
            raise FieldError(f"points[{i}]", f"[x, y] is expected, got {fields.show(point)}")
    return _to_pixels(value, size)


def _to_pixels(percentages: Any, size: tuple[int, int]) -> NDArray[np.float64]:
    """(K, 2) x, y of percentages of width and height."""
    scaled = np.array(percentages, np.float64).reshape(-1, 2) * (size[1], size[0]) / 100
    return np.round(scaled, _DECIMALS)


def _number(value: Mapping[str, Any], key: str) -> float:
    number = fields.get(value, key)
    if not fields.is_number(number):
        raise FieldError(key, f"a number is expected, got {fields.show(number)}")
    return float(number)
