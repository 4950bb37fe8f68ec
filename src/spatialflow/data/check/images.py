"""Everything that can be said of one image: its photo, its PNG and its segments, each read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.check import kinds
from spatialflow.data.check.categories import KnownCategory
from spatialflow.data.check.entries import ImageEntry, Item
from spatialflow.data.check.files import PhotoFacts, Size, read_photo_of, read_png_of, show_size
from spatialflow.data.check.findings import Finding, SetField
from spatialflow.data.check.folders import Folder
from spatialflow.data.check.segments import Painted, SegmentReport, compare, has_other_ids, read_segments
from spatialflow.masks.extents import measure


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files are; None where nobody knows."""

    photos: Folder | None
    pngs: Folder | None
    known: Mapping[int, KnownCategory]


@dataclass(slots=True)
class SegmentUse:
    """A segment as the statistics count it."""

    category_id: int
    pixels: int
    is_crowd: bool


@dataclass(slots=True)
class ImageReport:
    """What one image is, and what is wrong with it."""

    findings: list[Finding] = field(default_factory=list)
    photo: PhotoFacts | None = None
    segments: list[SegmentUse] = field(default_factory=list)
    pixels: int = 0
    """Of the PNG."""
    void: int = 0
    """Pixels of no segment."""
    is_trainable: bool = False
    only_crowds: bool = False
    """Whether it has things, but none to be told from others."""
    """Whether it shows a thing, if the categories have any."""


def check_image(item: Item, places: Places) -> ImageReport:
    """Read one image's files and compare them with the JSON and with each other."""
    report = ImageReport()
    if places.photos is not None:
        report.photo, findings = read_photo_of(item, places.photos)
        report.findings += findings
    elif item.image.name_fault is not None:
        report.findings.append(item.image.name_fault.finding())
    id_map = None
    if item.annotation is not None:
        listed = read_segments(item.annotation, places.known)
        id_map, painted = _read_png(item, places, report, listed)
        if (
            id_map is None
            or item.annotation.segments is None
            or not _has_right_size(item, report.photo, id_map)
        ):
            painted = None
        compare(listed, painted)
        report.findings += listed.findings
        _use(listed, painted or {}, places.known, report)
    report.findings += _compare_sizes(item.image, report.photo, id_map)
    return report


def _read_png(
    item: Item, places: Places, report: ImageReport, listed: SegmentReport
) -> tuple[NDArray[np.int32] | None, Painted | None]:
    """The PNG, and what is painted in it; its ids are worth nothing if its palette is no palette of ids."""
    assert item.annotation is not None
    if places.pngs is None:
        if item.annotation.name_fault is not None:
            report.findings.append(item.annotation.name_fault.finding())
        return None, None
    id_map, has_palette, findings = read_png_of(item, places.pngs)
    report.findings += findings
    if id_map is None:
        return None, None
    ids, areas, boxes = (column.tolist() for column in measure(id_map))
    painted = {i: (area, (x, y, w, h)) for i, area, (x, y, w, h) in zip(ids, areas, boxes, strict=True)}
    report.pixels, report.void = id_map.size, id_map.size - sum(areas)
    if has_palette:
        is_other = has_other_ids(listed, painted)
        kind = kinds.PNG_NOT_RGB if is_other else kinds.PNG_PALETTE
        report.findings.append(Finding(kind, f"{listed.name}: palette"))
        if is_other:
            return id_map, None
    if has_other_ids(listed, painted) and not has_other_ids(
        listed, {_swapped(i): painted[i] for i in painted}
    ):
        report.findings.append(Finding(kinds.PNG_SWAPPED, listed.name))
        return id_map, None
    if not painted:
        report.findings.append(Finding(kinds.ALL_VOID, listed.name))
    return id_map, painted


def _swapped(segment_id: int) -> int:
    """The id that a pixel has if its red is taken for blue."""
    return int.from_bytes(segment_id.to_bytes(3, "little"), "big")


def _use(
    listed: SegmentReport, painted: Painted, known: Mapping[int, KnownCategory], report: ImageReport
) -> None:
    """Note what the statistics count, and whether training would use the image."""
    for segment in listed.segments:
        if segment.category_id is not None:
            area = 0 if segment.id is None else painted.get(segment.id, (0, ()))[0]
            report.segments.append(SegmentUse(segment.category_id, area, segment.is_crowd))
    # a category that does not say what it is may be a thing
    is_thing = [known[use.category_id].is_thing is not False for use in report.segments]
    needs_thing = any(category.is_thing is not False for category in known.values())
    report.is_trainable = any(is_thing) or not needs_thing
    things = [use for use, thing in zip(report.segments, is_thing, strict=True) if thing]
    report.only_crowds = bool(things) and all(use.is_crowd for use in things)
    # and so may one that cannot be read
    if listed.segments and needs_thing and len(is_thing) == len(listed.segments) and not any(is_thing):
        report.findings.append(Finding(kinds.NO_THING, listed.name))


def _has_right_size(item: Item, photo: PhotoFacts | None, id_map: NDArray[np.int32]) -> bool:
    """Whether the pixels can be those that areas and boxes are about."""
    if photo is not None:
        return id_map.shape in (photo.upright, photo.stored)
    return item.image.size in (None, id_map.shape)


def _compare_sizes(
    image: ImageEntry, photo: PhotoFacts | None, id_map: NDArray[np.int32] | None
) -> list[Finding]:
    png: Size | None = None if id_map is None else (id_map.shape[0], id_map.shape[1])
    sizes_of_photo = () if photo is None else (photo.upright, photo.stored)
    right = png if png in sizes_of_photo or photo is None else None
    if id_map is None and photo is not None:
        right = image.size if image.size in sizes_of_photo else photo.upright
    repairs = []
    if right is not None and right != image.size:
        says = f"{image.name}: size {show_size(image.size) if image.size else '?'} -> {show_size(right)}"
        repairs = [SetField(image.raw, "height", right[0], says), SetField(image.raw, "width", right[1], "")]
    if image.size_fault is not None:
        return [image.size_fault.finding(*repairs)]
    if right == image.size or (photo is None and png is None):
        return []
    stated = [("JSON", image.size), ("photo", None if photo is None else photo.upright), ("PNG", png)]
    text = ", ".join(f"{name} {show_size(size)}" for name, size in stated if size is not None)
    return [Finding(kinds.SIZE_MISMATCH, f"{image.name}: {text}", tuple(repairs))]
