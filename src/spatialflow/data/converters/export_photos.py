"""The photos of an export: found by the names it gives them, and of the size it states."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.data.converters.class_list import normalize
from spatialflow.errors import DataError
from spatialflow.image_io import PHOTO_SUFFIXES, read_image_sizes
from spatialflow.json_fields import FieldError, file_name, show

MAX_PIXELS = 1 << 28
"""More than a photo has; a map of so many would not fit into memory."""


def name_inside(stated: Any, name: str = "file_name") -> str:
    """A photo's path as an export states it, with slashes for the backslashes of Windows programs.

    Raises:
        FieldError: at the field ``name``, it is no such path, or leaves its folder.
    """
    if not isinstance(stated, str):
        raise FieldError(name, f"the name of a photo is expected, got {show(stated)}")
    path = stated.replace("\\", "/")
    try:
        if path[1:3] == ":/":  # a drive of Windows
            raise FieldError("", f"{stated!r} leaves its folder; give a path relative to it, without ..")
        return PurePosixPath(file_name({"file_name": path})).as_posix()
    except FieldError as error:
        raise FieldError(name, f"{error.problem}, or name the folder of the photos (--images)") from None


class PhotoFolder:
    """The photos in a folder and those below it.

    Args:
        folder: of the photos.
        is_given: whether it was named by the user, and not guessed. Then each photo must be there, and is
            also found where only the end of a path is right, such as in C:/photos/cat.jpg or ../cat.jpg.

    Raises:
        DataError: there is no such folder.
    """

    def __init__(self, folder: str | os.PathLike[str], is_given: bool) -> None:
        self.folder = Path(folder)
        self.is_given = is_given
        if not self.folder.is_dir():
            raise DataError(f"{folder}: no such folder of photos; name the folder they are in (--images)")
        self._listed: dict[PurePosixPath, dict[str, str]] = {}
        self._paths: dict[str, str] = {}
        self._by_name: dict[str, list[str]] = {}
        for path in files_below(self.folder) if is_given else ():  # a guess may be a folder of anything
            self._paths[normalize(path)] = path
            self._by_name.setdefault(normalize(PurePosixPath(path).name), []).append(path)

    @property
    def names(self) -> list[str]:
        """Of all photos of a folder that was given, relative to it, by their suffixes."""
        return sorted(p for p in self._paths.values() if Path(p).suffix.lower() in PHOTO_SUFFIXES)

    def find(self, stated: Any, name: str = "file_name", also: Sequence[str] = ()) -> tuple[str, Path | None]:
        """A photo's name relative to the folder, and its path if it is there.

        Args:
            stated: its path by the export.
            name: the field that is at fault if it cannot be.
            also: other paths that it may have.

        Raises:
            FieldError: it leaves its folder, or of a folder that was given: it is not there.
        """
        if self.is_given:
            return self._search(stated, name, also)
        inside = name_inside(stated, name)
        for path in (inside, *also):
            found = self._on_disk(path)
            if (self.folder / found).is_file():
                return found, self.folder / found
        return inside, None

    def _on_disk(self, path: str) -> str:
        """A path with its accents as the disk has them, so far as it is there."""
        if (self.folder / path).exists():
            return path
        found = PurePosixPath()
        for part in PurePosixPath(path).parts:
            found /= self._list(found).get(normalize(part), part)
        return found.as_posix()

    def _list(self, folder: PurePosixPath) -> dict[str, str]:
        """Names in a folder by their composed form."""
        if folder not in self._listed:
            here = self.folder / folder
            names = os.listdir(here) if here.is_dir() else []  # noqa: PTH208  # names are all that is needed
            self._listed[folder] = {normalize(name): name for name in names}
        return self._listed[folder]

    def _search(self, stated: Any, name: str, also: Sequence[str]) -> tuple[str, Path]:
        if not isinstance(stated, str) or not stated.strip("/\\. "):
            raise FieldError(name, f"the name of a photo is expected, got {show(stated)}")
        alike: list[str] = []
        for path in (stated, *also):
            parts = normalize(path.replace("\\", "/")).split("/")
            for i in range(len(parts)):
                found = self._paths.get("/".join(parts[i:]))
                if found is not None:
                    return found, self.folder / found
            alike += self._by_name.get(parts[-1], [])
        if len(alike) != 1:
            problem = f"is in several folders of {self.folder}" if alike else f"is not in {self.folder}"
            raise FieldError(name, f"the photo {stated!r} {problem}; correct the path, or --images")
        return alike[0], self.folder / alike[0]


def image_size(path: Path | None, stated: tuple[int, int] | None, source: str) -> tuple[int, int]:
    """(H, W) of an image: its photo's, upright or as it is stored, by which of them the export agrees with.

    Args:
        path: of the photo, if it was found.
        stated: (H, W) by the export, if it states one.
        source: what an error names.

    Raises:
        DataError: there is neither, they differ, the photo cannot be read, or the size is too large.
    """
    if path is None:
        if stated is None:
            raise DataError(
                f"{source}: states no width and height, and its photo was not found; name the folder of the "
                f"photos (--images)"
            )
        size = stated
    else:
        sizes = read_image_sizes(path)
        size = stated or sizes[0]
        if size not in sizes:
            raise DataError(
                f"{source}: says {size[1]}x{size[0]} pixels, but its photo {path} is "
                f"{sizes[0][1]}x{sizes[0][0]}; both must have one size"
            )
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(f"{source}: {size[1]}x{size[0]} pixels are too many; correct width and height")
    return size


def files_below(folder: Path) -> Iterator[str]:
    """Files in a folder and those below it, but hidden ones, relative to it, with slashes."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            if not file.startswith("."):
                yield (Path(root) / file).relative_to(folder).as_posix()
