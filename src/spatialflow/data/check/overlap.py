"""Photos that are in a set twice, or in training and validation."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow import json_fields as fields
from spatialflow.data.check import kinds
from spatialflow.data.check.categories import KnownCategory, read_categories
from spatialflow.data.check.entries import Item, clean_name, read_items
from spatialflow.data.check.files import PhotoFacts, read_photo_facts
from spatialflow.data.check.findings import Findings
from spatialflow.data.check.folders import Folder
from spatialflow.data.locating import guess_photo_folder, has_file
from spatialflow.data.panoptic_json import read_panoptic
from spatialflow.errors import DataError
from spatialflow.zip_path import ReadPath

_ALIKE = 2.0
"""Root mean square difference of the grey levels (0..255) of two thumbnails, up to which photos look alike:
more than strong JPEG compression changes one, less than two photos of one scene differ by."""
_FLAT = 8.0
"""Standard deviation of grey levels below which a thumbnail shows too little to be told from others."""


@dataclass(slots=True)
class SeenPhotos:
    """The photos of a training set, by what tells them from others."""

    names: set[str] = field(default_factory=set)
    by_path: dict[str, str] = field(default_factory=dict)
    by_digest: dict[bytes, str] = field(default_factory=dict)
    thumbnails: list[NDArray[np.uint8]] = field(default_factory=list)
    thumbnail_names: list[str] = field(default_factory=list)

    def add(self, name: str, photo: PhotoFacts, findings: Findings) -> None:
        """Take in one photo that could be read; a copy of an earlier one is a finding."""
        path = os.path.realpath(photo.path)
        if path in self.by_path:  # listed twice, or a link; the former is reported
            return
        self.by_path[path] = name
        first = self.by_digest.setdefault(photo.digest, name)
        if first != name:
            findings.add(kinds.PHOTO_COPY, f"{name} and {first}")
        if photo.thumbnail.std() >= _FLAT:
            self.thumbnails.append(photo.thumbnail.ravel())
            self.thumbnail_names.append(name)

    def look_alikes(self, photos: list[tuple[str, PhotoFacts]]) -> list[tuple[str, str]]:
        """(name, name here) of each photo that looks like one of these."""
        told = [(name, photo.thumbnail.ravel()) for name, photo in photos if photo.thumbnail.std() >= _FLAT]
        if not told or not self.thumbnails:
            return []
        ours = np.stack(self.thumbnails).astype(np.float32)
        ours_squared = np.square(ours).sum(1)
        pairs = []
        for name, thumbnail in told:
            theirs = thumbnail.astype(np.float32)
            distances = ours_squared - 2 * ours @ theirs + np.square(theirs).sum()
            nearest = int(distances.argmin())
            if distances[nearest] <= _ALIKE**2 * len(theirs):
                pairs.append((name, self.thumbnail_names[nearest]))
        return pairs


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """What is compared of a validation file; its own faults are not looked for."""

    path: Path
    items: list[Item]
    categories: dict[int, KnownCategory]
    photos: Folder | None

    @classmethod
    def open(cls, path: Path, images: ReadPath | None) -> "ValidationSet":
        """Read a file; its photos are in a usual place, or in ``images``.

        Raises:
            DataError: it cannot be read at all.
        """
        content = read_panoptic(path)
        for key in ("images", "categories"):
            if key not in content:
                raise DataError(f"{path}: {key}: the key is missing; a validation file needs it")
        ignored = Findings()
        categories = read_categories(path, content["categories"], ignored)
        items = read_items(path, dict(content), ignored)
        names = [item.image.file_name for item in items if item.image.file_name is not None]
        folder = guess_photo_folder(path, names)
        if folder is None and images is not None and any(has_file(images, name) for name in names):
            folder = images
        return cls(path, items, categories, None if folder is None else Folder(folder, (), ()))

    def read(self, item: Item) -> PhotoFacts | None:
        """One photo, or None if it cannot be read."""
        name = item.image.file_name
        if self.photos is None or name is None or not self.photos.has(name):
            return None
        try:
            return read_photo_facts(self.photos.path / name)[0]
        except DataError:
            return None

    def used_categories(self) -> set[int]:
        """Ids of categories that segments have."""
        annotations = [item.annotation for item in self.items if item.annotation is not None]
        infos = [raw for annotation in annotations for raw in annotation.segments or ()]
        ids = {fields.meant_integer(raw.get("category_id")) for raw in infos if isinstance(raw, dict)}
        return {category_id for category_id in ids if category_id is not None}


def compare_photos(
    validation: ValidationSet, read: list[PhotoFacts | None], seen: SeenPhotos, findings: Findings
) -> None:
    """Find the photos of a validation set among those of the training set.

    Args:
        validation: the set.
        read: what was read of each of its items.
        seen: photos of the training set.
        findings: where to note what was found.
    """
    rest = []
    for item, photo in zip(validation.items, read, strict=True):
        name = item.image.file_name
        if name is None:
            continue
        if photo is None:
            if clean_name(name) in seen.names:
                findings.add(kinds.OVERLAP_FILE, f"{name} (by its name; not found in {validation.path})")
        elif (path := os.path.realpath(photo.path)) in seen.by_path:
            findings.add(kinds.OVERLAP_FILE, seen.by_path[path])
        elif photo.digest in seen.by_digest:
            findings.add(kinds.OVERLAP_CONTENT, f"{name} is {seen.by_digest[photo.digest]}")
        else:
            rest.append((name, photo))
    for name, ours in seen.look_alikes(rest):
        findings.add(kinds.OVERLAP_SIMILAR, f"{name} looks like {ours}")


def compare_categories(
    validation: ValidationSet, known: Mapping[int, KnownCategory], used: set[int], findings: Findings
) -> None:
    """Find the categories that a validation set has otherwise than the training set, or alone.

    Args:
        validation: the set.
        known: categories of the training set.
        used: ids of those that its segments have.
        findings: where to note what was found.
    """
    for category_id in sorted(validation.used_categories()):
        theirs, ours = validation.categories.get(category_id), known.get(category_id)
        if theirs is None:
            continue
        if ours is None or (ours.name, ours.is_thing) != (theirs.name, theirs.is_thing):
            mine = "not there" if ours is None else _describe(ours)
            text = f"id {category_id}: {_describe(theirs)} in {validation.path.name}, {mine} in training"
            findings.add(kinds.VAL_CATEGORY_DIFFERS, text)
        elif category_id not in used:
            findings.add(kinds.VAL_CATEGORY_NEW, theirs.name)


def _describe(category: KnownCategory) -> str:
    return f"{'thing' if category.is_thing else 'stuff'} {category.name!r}"
