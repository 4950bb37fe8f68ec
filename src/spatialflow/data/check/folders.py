"""The folders of photos and PNGs: where a file is, or could be meant to be, and which are not listed."""

import os
import threading
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spatialflow.data.check.entries import clean_name
from spatialflow.data.locating import has_file
from spatialflow.image_io import PHOTO_SUFFIXES
from spatialflow.zip_path import ReadPath, ZipPath

_CITYSCAPES = ("_gtfine_leftimg8bit", "_leftimg8bit")
"""What Cityscapes' own panoptic files call a photo, and what the photo is called, in lower case."""


@dataclass(slots=True)
class Folder:
    """A folder and the names that the JSON gives to the files in it."""

    path: ReadPath
    suffixes: Collection[str]
    """Of the files that count, in lower case."""
    listed: Collection[str]
    """Clean names, relative to the folder."""
    foreign: Collection[Path] = ()
    """Files, and folders with all that is in them, that are of another kind."""
    meant_files: set[str] = field(default_factory=set)
    """Files that wrong names were found to stand for."""
    _index: dict[str, list[str]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return has_file(self.path, name)

    def meant(self, name: str) -> str | None:
        """The one file, not listed itself, that a wrong name can stand for; None if none or several can.

        It has the same stem, whatever its folder, suffix and case: photos get moved and converted, and
        Cityscapes' own panoptic files name photos as no photo is named.
        """
        plain = name.replace("\\", "/")
        found = plain if plain != name and self.has(plain) else self._alike(plain)
        if found is not None:
            self.meant_files.add(clean_name(found))
        return found

    def _alike(self, name: str) -> str | None:
        path = PurePosixPath(name)
        stem = _plain(path.stem)
        stems = {stem, stem.replace(*_CITYSCAPES)}
        found = [f for s in stems for f in self._by_stem().get(s, ()) if f not in self.listed]
        same = [f for f in found if PurePosixPath(f).name == path.name]
        best = same or found
        return best[0] if len(best) == 1 else None

    def unlisted(self) -> list[str]:
        """Files that are not listed, in this folder and in those below it of which others are listed."""
        below = {str(PurePosixPath(name).parent) for name in self.listed} | {"."}
        if isinstance(self.path, ZipPath):
            names = (name for name in self._archived(self.path) if str(PurePosixPath(name).parent) in below)
        else:
            names = (
                clean_name(f"{folder}/{name}") for folder in sorted(below) for name in self._names(folder)
            )
        return [name for name in names if name not in self.listed and name not in self.meant_files]

    def _names(self, folder: str) -> list[str]:
        try:
            entries = sorted(os.scandir(self.path / folder), key=lambda entry: entry.name)
        except (OSError, ValueError):
            return []
        return [entry.name for entry in entries if self._counts(path := Path(entry.path)) and path.is_file()]

    def _archived(self, archive: ZipPath) -> Iterator[str]:
        for name in archive.file_names():
            if self._counts(Path(archive / name)):
                yield name

    def _counts(self, path: Path) -> bool:
        # names with a dot in front are hidden: thumbnails, or what macOS leaves beside photos
        return (
            path.suffix.lower() in self.suffixes
            and not path.name.startswith(".")
            and path not in self.foreign
            and not any(parent in self.foreign for parent in path.parents)
        )

    def _by_stem(self) -> dict[str, list[str]]:
        """All files of the folder and below; looked up once, when a name is first found to be wrong."""
        with self._lock:
            if self._index is None:
                self._index = {}
                for name in self._walk():
                    self._index.setdefault(_plain(PurePosixPath(name).stem), []).append(name)
            return self._index

    def _walk(self) -> Iterator[str]:
        if isinstance(self.path, ZipPath):
            yield from self._archived(self.path)
            return
        for folder, folders, names in os.walk(self.path):
            # a folder beside a JSON of its name is one of PNGs
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and not Path(folder, f"{name}.json").is_file()
            )
            for name in sorted(names):
                path = Path(folder, name)
                if self._counts(path) and path.is_file():
                    yield path.relative_to(self.path).as_posix()


def _plain(stem: str) -> str:
    """A name without what systems change in it: case, and whether accents are letters of their own."""
    return unicodedata.normalize("NFC", stem).casefold()


def photo_folder(
    path: ReadPath, photos: Collection[str], segments: ReadPath | None, pngs: Collection[str]
) -> Folder:
    """A folder of photos; that of the PNGs may lie in it, or be the same."""
    foreign = _paths(segments, pngs)
    if segments is not None and Path(path) in Path(segments).parents:
        foreign.add(Path(segments))
    return Folder(path, PHOTO_SUFFIXES, photos, foreign)


def png_folder(
    path: ReadPath, pngs: Collection[str], images: ReadPath | None, photos: Collection[str]
) -> Folder:
    """A folder of panoptic PNGs; photos may lie in it, too."""
    return Folder(path, (".png",), pngs, _paths(images, photos))


def _paths(folder: ReadPath | None, names: Collection[str]) -> set[Path]:
    return set() if folder is None else {Path(folder) / name for name in names}
