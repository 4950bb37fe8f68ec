"""The classes of one's own data: a YAML file that lists things (counted) and stuff (regions).

Example::

    things: [cat, dog]
    stuff:
      - grass
      - {name: sky, id: 21, color: [70, 130, 180]}

Ids that are not given are counted from 1, in the order of the file, past those that are; colours that are not
given are made up, stably.
"""

import difflib
import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from spatialflow.data.converters.category_list import CategoryEntries, complete
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError, show

_KINDS = {"things": 1, "stuff": 0}
"""Keys of the file, and what isthing is of the classes under them."""
_KEYS = ("name", "id", "color")
_SHOWN = 8
"""Names that an error lists."""


class ClassList:
    """Classes by the names that an annotation tool gives them; accents may be composed or not."""

    def __init__(self, entries: CategoryEntries, path: Path) -> None:
        self.path = path
        self.entries = entries
        """The ``categories`` list of a COCO-panoptic file, in the order of the YAML."""
        self._id_of = {normalize(entry["name"]): int(entry["id"]) for entry in entries}
        self._things = {entry["id"] for entry in entries if entry["isthing"]}

    def find(self, label: str) -> int | None:
        """The category id of a label, or None if it is not listed."""
        return self._id_of.get(normalize(label))

    def is_thing(self, category_id: int) -> bool:
        """Whether instances of this class are told apart."""
        return category_id in self._things

    @property
    def names(self) -> list[str]:
        """In the order of the file."""
        return list(self._id_of)

    def nearest(self, label: str) -> str:
        """What an error says of a label that is not listed."""
        return _nearest(normalize(label), self.names)


def normalize(text: str) -> str:
    """Text with composed accents (Unicode's NFC): macOS writes names of files otherwise."""
    return unicodedata.normalize("NFC", text)


def load_classes(path: str | os.PathLike[str]) -> ClassList:
    """Read the YAML file.

    Raises:
        DataError: it cannot be read, is not such a list, or names a class or an id twice.
    """
    path = Path(path)
    content = _read_yaml(path)
    try:
        stated = list(_listed(content))
        if not stated:
            raise FieldError("things", "no class is listed, here or under stuff; name at least one")
        entries = _with_ids(stated)
        _check_names(entries)
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None
    return ClassList(complete(entries, str(path)), path)


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); give a YAML file of things and stuff"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not valid YAML ({' '.join(str(error).split())})") from error


def _listed(content: Any) -> Iterable[dict[str, Any]]:
    """Each class as it is stated: name, isthing, and perhaps id and color."""
    if not isinstance(content, Mapping):
        raise FieldError("things", f"lists under things: and stuff: are expected, got {show(content)}")
    for kind, classes in content.items():
        if kind not in _KINDS:
            raise FieldError(str(kind), f"is no known key{_nearest(str(kind), list(_KINDS))}")
        if not isinstance(classes, list | None):
            raise FieldError(kind, f"a list of classes is expected, got {show(classes)}")
        for i, stated in enumerate(classes or []):
            try:
                yield {**_parse(stated), "isthing": _KINDS[kind]}
            except FieldError as error:
                raise error.under(f"{kind}[{i}]") from None


def _parse(stated: Any) -> dict[str, Any]:
    entry = dict(stated) if isinstance(stated, Mapping) else {"name": stated}
    for key in entry:
        if key not in _KEYS:
            raise FieldError(str(key), f"is no known key{_nearest(str(key), _KEYS)}")
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise FieldError(
            "name", f"the name of a class is expected, got {show(name)}; put it in quotes if it is one"
        )
    if "id" in entry and (type(entry["id"]) is not int or entry["id"] < 0):
        raise FieldError("id", f"a whole number of 0 or more is expected, got {show(entry['id'])}")
    return {**entry, "color": _color(entry.get("color"))}


def _color(stated: Any) -> Any:
    """A colour as a list of numbers, which is checked later; '#rrggbb' is one too."""
    if isinstance(stated, str):
        try:
            return list(bytes.fromhex(stated.removeprefix("#")))
        except ValueError:
            raise FieldError("color", f"[R, G, B] or '#rrggbb' is expected, got {show(stated)}") from None
    return stated


def _with_ids(stated: list[dict[str, Any]]) -> CategoryEntries:
    given = {entry["id"] for entry in stated if "id" in entry}
    free = (number for number in range(1, len(stated) + len(given) + 1) if number not in given)
    return [{"id": entry["id"] if "id" in entry else next(free), **entry} for entry in stated]


def _check_names(entries: CategoryEntries) -> None:
    seen: set[str] = set()
    for entry in entries:
        if normalize(entry["name"]) in seen:
            raise FieldError(
                "name", f"{entry['name']!r} is listed twice; a class is a thing or stuff, and once"
            )
        seen.add(normalize(entry["name"]))


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    folded = {other.casefold(): other for other in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    more = ", ..." if len(names) > _SHOWN else ""
    return f" (known: {', '.join(names[:_SHOWN])}{more})."
