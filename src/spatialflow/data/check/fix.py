"""A repaired copy of an annotation file: what a program can mend, and what it did."""

import contextlib
import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow.data.check.doctor import CheckReport
from spatialflow.data.check.findings import Drop, Row, SetField
from spatialflow.data.check.kinds import Severity
from spatialflow.errors import DataError, OutputError
from spatialflow.files import read_json, write_json
from spatialflow.staging import CONVERTED_BY

_REPAIRED_BY, _US = "repaired_by", "spatialflow data check"
"""Key and value in a copy, which the next one may then replace."""


@dataclass(frozen=True, slots=True)
class FixReport:
    """What became of the faults."""

    path: Path
    """Of the repaired copy."""
    changes: list[str]
    """Each in words."""
    left: list[Row]
    """Errors of which some only a person can mend; a row counts those that can be mended, too."""


def write_repaired(report: CheckReport, out: str | os.PathLike[str]) -> FixReport:
    """Write a copy without the faults that can be mended; the content of ``report`` is changed likewise.

    Areas and boxes are computed from the PNG; segments without pixels, annotations without an image, entries
    that are repeated and images whose files cannot be used are dropped; ids, sizes and file names are
    corrected where the files leave no doubt. No PNG and no photo is touched.

    Raises:
        OutputError: ``out`` is the file that was checked, or cannot be written.
        DataError: no image would be left.
    """
    out = Path(out)
    check_fix_path(report.path, out)
    repairs = report.findings.repairs
    for repair in repairs:
        if isinstance(repair, SetField):
            repair.entry[repair.key] = repair.value
    content = _without(report.content, {id(repair.entry) for repair in repairs if isinstance(repair, Drop)})
    if report.content["images"] and not content["images"]:
        raise DataError(
            f"{report.path}: no image would be left, as none has a photo and a PNG that can be used; is "
            f"{report.images} the folder of the photos, and {report.segments} that of the PNGs?"
        )
    # not as what made the file that was checked, which might then replace this one
    others = {key: value for key, value in content.items() if key != CONVERTED_BY}
    write_json(out, {_REPAIRED_BY: _US, **others})
    kept = _entries(content)
    done = [repair for repair in repairs if isinstance(repair, Drop) or id(repair.entry) in kept]
    # several faults may drop one entry, and one fault may change two fields
    changes = list(dict.fromkeys(repair.says for repair in done if repair.says))
    left = [
        row for row in report.findings if row.kind.severity == Severity.ERROR and row.repairable < row.count
    ]
    return FixReport(out, changes, left)


def check_fix_path(source: Path, out: Path) -> None:
    """Refuse to write over the file that is checked.

    Raises:
        OutputError: it is that file, or a folder.
    """
    if out.is_dir():
        raise OutputError(f"{out}: is a folder; give --fix the name of a file")
    if out.resolve() == source.resolve() or (out.exists() and source.exists() and out.samefile(source)):
        raise OutputError(f"{out}: is the file that is checked; give --fix another name")
    if out.exists() and not _is_copy(out):
        raise OutputError(f"{out}: is there already, and no repaired copy; give --fix another name")


def _is_copy(path: Path) -> bool:
    """Whether an earlier ``--fix`` wrote it."""
    with contextlib.suppress(DataError, AttributeError):
        return bool(read_json(path).get(_REPAIRED_BY) == _US)
    return False


def _without(content: dict[str, Any], dropped: set[int]) -> dict[str, Any]:
    """The content without some entries, told by their identity."""

    def keep(entries: Iterable[Any]) -> list[Any]:
        return [entry for entry in entries if id(entry) not in dropped]

    lists = {key: keep(content[key]) for key in ("images", "annotations", "categories")}
    for annotation in _with_segments(lists["annotations"]):
        annotation["segments_info"] = keep(annotation["segments_info"])
    return {**content, **lists}


def _entries(content: dict[str, Any]) -> set[int]:
    """Identities of all entries."""
    segments = (entry for a in _with_segments(content["annotations"]) for entry in a["segments_info"])
    lists = (content[key] for key in ("images", "annotations", "categories"))
    return {id(entry) for entry in itertools.chain(*lists, segments)}


def _with_segments(annotations: list[Any]) -> list[dict[str, Any]]:
    return [a for a in annotations if isinstance(a, dict) and isinstance(a.get("segments_info"), list)]
