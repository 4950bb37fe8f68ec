"""The entries of images and annotations, read as far as they can be, and brought together."""

import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from spatialflow import json_fields as fields
from spatialflow.data.check import kinds
from spatialflow.data.check.findings import Drop, Finding, Findings, SetField
from spatialflow.data.check.kinds import Kind
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError
from spatialflow.panoptic_annotation import ImageId


class Fault(NamedTuple):
    """A fault whose remedy is only known later, once the files have been looked at."""

    kind: Kind
    text: str

    def finding(self, *repairs: SetField | Drop) -> Finding:
        """The same, with what mends it."""
        return Finding(self.kind, self.text, repairs)


@dataclass(slots=True)
class Entry:
    """What images and annotations have in common."""

    raw: dict[str, Any]
    where: str
    """Such as ``images[3]``."""
    id: ImageId | None = None
    """Of the image; None if it cannot be read."""
    id_fault: Fault | None = None
    file_name: str | None = None
    name_fault: Fault | None = None

    @property
    def name(self) -> str:
        """What a report calls it."""
        return f"{self.file_name} ({self.where})" if self.file_name else self.where

    @property
    def stem(self) -> str | None:
        """Of its file, by which a photo and its PNG are found to belong together."""
        return PurePosixPath(self.file_name).stem if self.file_name else None


@dataclass(slots=True)
class ImageEntry(Entry):
    """An entry of images."""

    size: tuple[int, int] | None = None
    """(H, W); None if it cannot be read."""
    size_fault: Fault | None = None


@dataclass(slots=True)
class AnnotationEntry(Entry):
    """An entry of annotations."""

    segments: list[Any] | None = None
    """``segments_info`` as it is; None if it is no list."""


@dataclass(slots=True)
class Item:
    """A photo and its annotation, if it has one."""

    image: ImageEntry
    annotation: AnnotationEntry | None = None


def read_items(path: Path, content: dict[str, Any], findings: Findings) -> list[Item]:
    """Bring together images and annotations, by id or, where an id is wrong, by the stem of their files.

    Faults of file names and sizes are left in the entries; all others are in ``findings``.

    Raises:
        DataError: ``images`` or ``annotations`` is no list.
    """
    for key in ("images", "annotations"):
        if not isinstance(content[key], list):
            raise DataError(f"{path}: {key}: a list is expected, got {fields.show(content[key])}")
    if not content["images"]:
        findings.add(kinds.NO_IMAGES, "images: the list is empty")
    images = _read_images(content["images"], findings)
    annotations = _read_annotations(content["annotations"], findings)
    items = [Item(image) for image in images]
    left = _join_by_id(items, annotations, findings)
    _join_by_stem(items, left, findings)
    _find_shared_files(images, kinds.PHOTO_LISTED_TWICE, findings)
    used = [*(item.annotation for item in items if item.annotation is not None), *left]
    _find_shared_files({id(entry): entry for entry in used}.values(), kinds.PNG_LISTED_TWICE, findings)
    return items


def clean_name(file_name: str) -> str:
    """A path in one spelling: without ``./`` and doubled slashes."""
    return posixpath.normpath(file_name)


def _read_images(entries: list[Any], findings: Findings) -> list[ImageEntry]:
    images: list[ImageEntry] = []
    first: dict[ImageId, ImageEntry] = {}
    for i, raw in enumerate(entries):
        image = ImageEntry(raw, f"images[{i}]")
        if not isinstance(raw, dict):
            text = f"{image.where}: an object is expected, got {fields.show(raw)}"
            findings.add(kinds.IMAGE_MALFORMED, text, Drop(raw, f"{image.where}, no object, dropped"))
            continue
        _read_name(image, kinds.IMAGE_MALFORMED)
        _read_id(image, "id", kinds.IMAGE_MALFORMED)
        try:
            image.size = fields.positive(raw, "height"), fields.positive(raw, "width")
        except FieldError as error:
            text = f"{image.name}: {error.field}: {error.problem}"
            image.size_fault = Fault(kinds.IMAGE_MALFORMED, text)
        if image.id is not None:
            other = first.setdefault(image.id, image)
            if other is not image and other.raw == raw:
                text = f"{image.name}: repeats {other.where}"
                findings.add(kinds.IMAGE_ID_TWICE, text, Drop(raw, f"{image.name}, a repetition, dropped"))
                continue
            if other is not image:
                text = f"{image.name}: id {image.id!r} is that of {other.name} too"
                image.id, image.id_fault = None, Fault(kinds.IMAGE_ID_TWICE, text)
        images.append(image)
    return images


def _read_annotations(entries: list[Any], findings: Findings) -> list[AnnotationEntry]:
    annotations = []
    for i, raw in enumerate(entries):
        annotation = AnnotationEntry(raw, f"annotations[{i}]")
        if not isinstance(raw, dict):
            text = f"{annotation.where}: an object is expected, got {fields.show(raw)}"
            drop = Drop(raw, f"{annotation.where}, no object, dropped")
            findings.add(kinds.ANNOTATION_MALFORMED, text, drop)
            continue
        _read_name(annotation, kinds.ANNOTATION_MALFORMED)
        _read_id(annotation, "image_id", kinds.ANNOTATION_MALFORMED)
        segments = raw.get("segments_info")
        if isinstance(segments, list):
            annotation.segments = segments
        else:
            problem = f"a list is expected, got {fields.show(segments)}"
            findings.add(kinds.ANNOTATION_MALFORMED, f"{annotation.name}: segments_info: {problem}")
        annotations.append(annotation)
    return annotations


def _read_name(entry: Entry, malformed: Kind) -> None:
    try:
        entry.file_name = fields.file_name(entry.raw)
    except FieldError as error:
        value = entry.raw.get("file_name")
        is_outside = type(value) is str and fields.leaves_its_folder(value)
        kind = kinds.PATH_OUTSIDE if is_outside else malformed
        entry.name_fault = Fault(kind, f"{entry.where}: {error.field}: {error.problem}")


def _read_id(entry: Entry, key: str, malformed: Kind) -> None:
    try:
        entry.id = fields.image_id(entry.raw, key)
    except FieldError as error:
        entry.id_fault = Fault(malformed, f"{entry.name}: {key}: {error.problem}")


def _join_by_id(
    items: list[Item], annotations: list[AnnotationEntry], findings: Findings
) -> list[AnnotationEntry]:
    """Give each image its annotation; returns those that found no image."""
    by_id = {item.image.id: item for item in items if item.image.id is not None}
    by_text = {str(image_id): image_id for image_id in by_id}
    left = []
    for annotation in annotations:
        if annotation.id is None:
            left.append(annotation)
            continue
        item = by_id.get(annotation.id)
        if item is None and str(annotation.id) in by_text:
            meant = by_text[str(annotation.id)]
            text = f"{annotation.name}: image_id is {annotation.id!r}, images has {meant!r}"
            change = f"{annotation.name}: image_id {annotation.id!r} -> {meant!r}"
            findings.add(kinds.IMAGE_ID_TYPE, text, SetField(annotation.raw, "image_id", meant, change))
            item = by_id[meant]
        if item is None:
            text = f"{annotation.name}: image_id {annotation.id!r} is no image's"
            annotation.id_fault = Fault(kinds.ANNOTATION_ORPHAN, text)
            left.append(annotation)
        elif item.annotation is None:
            item.annotation = annotation
        elif item.annotation.raw == annotation.raw:
            drop = Drop(annotation.raw, f"{annotation.name}, a repetition, dropped")
            findings.add(kinds.ANNOTATION_TWICE, f"{annotation.name}: repeats {item.annotation.where}", drop)
        else:
            text = f"{annotation.name}: image {annotation.id!r} has {item.annotation.name} already"
            annotation.id_fault = Fault(kinds.ANNOTATION_TWICE, text)
            left.append(annotation)
    return left


def _join_by_stem(items: list[Item], left: list[AnnotationEntry], findings: Findings) -> None:
    """Join what is left over where the files say plainly what belongs together, and report the ids."""
    single = [item for item in items if item.annotation is None]
    stems = Counter(entry.stem for entry in (*(item.image for item in single), *left))
    by_stem: dict[str | None, AnnotationEntry] = {
        a.stem: a for a in left if a.stem is not None and stems[a.stem] == 2
    }
    ids = {item.image.id for item in items}
    for item in single:
        image, annotation = item.image, by_stem.pop(item.image.stem, None)
        item.annotation = annotation
        if annotation is None:
            if image.id_fault is None:
                findings.add(kinds.IMAGE_UNANNOTATED, image.name)
            else:
                findings.extend([image.id_fault.finding()])
        elif image.id_fault is not None:
            repairs = []
            if annotation.id is not None and annotation.id not in ids:
                change = f"{image.name}: id -> {annotation.id!r}, as {annotation.name} has it"
                repairs = [SetField(image.raw, "id", annotation.id, change)]
            findings.extend([image.id_fault.finding(*repairs)])
            if annotation.id is None and annotation.id_fault is not None:
                findings.extend([annotation.id_fault.finding()])
        elif annotation.id_fault is not None:
            change = f"{annotation.name}: image_id -> {image.id!r}, as {image.name} has it"
            repair = SetField(annotation.raw, "image_id", image.id, change)
            findings.extend([annotation.id_fault.finding(repair)])
    joined = {id(item.annotation) for item in single}
    for annotation in left:
        if id(annotation) not in joined and annotation.id_fault is not None:
            drop = Drop(annotation.raw, f"{annotation.name}, which has no image, dropped")
            is_orphan = annotation.id_fault.kind == kinds.ANNOTATION_ORPHAN
            findings.extend([annotation.id_fault.finding(*([drop] if is_orphan else []))])


def _find_shared_files(entries: Iterable[Entry], kind: Kind, findings: Findings) -> None:
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.file_name is not None:
            other = first.setdefault(clean_name(entry.file_name), entry)
            if other is not entry:
                findings.add(kind, f"{entry.file_name}: by {other.where} and {entry.where}")
