"""The categories of a file, read as far as they can be."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.categories import parse_category
from spatialflow.data.check import kinds
from spatialflow.data.check.findings import Drop, Findings, SetField
from spatialflow.errors import DataError

MAX_STUFF = 254
"""The stuff target is one byte a pixel: a channel for things, and 255 for ignored pixels, besides these."""


@dataclass(frozen=True, slots=True)
class KnownCategory:
    """A category whose id could be read."""

    id: int
    name: str
    is_thing: bool | None
    """None where the file does not say."""


def read_categories(path: Path, entries: Any, findings: Findings) -> dict[int, KnownCategory]:
    """The categories by id, in the order of the file; of several with one id, the first.

    Raises:
        DataError: it is no list.
    """
    if not isinstance(entries, list):
        raise DataError(f"{path}: categories: a list is expected, got {fields.show(entries)}")
    if not entries:
        findings.add(kinds.CATEGORY_NONE, "categories: the list is empty")
    known: dict[int, KnownCategory] = {}
    raw: dict[int, Any] = {}
    for i, entry in enumerate(entries):
        category = _read_category(entry, i, findings)
        if category is None:
            continue
        if category.id in known:
            drop = (
                [Drop(entry, f"categories[{i}], a repetition, dropped")] if entry == raw[category.id] else []
            )
            text = f"categories[{i}]: id {category.id} is {known[category.id].name!r} and {category.name!r}"
            findings.add(kinds.CATEGORY_ID_TWICE, text, *drop)
            continue
        known[category.id], raw[category.id] = category, entry
    _compare_names(raw, findings)
    num_stuff = sum(category.is_thing is False for category in known.values())
    if num_stuff > MAX_STUFF:
        findings.add(kinds.TOO_MANY_STUFF, f"{num_stuff} stuff classes; the model takes {MAX_STUFF}")
    return known


def _read_category(entry: Any, index: int, findings: Findings) -> KnownCategory | None:
    if not isinstance(entry, dict):
        text = f"categories[{index}]: an object is expected, got {fields.show(entry)}"
        findings.add(kinds.CATEGORY_MALFORMED, text, Drop(entry, f"categories[{index}], no object, dropped"))
        return None
    meant = {key: fields.meant_integer(entry.get(key)) for key in ("id", "isthing")}
    try:
        parse_category(entry, index, "")
    except DataError as error:
        repairs = _write_meant(entry, meant, index)
        findings.add(kinds.CATEGORY_MALFORMED, str(error).removeprefix(": "), *repairs)
    if meant["id"] is None:
        return None
    is_thing = entry["isthing"] if type(entry.get("isthing")) is bool else meant["isthing"]
    name = str(entry.get("name", f"id {meant['id']}"))
    return KnownCategory(meant["id"], name, None if is_thing is None else bool(is_thing))


def _write_meant(entry: dict[str, Any], meant: dict[str, int | None], index: int) -> list[SetField]:
    """Numbers in place of the texts that stand for them, if with these the entry can be read."""
    changes = {key: value for key, value in meant.items() if value is not None and entry[key] is not value}
    try:
        parse_category({**entry, **changes}, index, "")
    except DataError:
        return []
    return [
        SetField(entry, key, value, f"categories[{index}]: {key} {entry[key]!r} -> {value}")
        for key, value in changes.items()
    ]


def _compare_names(raw: dict[int, Any], findings: Findings) -> None:
    """Names must differ, and by more than case and spaces."""
    first: dict[str, tuple[int, str]] = {}
    for category_id, entry in raw.items():
        if "name" not in entry:
            continue  # reported
        name = str(entry["name"])
        plain = " ".join(unicodedata.normalize("NFC", name).casefold().split())
        if type(entry["name"]) is not str or not plain:
            findings.add(kinds.CATEGORY_NAME_ODD, f"id {category_id}: {fields.show(entry['name'])}")
        other_id, other = first.setdefault(plain, (category_id, name))
        if other_id != category_id and plain:
            kind = kinds.CATEGORY_NAME_TWICE if other == name else kinds.CATEGORY_NAME_ODD
            findings.add(
                kind, f"{fields.show(name)} (id {category_id}) and {fields.show(other)} (id {other_id})"
            )
