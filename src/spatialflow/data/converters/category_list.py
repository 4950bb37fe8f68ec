"""The ``categories`` list that a conversion writes: as a file has it, so that nothing it says is lost."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatialflow.categories import Categories, coco_panoptic
from spatialflow.errors import DataError
from spatialflow.files import read_json

CategoryEntries = list[dict[str, Any]]
"""Entries of ``categories``: id, name, isthing, color, and whatever else a file says of one."""


def load_categories(name_or_path: str | os.PathLike[str]) -> CategoryEntries:
    """``coco_panoptic`` (shipped), or those of a JSON file: a COCO-panoptic one, or the list itself.

    Raises:
        DataError: no such file, or no list of categories that say what they are.
    """
    if str(name_or_path) == "coco_panoptic":
        return coco_panoptic().to_json()
    content = read_json(Path(name_or_path))
    entries = content.get("categories") if isinstance(content, Mapping) else content
    return complete(entries, str(name_or_path))


def complete(entries: Any, source: str) -> CategoryEntries:
    """The entries of a ``categories`` list, checked, with a colour for each that has none.

    Raises:
        DataError: it is no such list; ``source`` is the file it names.
    """
    known = Categories.from_json(entries, source)
    colors = {category.id: list(category.color) for category in known}
    return [{**entry, "color": colors[entry["id"]]} for entry in entries]


def check_agreement(
    stated: Any,
    chosen: CategoryEntries,
    source: str,
    chosen_source: str,
    remedy: str = "name the file of its categories (--categories), each with isthing 1 or 0",
) -> None:
    """See that a file's own categories, if it states any, mean what the chosen ones of the same id mean.

    Raises:
        DataError: an id has another name.
    """
    names = {entry["id"]: entry["name"] for entry in chosen}
    for entry in stated if isinstance(stated, list) else []:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), int):
            continue
        name = names.get(entry["id"])
        if name is not None and entry.get("name", name) != name:
            raise DataError(
                f"{source}: categories: id {entry['id']} is {entry['name']!r} there, but {name!r} in "
                f"{chosen_source}; {remedy}"
            )
