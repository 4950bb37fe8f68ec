"""What a check has found so far, and how each fault could be mended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spatialflow.data.check.kinds import KINDS, Kind

EXAMPLES = 1000
"""Offenders kept of each kind; all of them are counted."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Give a field of a JSON object another value."""

    entry: dict[str, Any]
    key: str
    value: Any
    says: str
    """The change in words, such as ``a.png, segment 5: area 12 -> 14``."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Leave an entry out of its list."""

    entry: Any
    says: str


Repair = SetField | Drop


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault."""

    kind: Kind
    offender: str
    """By name: the photo, the PNG, the segment, the category, or the field of the JSON."""
    repairs: tuple[Repair, ...] = ()
    """What mends it; empty if only a person can."""


@dataclass(slots=True)
class Row:
    """All faults of one kind."""

    kind: Kind
    count: int = 0
    repairable: int = 0
    examples: list[str] = field(default_factory=list)
    """The first offenders, at most ``EXAMPLES``."""

    def to_json(self) -> dict[str, Any]:
        """All that is known of them."""
        return {
            "kind": self.kind.key,
            "severity": str(self.kind.severity),
            "title": self.kind.title,
            "remedy": self.kind.remedy,
            "count": self.count,
            "repairable": self.repairable,
            "offenders": self.examples,
        }


class Findings:
    """Collects faults, and counts them by kind."""

    def __init__(self) -> None:
        self._rows: dict[Kind, Row] = {}
        self.repairs: list[Repair] = []

    def add(self, kind: Kind, offender: str, *repairs: Repair) -> None:
        """Note one fault."""
        row = self._rows.setdefault(kind, Row(kind))
        row.count += 1
        row.repairable += bool(repairs)
        if len(row.examples) < EXAMPLES:
            row.examples.append(offender)
        self.repairs.extend(repairs)

    def extend(self, findings: Iterable[Finding]) -> None:
        """Note what was found elsewhere."""
        for finding in findings:
            self.add(finding.kind, finding.offender, *finding.repairs)

    def __iter__(self) -> Iterator[Row]:
        """The rows, in the order of a report: by severity, then as the kinds are listed."""
        severities = list(type(KINDS[0].severity))
        found = [self._rows[kind] for kind in KINDS if kind in self._rows]
        return iter(sorted(found, key=lambda row: severities.index(row.kind.severity)))
