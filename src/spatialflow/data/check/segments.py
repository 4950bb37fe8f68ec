"""The segments of one image, as the JSON lists them and as the PNG shows them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.data.check import kinds
from spatialflow.data.check.categories import KnownCategory
from spatialflow.data.check.entries import AnnotationEntry
from spatialflow.data.check.findings import Drop, Finding, SetField
from spatialflow.data.check.kinds import Kind
from spatialflow.image_io import MAX_SEGMENT_ID
from spatialflow.json_fields import FieldError

TINY = 16
"""Segments of fewer pixels are reported: 4x4."""
_BOX_TOLERANCE = 1.0
"""Pixels; boxes that come from polygons are not whole numbers."""

Box = tuple[float, float, float, float]
"""x, y, w, h in pixels."""
Painted = Mapping[int, tuple[int, tuple[int, int, int, int]]]
"""Area and box of each segment of a PNG."""


@dataclass(slots=True)
class Segment:
    """One entry of ``segments_info``, as far as it can be read."""

    raw: dict[str, Any]
    where: str
    """Such as ``a.png: segment 5``."""
    id: int | None = None
    """Value of its pixels; None if it can be none, or is another segment's."""
    id_fault: tuple[Kind, str] | None = None
    category_id: int | None = None
    """Of a known category; None if it is unknown or cannot be read."""
    is_crowd: bool = False
    area: int | None = None
    area_fault: str | None = None
    box: Box | None = None
    box_fault: str | None = None


@dataclass(slots=True)
class SegmentReport:
    """What the segments of one image are, and what is wrong with them."""

    name: str
    """Of the PNG."""
    segments: list[Segment] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: Kind, offender: str, *repairs: SetField | Drop) -> None:
        """Note one fault."""
        self.findings.append(Finding(kind, offender, repairs))


def read_segments(annotation: AnnotationEntry, known: Mapping[int, KnownCategory]) -> SegmentReport:
    """The segments of an annotation; faults that the PNG can help to mend wait for :func:`compare`."""
    name = annotation.file_name or annotation.where
    report = SegmentReport(name)
    by_id: dict[int, Segment] = {}
    for j, raw in enumerate(annotation.segments or ()):
        where = f"{name}: segments_info[{j}]"
        if not isinstance(raw, dict):
            text = f"{where}: an object is expected, got {fields.show(raw)}"
            report.add(kinds.SEGMENT_MALFORMED, text, Drop(raw, f"{where}, no object, dropped"))
            continue
        segment = Segment(raw, where)
        _read_id(segment, report)
        if segment.id is not None:
            other = by_id.setdefault(segment.id, segment)
            if other is not segment and other.raw == raw:
                drop = Drop(raw, f"{where}, which repeats segment {segment.id}, dropped")
                report.add(kinds.SEGMENT_ID_TWICE, f"{segment.where}, in equal entries", drop)
                continue
            if other is not segment:
                segment.id_fault = kinds.SEGMENT_ID_TWICE, segment.where
                segment.id, segment.where = None, where
        _read_category(segment, known, report)
        _read_crowd(segment, report)
        _read_extent(segment)
        report.segments.append(segment)
    _find_odd_use(report, known)
    return report


def compare(report: SegmentReport, painted: Painted | None) -> None:
    """Add what the pixels of an image say against its segments, and what they can mend.

    Args:
        report: what :func:`read_segments` gave.
        painted: area and box of each segment in the PNG; None if there is no PNG to compare with.
    """
    listed = {segment.id for segment in report.segments if segment.id is not None}
    strays = [segment_id for segment_id in painted or () if segment_id not in listed]
    nameless = [segment for segment in report.segments if segment.id_fault is not None]
    if painted is not None and len(strays) > len(nameless):  # else these are what the wrong ids should be
        for segment_id in strays:
            text = f"{report.name}: segment {segment_id}, {painted[segment_id][0]} px"
            report.add(kinds.SEGMENT_UNLISTED, text)
    for segment in nameless:
        assert segment.id_fault is not None
        is_sure = painted is not None and len(strays) == len(nameless) == 1
        if is_sure and painted is not None and painted[strays[0]][0] == segment.area:
            segment.id = strays[0]
            says = f"{segment.where}: id -> {segment.id}, the one segment of the PNG that is not listed"
            report.add(*segment.id_fault, SetField(segment.raw, "id", segment.id, says))
        elif painted is not None and not strays:
            report.add(*segment.id_fault, Drop(segment.raw, f"{segment.where}, which has no pixel, dropped"))
        else:
            report.add(*segment.id_fault)
    # pixels that nothing lists may be those of a segment without any, as where PNGs were exchanged
    is_crossed = bool(set(strays) - {segment.id for segment in report.segments})
    for segment in report.segments:
        _compare_extent(segment, painted, report, is_crossed)


def has_other_ids(report: SegmentReport, painted: Painted) -> bool:
    """Whether segments lack pixels, or pixels a segment."""
    return {segment.id for segment in report.segments} != painted.keys()


def _read_id(segment: Segment, report: SegmentReport) -> None:
    try:
        segment_id: int | None = fields.integer(segment.raw, "id")
    except FieldError as error:
        segment_id = fields.meant_integer(segment.raw.get("id"))
        fault = f"{segment.where}: {error.field}: {error.problem}"
        if segment_id is None:
            segment.id_fault = kinds.SEGMENT_MALFORMED, fault
            return
        says = f"{segment.where}: id {segment.raw['id']!r} -> {segment_id}"
        report.add(kinds.SEGMENT_MALFORMED, fault, SetField(segment.raw, "id", segment_id, says))
    if segment_id is None or not 0 < segment_id <= MAX_SEGMENT_ID:
        segment.id_fault = kinds.SEGMENT_ID_RANGE, f"{segment.where}: id {segment_id}"
        return
    segment.id, segment.where = segment_id, f"{report.name}: segment {segment_id}"


def _read_category(segment: Segment, known: Mapping[int, KnownCategory], report: SegmentReport) -> None:
    try:
        category_id: int | None = fields.integer(segment.raw, "category_id")
    except FieldError as error:
        category_id = fields.meant_integer(segment.raw.get("category_id"))
        repairs = []
        if category_id in known:
            says = f"{segment.where}: category_id {segment.raw['category_id']!r} -> {category_id}"
            repairs = [SetField(segment.raw, "category_id", category_id, says)]
        report.add(kinds.SEGMENT_MALFORMED, f"{segment.where}: {error.field}: {error.problem}", *repairs)
    else:
        if category_id not in known and known:
            report.add(kinds.CATEGORY_UNKNOWN, f"{segment.where}: category_id {category_id}")
    segment.category_id = category_id if category_id in known else None


def _read_crowd(segment: Segment, report: SegmentReport) -> None:
    value = segment.raw.get("iscrowd")
    if value in (0, 1):
        segment.is_crowd = bool(value)
        return
    meant = 0 if value is None else fields.meant_integer(value)
    is_missing = "iscrowd" not in segment.raw
    text = f"{segment.where}: iscrowd: " + (
        "the key is missing" if is_missing else f"0 or 1 is expected, got {fields.show(value)}"
    )
    repairs = []
    if meant in (0, 1):
        says = f"{segment.where}: iscrowd {'missing' if is_missing else repr(value)} -> {meant}"
        repairs = [SetField(segment.raw, "iscrowd", meant, says)]
    report.add(kinds.SEGMENT_MALFORMED, text, *repairs)


def _read_extent(segment: Segment) -> None:
    try:
        segment.area = fields.area(segment.raw)
    except FieldError as error:
        segment.area_fault = f"{segment.where}: {error.field}: {error.problem}"
    if segment.raw.get("bbox") is None:
        return
    try:
        segment.box = fields.bbox(segment.raw["bbox"])
    except FieldError as error:
        segment.box_fault = f"{segment.where}: {error.field}: {error.problem}"


def _find_odd_use(report: SegmentReport, known: Mapping[int, KnownCategory]) -> None:
    """Crowds, and stuff in several pieces, as far as the list alone tells."""
    stuff = Counter[int]()
    for segment in report.segments:
        category = None if segment.category_id is None else known[segment.category_id]
        is_stuff = category is not None and category.is_thing is False
        if category is not None and is_stuff:
            stuff[category.id] += 1
        if segment.is_crowd:
            report.add(kinds.STUFF_CROWD if is_stuff else kinds.CROWD, segment.where)
    for category_id, count in stuff.items():
        if count > 1:
            report.add(kinds.STUFF_SPLIT, f"{report.name}: {known[category_id].name} in {count} segments")


def _compare_extent(
    segment: Segment, painted: Painted | None, report: SegmentReport, is_crossed: bool
) -> None:
    """Area and box of one segment; one without pixels is dropped only if no others may be its own."""
    area, box = (painted or {}).get(segment.id or 0, (None, None))
    if painted is not None and area is None and segment.id is not None:
        drop = Drop(segment.raw, f"{segment.where}, which has no pixel, dropped")
        report.add(kinds.SEGMENT_EMPTY, segment.where, *([] if is_crossed else [drop]))
    new_area, new_box = [], []
    if area is not None and box is not None:
        new_area = [SetField(segment.raw, "area", area, f"{segment.where}: area {segment.area} -> {area}")]
        stated = segment.raw.get("bbox")
        says = f"{segment.where}: bbox {fields.show(stated)} -> {list(box)}"
        new_box = [SetField(segment.raw, "bbox", list(box), says)]
        if area < TINY and not segment.is_crowd:
            report.add(kinds.SEGMENT_TINY, f"{segment.where}, {area} px")
    if segment.area_fault is not None:
        report.add(kinds.SEGMENT_MALFORMED, segment.area_fault, *new_area)
    elif area is not None and area != segment.area:
        report.add(kinds.AREA_WRONG, f"{segment.where}: {segment.area}, has {area} px", *new_area)
    if segment.box_fault is not None:
        report.add(kinds.SEGMENT_MALFORMED, segment.box_fault, *new_box)
    elif segment.box is None:
        report.add(kinds.BOX_MISSING, segment.where, *new_box)
    elif box is not None and _distance(segment.box, box) >= _BOX_TOLERANCE:
        report.add(kinds.BOX_WRONG, f"{segment.where}: {list(segment.box)}, has {list(box)}", *new_box)


def _distance(first: Box, second: Box) -> float:
    """The largest distance, in pixels, of an edge of one from that of the other."""
    edges = [(x, y, x + w, y + h) for x, y, w, h in (first, second)]
    return max(abs(a - b) for a, b in zip(*edges, strict=True))
