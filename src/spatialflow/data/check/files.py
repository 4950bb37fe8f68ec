"""A photo and its PNG, each read once: what is wrong with the files, and how large they are."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.data.check import kinds
from spatialflow.data.check.entries import Entry, Item
from spatialflow.data.check.findings import Drop, Finding, Repair, SetField
from spatialflow.data.check.folders import Folder
from spatialflow.data.check.kinds import Kind
from spatialflow.data.reading import SMALLEST_SIDE
from spatialflow.errors import DataError
from spatialflow.image_io import StoredPhoto, decode_id_png, read_stored_photo
from spatialflow.zip_path import ReadPath

Size = tuple[int, int]
"""(H, W)."""

_THUMBNAIL = 16
_MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "RGBA": "with transparency",
    "I;16": "16 bits of grey",
}
"""Pillow's modes in words; others are named as they are."""
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
_GREY, _PALETTE, _GREY_ALPHA = 0, 3, 4
"""Colour types of a PNG's header (w3.org/TR/png, 11.2.1)."""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of a photo that could be read."""

    path: ReadPath
    stored: Size
    orientation: int
    digest: bytes
    """Of the pixels as they are stored; equal for copies, whatever else the files hold."""
    thumbnail: NDArray[np.uint8]
    """(16, 16) grey, for photos that look alike though no pixel is the same."""

    @property
    def upright(self) -> Size:
        """Size of the photo as it is looked at."""
        return (self.stored[1], self.stored[0]) if self.orientation >= 5 else self.stored


def read_photo_facts(path: ReadPath) -> tuple[PhotoFacts, StoredPhoto]:
    """Read a photo once.

    Raises:
        DataError: it cannot be read.
    """
    photo = read_stored_photo(path)
    pixels = np.ascontiguousarray(photo.pixels)
    size = (pixels.shape[0], pixels.shape[1])
    digest = hashlib.blake2b(pixels.data, digest_size=16, key=repr(size).encode()).digest()
    small = cv2.resize(pixels, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    return PhotoFacts(path, size, photo.orientation, digest, grey), photo


def read_photo_of(item: Item, folder: Folder) -> tuple[PhotoFacts | None, list[Finding]]:
    """The photo of an item, or None if it cannot be read, and what is wrong with it."""
    drops = _leave_out(item)
    guess = None if item.annotation is None else item.annotation.stem
    name, findings = _locate(item.image, folder, (kinds.PHOTO_MISSING, kinds.PHOTO_MISNAMED), drops, guess)
    if name is None:
        return None, findings
    path = folder.path / name
    try:
        facts, photo = read_photo_facts(path)
    except DataError as error:
        return None, [*findings, Finding(kinds.PHOTO_UNREADABLE, _reason(error, path, name), drops)]
    if _suffix_is_wrong(name, photo):
        findings.append(Finding(kinds.PHOTO_SUFFIX, f"{name}: is {photo.format}"))
    if photo.mode != "RGB":
        findings.append(Finding(kinds.PHOTO_MODE, f"{name}: {_MODES.get(photo.mode, photo.mode)}"))
    if facts.orientation != 1:
        findings.append(Finding(kinds.PHOTO_ROTATED, f"{name}: EXIF orientation {facts.orientation}"))
    if (photo.pixels == photo.pixels[0, 0]).all():
        findings.append(
            Finding(kinds.PHOTO_BLANK, f"{name}: every pixel is {tuple(photo.pixels[0, 0].tolist())}")
        )
    if min(facts.stored) < SMALLEST_SIDE:
        findings.append(Finding(kinds.PHOTO_SMALL, f"{name}: {show_size(facts.stored)}"))
    return facts, findings


def read_png_of(item: Item, folder: Folder) -> tuple[NDArray[np.int32] | None, bool, list[Finding]]:
    """The id map of an item's PNG, or None if it cannot be read; whether it has a palette; what is wrong."""
    assert item.annotation is not None
    drops = _leave_out(item)
    absent = (kinds.PNG_MISSING, kinds.PNG_MISNAMED)
    name, findings = _locate(item.annotation, folder, absent, drops, item.image.stem)
    if name is None:
        return None, False, findings
    path = folder.path / name
    try:
        encoded = path.read_bytes()
        depth, color_type = struct.unpack(">BB", encoded[24:26].ljust(2, b"\0"))
        if encoded.startswith(b"\x89PNG") and (depth == 16 or color_type in (_GREY, _GREY_ALPHA)):
            text = f"{name}: {depth} bits of {'colour' if color_type & 2 else 'grey'}"
            return None, False, [*findings, Finding(kinds.PNG_NOT_RGB, text, drops)]
        id_map = decode_id_png(encoded, str(path))
    except OSError as error:
        return None, False, [*findings, Finding(kinds.PNG_UNREADABLE, f"{name}: {error.strerror}", drops)]
    except DataError as error:
        return None, False, [*findings, Finding(kinds.PNG_UNREADABLE, _reason(error, path, name), drops)]
    return id_map, color_type == _PALETTE, findings


def show_size(size: Size) -> str:
    """Width x height, as people say it."""
    return f"{size[1]}x{size[0]}"


def _locate(
    entry: Entry, folder: Folder, absent: tuple[Kind, Kind], drops: tuple[Drop, ...], guess: str | None = None
) -> tuple[str | None, list[Finding]]:
    """Name of an entry's file in the folder, and what is wrong with its name.

    Args:
        entry: of images or annotations.
        folder: where to look.
        absent: the kinds of a file that is nowhere, and of one that has another name.
        drops: what leaves the image out, if there is no file.
        guess: the stem to look for if the entry has no name that a file can have.
    """
    name = entry.file_name
    if name is not None and "\\" not in name and folder.has(name):
        return PurePosixPath(name).as_posix(), []
    stated = entry.raw.get("file_name")
    meant = folder.meant(stated) if isinstance(stated, str) else None
    if meant is None and name is None and guess is not None:
        meant = folder.meant(guess)
    repairs: tuple[Repair, ...] = drops
    if meant is not None:
        says = f"{entry.where}: file_name {stated!r} -> {meant!r}"
        repairs = (SetField(entry.raw, "file_name", meant, says),)
    if name is None:
        assert entry.name_fault is not None
        finding = entry.name_fault.finding(*repairs)
    elif meant is None:
        finding = Finding(absent[0], name, repairs)
    else:
        finding = Finding(kinds.PATH_BACKSLASH if "\\" in name else absent[1], f"{name}: is {meant}", repairs)
    return meant, [finding]


def _leave_out(item: Item) -> tuple[Drop, ...]:
    drop = Drop(item.image.raw, f"{item.image.name}, whose files cannot be used, dropped")
    return (drop,) if item.annotation is None else (drop, Drop(item.annotation.raw, ""))


def _reason(error: DataError, path: ReadPath, name: str) -> str:
    """The error with the name of the file instead of its path, and without the remedy."""
    return f"{name}: {str(error).removeprefix(f'{path}: ').split(';')[0]}"


def _suffix_is_wrong(name: str, photo: StoredPhoto) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    if photo.format in ("JPEG", "MPO"):  # the latter is what some cameras call a JPEG with a preview
        return suffix not in _JPEG
    return Image.registered_extensions().get(suffix, photo.format) != photo.format
