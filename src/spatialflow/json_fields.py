"""Single fields of an annotation file, read and checked; every function raises :class:`FieldError`."""

import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any


class FieldError(Exception):
    """A fault at ``field``, still without the name of the file."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def under(self, parent: str, note: str = "") -> "FieldError":
        """The same fault, seen from the object that holds the field."""
        return FieldError(f"{parent}.{self.field}" if self.field else parent, f"{self.problem}{note}")


def get(entry: Any, key: str) -> Any:
    """Value of ``key``, which must be there."""
    if not isinstance(entry, Mapping):
        raise FieldError("", f"an object with {key} is expected, got {show(entry)}")
    try:
        return entry[key]
    except KeyError:
        raise FieldError(key, "the key is missing; add it") from None


def integer(entry: Any, key: str) -> int:
    """A whole number."""
    value = get(entry, key)
    if type(value) is not int:  # bool is an int too, and never meant
        raise FieldError(key, f"a whole number is expected, got {show(value)}")
    return value


def meant_integer(value: Any) -> int | None:
    """The whole number that a value stands for, whatever its type: ``17``, ``17.0`` and ``"17"``; or None."""
    if type(value) is str:
        try:
            return int(value)
        except ValueError:
            return None
    return int(value) if is_number(value) and value == int(value) else None


def positive(entry: Any, key: str) -> int:
    """A whole number of pixels, at least 1."""
    value = integer(entry, key)
    if value < 1:
        raise FieldError(key, f"1 or more pixels are expected, got {value}")
    return value


def image_id(entry: Any, key: str) -> int | str:
    """The id of an image: COCO counts, Cityscapes names."""
    value = get(entry, key)
    if type(value) is not int and type(value) is not str:
        raise FieldError(key, f"a whole number or a text is expected, got {show(value)}")
    return value


def file_name(entry: Any) -> str:
    """A relative path that stays inside its folder, be it read on Linux or on Windows."""
    value = get(entry, "file_name")
    if type(value) is not str or not Path(value).name:
        raise FieldError("file_name", f"the name of a file is expected, got {show(value)}")
    if leaves_its_folder(value):
        raise FieldError("file_name", f"{value!r} leaves its folder; give a path relative to it, without ..")
    if not _can_exist(value):
        raise FieldError("file_name", f"{show(value)} is no name that a file can have; correct it")
    return value


def leaves_its_folder(path: str) -> bool:
    """Whether a path is absolute or climbs, by the rules of Linux or of Windows."""
    # a Windows path takes both kinds of slashes, so that it knows every .. of the other as well
    windows = PureWindowsPath(path)
    return Path(path).is_absolute() or windows.root != "" or ".." in windows.parts


def _can_exist(path: str) -> bool:
    """Whether an operating system takes this name at all."""
    try:
        return "\0" not in path and all(len(part) <= 255 for part in os.fsencode(path).split(b"/"))
    except UnicodeEncodeError:  # half of a pair of UTF-16
        return False


def area(info: Any) -> int:
    """A whole number of pixels, 0 or more; 12.0 counts, as some tools write it."""
    value = get(info, "area")
    if not is_number(value) or value < 0 or value != int(value):
        raise FieldError("area", f"a whole number of pixels is expected, got {show(value)}")
    return int(value)


def bbox(value: Any) -> tuple[float, float, float, float]:
    """x, y, w, h in pixels."""
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(v) for v in value):
        raise FieldError("bbox", f"four numbers x, y, w, h are expected, got {show(value)}")
    if value[2] < 0 or value[3] < 0:
        raise FieldError(
            "bbox", f"width and height must not be negative, got {show(value)}; write x, y, w, h"
        )
    return (value[0], value[1], value[2], value[3])


def is_number(value: Any) -> bool:
    """Whether this is a number that a float holds exactly enough; NaN and booleans are not."""
    return type(value) in (int, float) and -1e15 < value < 1e15


def show(value: Any) -> str:
    """A value as an error quotes it: one line, cut short."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
