"""Which categories of two data sets become one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from spatialflow.data.splitting.source import SourceSet
from spatialflow.errors import DataError
from spatialflow.files import read_yaml

NameMap = Mapping[str, str | None]
"""New names of categories by their old ones; None leaves a category out. Others keep their name."""


@dataclass(frozen=True, slots=True)
class MergedCategories:
    """The categories of two sets together."""

    entries: list[dict[str, Any]]
    """For the new file, by ascending id."""
    new_ids: tuple[dict[int, int | None], dict[int, int | None]]
    """Of each set, new ids by old ones; None for a category that is left out."""


def read_label_map(path: str | os.PathLike[str]) -> tuple[NameMap, NameMap]:
    """Read a YAML file of ``old name: new name``, for both sets, or under ``A:`` and ``B:`` for each.

    A name without a new one (``truck:``) is left out: its pixels become void.

    Raises:
        DataError: it cannot be read, or is no such file.
    """
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: is no label map; write lines of `old name: new name`")
    if set(content) <= {"A", "B"} and all(isinstance(value, dict) for value in content.values()):
        return _check_names(path, content.get("A", {})), _check_names(path, content.get("B", {}))
    names = _check_names(path, content)
    return names, names


def merge_categories(first: SourceSet, second: SourceSet, maps: tuple[NameMap, NameMap]) -> MergedCategories:
    """Bring together the categories of one name.

    A category keeps its id if no other has it; the first set goes before the second.

    Raises:
        DataError: a map names a category that its set lacks, or a name is a thing's and stuff's.
    """
    _check_known(first, second, maps)
    entries: dict[str, dict[str, Any]] = {}
    new_ids: tuple[dict[int, int | None], dict[int, int | None]] = ({}, {})
    for source, names, ids in zip((first, second), maps, new_ids, strict=True):
        listed = [(str(entry["name"]), entry) for entry in source.header["categories"]]
        renamed = [(old, names.get(old, old), entry) for old, entry in listed]
        # those that keep their name first, so that the others join them
        for old, name, entry in sorted(renamed, key=lambda row: row[0] != row[1]):
            if name is None:
                ids[entry["id"]] = None
                continue
            if name not in entries:
                entries[name] = {**entry, "name": name, "id": _free_id(entry["id"], entries)}
            elif bool(entries[name]["isthing"]) != bool(entry["isthing"]):
                raise DataError(
                    f"{source.path}: categories: {old!r} cannot become {name!r}, since one is a thing and "
                    f"the other is stuff; give one of them another name with --map"
                )
            ids[entry["id"]] = entries[name]["id"]
    if not entries:
        raise DataError(f"{first.path}: categories: the label map leaves out all of both sets; keep some")
    return MergedCategories(sorted(entries.values(), key=lambda entry: int(entry["id"])), new_ids)


def _check_names(path: str | os.PathLike[str], names: Mapping[Any, Any]) -> NameMap:
    for old, new in names.items():
        if not isinstance(old, str) or not (new is None or (isinstance(new, str) and new.strip())):
            raise DataError(
                f"{path}: {old!r}: {new!r}: a name is expected on either side; quote numbers, yes and no"
            )
    return dict(names)


def _check_known(first: SourceSet, second: SourceSet, maps: tuple[NameMap, NameMap]) -> None:
    """Each name of a map must be a category's: of its set, or of either set if the map is for both."""
    sets = [[first, second]] if maps[0] is maps[1] else [[first], [second]]
    for names, sources in zip(maps, sets, strict=False):
        known = {category.name for source in sources for category in source.categories}
        for name in names:
            if name not in known:
                files = " or ".join(str(source.path) for source in sources)
                close = get_close_matches(name, known, n=1, cutoff=0.4)
                hint = f"did you mean {close[0]!r}?" if close else "correct the map"
                raise DataError(f"label map: there is no category {name!r} in {files}; {hint}")


def _free_id(wanted: int, entries: Mapping[str, dict[str, Any]]) -> int:
    taken = {entry["id"] for entry in entries.values()}
    return wanted if wanted not in taken else max(taken) + 1
