"""One entry of ``annotations`` of a COCO-panoptic JSON (cocodataset.org/#format-data), checked and typed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.image_io import MAX_SEGMENT_ID
from spatialflow.json_fields import FieldError

ImageId = int | str


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment as the JSON describes it."""

    id: int
    """Value of its pixels in the PNG, 1..2^24-1; unique in its image."""
    category_id: int
    """As the data set counts it."""
    is_crowd: bool
    area: int | None
    """Pixels, as the file states them; None only in predictions."""
    bbox: tuple[float, float, float, float] | None
    """x, y, w, h in pixels; None where the file has none."""


@dataclass(frozen=True, slots=True)
class ImageAnnotation:
    """The segments of one photo: an entry of ``annotations``."""

    image_id: ImageId
    file_name: str
    """Of the PNG, relative to the folder of PNGs."""
    segments: tuple[SegmentInfo, ...]


def parse_annotation(entry: Any, is_truth: bool) -> ImageAnnotation:
    """Read one entry.

    A segment listed twice with one category counts once in a prediction, as in the reference evaluation.

    Args:
        entry: the parsed JSON.
        is_truth: whether each segment must state area and iscrowd.

    Raises:
        FieldError: a field is missing or wrong, or a segment is listed twice.
    """
    image_id = fields.image_id(entry, "image_id")
    try:
        infos = fields.get(entry, "segments_info")
        if not isinstance(infos, list):
            raise FieldError("segments_info", f"a list is expected, got {fields.show(infos)}")
        file_name = fields.file_name(entry)
        segments = tuple(_parse_segments(infos, is_truth))
    except FieldError as error:
        raise FieldError(error.field, f"{error.problem} (image {image_id!r})") from None
    return ImageAnnotation(image_id, file_name, segments)


def _parse_segments(infos: list[Any], is_truth: bool) -> Iterator[SegmentInfo]:
    category_of: dict[int, int] = {}
    for j, info in enumerate(infos):
        try:
            segment = _parse_segment(info, is_truth)
            known = category_of.get(segment.id)
            if known is not None and (is_truth or known != segment.category_id):
                raise FieldError(
                    "id", f"segment {segment.id} is listed twice; give every segment an id of its own"
                )
        except FieldError as error:
            raise error.under(f"segments_info[{j}]") from None
        if known is None:
            category_of[segment.id] = segment.category_id
            yield segment


def _parse_segment(info: Any, is_truth: bool) -> SegmentInfo:
    segment_id = fields.integer(info, "id")
    if not 0 < segment_id <= MAX_SEGMENT_ID:
        reason = "is void" if segment_id == 0 else "does not fit the PNG"
        raise FieldError("id", f"{segment_id} {reason}; segment ids are 1..{MAX_SEGMENT_ID}")
    category_id = fields.integer(info, "category_id")
    is_crowd = fields.get(info, "iscrowd") if is_truth else info.get("iscrowd", 0)
    if is_crowd not in (0, 1):
        raise FieldError(
            "iscrowd", f"0 or 1 is expected, got {fields.show(is_crowd)}, for segment {segment_id}"
        )
    area = fields.area(info) if is_truth or info.get("area") is not None else None
    bbox = None if info.get("bbox") is None else fields.bbox(info["bbox"])
    return SegmentInfo(segment_id, category_id, bool(is_crowd), area, bbox)
