"""The check of a whole data set: everything is read once, and every fault is found, not only the first."""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow.data.check import kinds
from spatialflow.data.check.categories import KnownCategory, read_categories
from spatialflow.data.check.entries import Item, clean_name, read_items
from spatialflow.data.check.findings import Findings
from spatialflow.data.check.folders import photo_folder, png_folder
from spatialflow.data.check.images import ImageReport, Places, check_image
from spatialflow.data.check.kinds import Severity
from spatialflow.data.check.overlap import SeenPhotos, ValidationSet, compare_categories, compare_photos
from spatialflow.data.check.statistics import Statistics
from spatialflow.data.locating import guess_photo_folder
from spatialflow.data.panoptic_json import read_panoptic
from spatialflow.data.reading import SMALLEST_SIDE, usual_image_folders, usual_segments
from spatialflow.errors import DataError
from spatialflow.image_io import pillow_warnings
from spatialflow.workers import map_in_order
from spatialflow.zip_path import ReadPath, open_folder

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found."""

    path: Path
    content: dict[str, Any]
    """Of the JSON file, as it is."""
    images: ReadPath | None
    """Folder of the photos; None if it was not found."""
    segments: ReadPath | None
    """Folder of the PNGs, likewise."""
    findings: Findings
    statistics: Statistics

    @property
    def has_errors(self) -> bool:
        """Whether training would suffer."""
        return any(row.kind.severity == Severity.ERROR for row in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "file": str(self.path),
            "images_folder": None if self.images is None else str(self.images),
            "segments_folder": None if self.segments is None else str(self.segments),
            "training_would_suffer": self.has_errors,
            "faults": [row.to_json() for row in self.findings],
            "statistics": self.statistics.to_json(),
        }


def check_dataset(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
    validation: Sequence[str | os.PathLike[str]] = (),
    *,
    progress: Progress = lambda done, total: None,
    workers: int | None = None,
) -> CheckReport:
    """Find the faults of a COCO-panoptic data set.

    Where :func:`spatialflow.data.panoptic_json.read_truth` stops at the first fault, this goes on. Every
    photo and PNG is read once, on all cores; besides the JSON, only a few bytes of each are kept in memory.

    Args:
        annotations: the JSON file.
        images: folder or ``.zip`` of the photos; by default the usual place that holds the most of them.
        segments: folder or ``.zip`` of the PNGs; by default the JSON's path without ``.json``.
        validation: JSON files whose photos and categories are compared with those of ``annotations``.
        progress: called with the number of photos that are done, and of all.
        workers: threads; by default one a core.

    Raises:
        DataError: a JSON file cannot be read at all, or a folder that was named does not exist.
    """
    path = Path(annotations)
    findings = Findings()
    content = _read(path)
    known = read_categories(path, content["categories"], findings)
    items = read_items(path, content, findings)
    places = _find_places(path, items, known, images, segments, findings)
    photos = None if places.photos is None else places.photos.path
    held_out = [ValidationSet.open(Path(other), photos) for other in validation]
    statistics = Statistics(list(known.values()), len(items))
    seen = SeenPhotos({clean_name(item.image.file_name) for item in items if item.image.file_name})
    total = len(items) + sum(len(other.items) for other in held_out)
    with pillow_warnings():
        reports = map_in_order(functools.partial(check_image, places=places), items, workers)
        for done, (item, report) in enumerate(zip(items, reports, strict=True), start=1):
            _take_in(item, report, seen, statistics, findings)
            progress(done, total)
        done = len(items)
        for other in held_out:
            read = []
            for photo in map_in_order(other.read, other.items, workers):
                read.append(photo)
                progress(done := done + 1, total)
            compare_photos(other, read, seen, findings)
            compare_categories(other, known, statistics.used(), findings)
    _find_unlisted(places, held_out, findings)
    _find_unused(statistics, findings)
    pngs = None if places.pngs is None else places.pngs.path
    return CheckReport(path, content, photos, pngs, findings, statistics)


def _read(path: Path) -> dict[str, Any]:
    content = read_panoptic(path)
    for key in ("images", "categories"):
        if key not in content:
            raise DataError(
                f"{path}: {key}: the key is missing; ground truth needs images, annotations, categories"
            )
    return dict(content)


def _named(folder: str | os.PathLike[str] | None, option: str, names: Sequence[str]) -> ReadPath | None:
    if folder is None:
        return None
    found = open_folder(folder, "".join(names[:1]))
    if found is None:
        raise DataError(f"{folder}: no such folder; give --{option} the folder that the files are in")
    return found


def _find_places(
    path: Path,
    items: list[Item],
    known: dict[int, KnownCategory],
    images: str | os.PathLike[str] | None,
    segments: str | os.PathLike[str] | None,
    findings: Findings,
) -> Places:
    names = [item.image.file_name for item in items if item.image.file_name is not None]
    pngs = [item.annotation.file_name for item in items if item.annotation and item.annotation.file_name]
    photos = _named(images, "images", names) or guess_photo_folder(path, names)
    if photos is None and items:
        usual = ", ".join(map(str, usual_image_folders(path)))
        findings.add(kinds.PHOTO_FOLDER, f"none of {len(names)} photos is in {usual}")
    maps = _named(segments, "segments", pngs) or usual_segments(path, "".join(pngs[:1]))
    if maps is None and any(item.annotation for item in items):
        findings.add(kinds.PNG_FOLDER, str(path.with_suffix("")))
    listed, listed_pngs = {clean_name(name) for name in names}, {clean_name(name) for name in pngs}
    return Places(
        None if photos is None else photo_folder(photos, listed, maps, listed_pngs),
        None if maps is None else png_folder(maps, listed_pngs, photos, listed),
        known,
    )


def _take_in(
    item: Item, report: ImageReport, seen: SeenPhotos, statistics: Statistics, findings: Findings
) -> None:
    findings.extend(report.findings)
    if report.photo is not None:
        seen.add(item.image.file_name or item.image.where, report.photo, findings)
    is_small = item.image.size is not None and min(item.image.size) < SMALLEST_SIDE
    statistics.add(report, is_annotated=item.annotation is not None, is_small=is_small)


def _find_unlisted(places: Places, held_out: Sequence[ValidationSet], findings: Findings) -> None:
    """Files beside the listed ones; what a validation set lists is not meant to be in this one."""
    theirs = {
        os.path.realpath(other.photos.path / item.image.file_name)
        for other in held_out
        for item in other.items
        if other.photos is not None and item.image.file_name is not None
    }
    for folder, kind in ((places.photos, kinds.PHOTO_UNLISTED), (places.pngs, kinds.PNG_UNLISTED)):
        if folder is None:
            continue
        for name in folder.unlisted():
            if os.path.realpath(folder.path / name) not in theirs:
                findings.add(kind, name)


def _find_unused(statistics: Statistics, findings: Findings) -> None:
    used = statistics.used()
    for category in statistics.categories:
        if category.id not in used:
            findings.add(kinds.CATEGORY_UNUSED, category.name)
    if statistics.num_images and not statistics.num_trainable:
        findings.add(kinds.NOTHING_TO_TRAIN, f"none of {statistics.num_images} images")
    elif statistics.num_trainable and statistics.num_only_crowds == statistics.num_trainable:
        findings.add(kinds.ONLY_CROWDS, f"in all {statistics.num_trainable} images with things")
