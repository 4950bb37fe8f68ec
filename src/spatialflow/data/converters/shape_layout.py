"""Shapes of one image laid flat, where a segment may be of several shapes."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spatialflow.data.converters.class_list import ClassList
from spatialflow.data.converters.overlap import OverlapPolicy, flatten
from spatialflow.data.converters.panoptic_image import PanopticImage, SegmentMask, from_masks
from spatialflow.data.converters.shape_masks import union
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.masks.mask_runs import MaskRuns


class Shape(NamedTuple):
    """One shape that has pixels."""

    category_id: int
    mask: MaskRuns
    group: Hashable = None
    """Shapes of one thing class and one group are one instance; None stands alone."""
    is_crowd: bool = False
    """Whether it is of many instances that were not told apart; only of things."""


def lay_flat(
    image: ImageInfo,
    shapes: Sequence[Shape],
    classes: ClassList,
    overlap: OverlapPolicy,
    *,
    png_name: str,
    source: str,
    more: Mapping[str, Any] | None = None,
) -> PanopticImage:
    """One segment for each instance of a thing, and one for all shapes of a stuff class.

    Shapes of one segment may overlap each other whatever ``overlap`` is. By ``order`` each shape lies over
    those before it, so that a segment may be below another with one of its shapes and above it with the next;
    by ``smaller-on-top`` the pixels of the whole segment count.

    Raises:
        DataError: segments overlap and ``overlap`` is ``error``.
    """
    size = (image.height, image.width)
    segments: dict[Hashable, list[int]] = {}
    for i, shape in enumerate(shapes):
        segments.setdefault(_key(shape, i, classes), []).append(i)
    parts = list(segments.values())
    masks = [union(MaskRuns.stack([shapes[i].mask for i in part], size)) for part in parts]
    whole = MaskRuns.stack(masks, size)
    overlapping = 0
    if overlap == "order":
        overlapping = whole.overlapping()
        masks = _visible(shapes, parts, size)
        overlap = "error"  # by now none does
    found = [
        SegmentMask(
            shapes[part[0]].category_id,
            mask,
            classes.is_thing(shapes[part[0]].category_id) and any(shapes[i].is_crowd for i in part),
        )
        for part, mask in zip(parts, masks, strict=True)
    ]
    names = {entry["id"]: entry["name"] for entry in classes.entries}
    made = from_masks(image, found, overlap, png_name=png_name, source=source, more=more, names=names)
    return dataclasses.replace(made, overlapping=made.overlapping + overlapping)


def _key(shape: Shape, place: int, classes: ClassList) -> Hashable:
    """What the shapes of one segment have in common."""
    if not classes.is_thing(shape.category_id):
        return shape.category_id
    return shape.category_id, *((place,) if shape.group is None else ("group", shape.group))


def _visible(
    shapes: Sequence[Shape], parts: Sequence[Sequence[int]], size: tuple[int, int]
) -> list[MaskRuns]:
    """What one sees of each segment when each shape lies over those before it."""
    segment_of = np.zeros(len(shapes) + 1, np.int32)
    for number, part in enumerate(parts, 1):
        segment_of[np.array(part) + 1] = number
    topmost = flatten(MaskRuns.stack([shape.mask for shape in shapes], size), "order").index_map
    seen, runs = MaskRuns.of_id_map(segment_of[topmost])
    place = {number: i for i, number in enumerate(seen.tolist())}
    none = runs.select(np.zeros(0, np.int64)).join(np.zeros(0, np.int64), 1)
    return [
        runs.select(np.array([place[number]])) if number in place else none
        for number in range(1, len(parts) + 1)
    ]
