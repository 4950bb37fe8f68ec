"""How masks lie in a folder: which photo and which class each PNG is of.

=========== ============================================================ ====================================
layout      files                                                        a PNG is
=========== ============================================================ ====================================
``photos``  PHOTO/CLASS.png, PHOTO/CLASS_N.png                           the mask of a region or an instance
``classes`` CLASS/PHOTO.png, CLASS/PHOTO_N.png                           likewise
``labels``  PHOTO.png                                                    a map of the ids of classes
=========== ============================================================ ====================================

PHOTO is a photo's path below the folder of photos, without its suffix, and N a number.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal, NamedTuple, get_args

from spatialflow.data.converters.class_list import ClassList, normalize
from spatialflow.errors import ConfigError

MaskLayout = Literal["auto", "photos", "classes", "labels"]
"""``auto`` is the one by which the most PNGs have a photo and a class that there is."""
_NUMBERED = re.compile(r"(.+)_\d+")


class MaskFile(NamedTuple):
    """One PNG."""

    path: str
    """Relative to the folder of masks."""
    photo: str | None
    """Its photo without the suffix; None if there is no such photo."""
    label: str | None
    """What should be a class; None of a map of ids."""


class MaskNames:
    """The names that there are.

    Args:
        classes: of the YAML file.
        photos: without suffixes.
    """

    def __init__(self, classes: ClassList, photos: Iterable[str]) -> None:
        self._classes = classes
        self._photos = {normalize(photo): photo for photo in photos}

    def assign(self, paths: Iterable[str], layout: MaskLayout) -> list[MaskFile]:
        """Each PNG's photo and label.

        Raises:
            ConfigError: no such layout.
        """
        if layout not in get_args(MaskLayout):
            raise ConfigError(
                f"layout: {layout!r} is unknown; choose among {', '.join(get_args(MaskLayout))}"
            )
        paths = list(paths)
        readers = {"labels": self._by_name, "photos": self._in_photos, "classes": self._in_classes}
        chosen = readers.values() if layout == "auto" else [readers[layout]]
        return max(([read(path) for path in paths] for read in chosen), key=self._count_known)

    def _count_known(self, files: list[MaskFile]) -> int:
        """How many photos and classes there are; a map of ids has both or none."""
        return sum(
            (file.photo is not None)
            + (file.photo is not None if file.label is None else self._classes.find(file.label) is not None)
            for file in files
        )

    def _by_name(self, path: str) -> MaskFile:
        return MaskFile(path, self._photos.get(_stem(path)), None)

    def _in_photos(self, path: str) -> MaskFile:
        folder, _, name = _stem(path).rpartition("/")
        numbered = _NUMBERED.fullmatch(name)
        label = numbered[1] if numbered and self._classes.find(name) is None else name
        return MaskFile(path, self._photos.get(folder), label)

    def _in_classes(self, path: str) -> MaskFile:
        label, _, name = _stem(path).partition("/")
        numbered = _NUMBERED.fullmatch(name)
        if numbered and name not in self._photos:
            name = numbered[1]
        return MaskFile(path, self._photos.get(name), label)


def _stem(path: str) -> str:
    return normalize(PurePosixPath(path).with_suffix("").as_posix())
