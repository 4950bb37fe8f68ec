"""The classes of Mapillary Vistas, as its ``config_v1.2.json`` and ``config_v2.0.json`` list them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spatialflow import json_fields as fields
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.json_fields import FieldError


class VistasLabel(NamedTuple):
    """One class; its place in the list is its value in ``labels`` PNGs."""

    name: str
    """Such as ``human--person``."""
    readable: str
    """Such as ``Person``."""
    has_instances: bool
    is_evaluated: bool
    """False for what is void, such as ``void--unlabeled``."""
    color: tuple[int, int, int]

    @property
    def is_group(self) -> bool:
        """Whether it is of instances that nobody told apart, such as ``human--person--person-group``."""
        return self.has_instances and "group" in self.name


def read_config(path: Path) -> list[VistasLabel]:
    """The classes of a config file.

    Raises:
        DataError: it cannot be read, or lacks a field of a class.
    """
    content = read_json(path)
    entries = content.get("labels") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise DataError(
            f"{path}: labels: the list of classes is missing; take the config file that comes with the data"
        )
    labels = []
    for i, entry in enumerate(entries):
        try:
            labels.append(_parse(entry))
        except FieldError as error:
            found = error.under(f"labels[{i}]")
            raise DataError(f"{path}: {found.field}: {found.problem}") from None
    return labels


def vistas_categories(labels: Sequence[VistasLabel]) -> list[dict[str, Any]]:
    """The evaluated classes as a ``categories`` list, with the ids and names that Vistas' own has.

    Ids are counted from 1. A readable name that two classes share is replaced by the other one.
    """
    count = Counter(label.readable for label in labels)
    return [
        {
            "id": i,
            "name": label.readable if count[label.readable] == 1 else label.name,
            "supercategory": label.name,
            "isthing": int(label.has_instances),
            "color": list(label.color),
        }
        for i, label in enumerate(labels, 1)
        if label.is_evaluated
    ]


def _parse(entry: Any) -> VistasLabel:
    name, readable = _text(entry, "name"), _text(entry, "readable")
    has_instances, is_evaluated = _flag(entry, "instances"), _flag(entry, "evaluate")
    color = fields.get(entry, "color")
    if (
        not isinstance(color, list)
        or len(color) != 3
        or not all(type(value) is int and 0 <= value <= 255 for value in color)
    ):
        raise FieldError("color", f"three whole numbers 0..255 are expected, got {fields.show(color)}")
    return VistasLabel(name, readable, has_instances, is_evaluated, (color[0], color[1], color[2]))


def _text(entry: Any, key: str) -> str:
    value = fields.get(entry, key)
    if type(value) is not str or not value:
        raise FieldError(key, f"a text is expected, got {fields.show(value)}")
    return value


def _flag(entry: Any, key: str) -> bool:
    value = fields.get(entry, key)
    if type(value) is not bool:
        raise FieldError(key, f"true or false is expected, got {fields.show(value)}")
    return value
