"""A clean data set to plant faults in, and what a check is to make of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from make_data import CAT, DOG, GRASS, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.data.check import CheckReport, check_dataset, write_repaired
from spatialflow.data.panoptic_json import read_truth
from spatialflow.image_io import read_id_png, write_id_png

CLEAN = (
    ToyImage("a", (48, 64), (ToySegment(SKY, (0, 0, 64, 20)), ToySegment(CAT, (10, 8, 40, 30)))),
    ToyImage("b", (64, 48), (ToySegment(GRASS, (0, 30, 48, 64)), ToySegment(DOG, (5, 5, 30, 60)))),
    ToyImage("c", (40, 40), (ToySegment(SKY, (0, 0, 40, 10)), ToySegment(CAT, (0, 20, 9, 40)))),
)
"""Image a has segments 1001 (sky, 920 px) and 1002 (cat, 30x22 = 660 px); b 1001 (grass) and 1002 (dog)."""


@dataclass
class Planter:
    """A clean data set to spoil."""

    path: Path

    def edit(self, change: Callable[[Any], object]) -> None:
        edit_json(self.path, change)

    def image(self, index: int, **values: Any) -> None:
        self.edit(lambda content: content["images"][index].update(values))

    def annotation(self, index: int, **values: Any) -> None:
        self.edit(lambda content: content["annotations"][index].update(values))

    def segment(self, index: int, position: int = 1, **values: Any) -> None:
        self.edit(lambda c: c["annotations"][index]["segments_info"][position].update(values))

    def without(self, key: str, index: int = 0, position: int = 1) -> None:
        self.edit(lambda c: c["annotations"][index]["segments_info"][position].pop(key))

    def photo(self, name: str = "a") -> Path:
        return self.path.parent.parent / "images" / f"{name}.png"

    def png(self, name: str = "a") -> Path:
        return self.path.with_suffix("") / f"{name}.png"

    def paint(self, name: str, change: Callable[[Any], object]) -> None:
        ids = read_id_png(self.png(name))
        change(ids)
        write_id_png(self.png(name), ids)

    def check(self, **options: Any) -> CheckReport:
        return check_dataset(self.path, **options)


def clean_set(folder: Path) -> Planter:
    """Photos, PNGs and JSON without any fault."""
    return Planter(write_panoptic_set(folder / "data", CLEAN))


def rows(report: CheckReport) -> dict[str, int]:
    return {row.kind.key: row.count for row in report.findings}


def offenders(report: CheckReport, key: str) -> list[str]:
    return next(row.examples for row in report.findings if row.kind.key == key)


@dataclass(frozen=True)
class Case:
    """One planted fault."""

    name: str
    plant: Callable[[Planter], object]
    expected: dict[str, int]
    mended: bool | None = None
    """Whether the repaired copy is free of it; None: nothing can be repaired."""
    offender: str = ""
    """Part of the first offender's name."""


def check_case(case: Case, folder: Path, is_error: bool) -> None:
    """Plant one fault: the check finds it and no other, and the repaired copy, if any, is free of it."""
    planter = clean_set(folder)
    case.plant(planter)
    report = planter.check()
    assert rows(report) == case.expected
    assert report.has_errors == is_error
    first = next(iter(case.expected))
    assert case.offender in offenders(report, first)[0]

    repaired = write_repaired(report, planter.path.with_name("repaired.json"))
    left = check_dataset(repaired.path, segments=planter.path.with_suffix(""))
    assert (first in rows(left)) == (case.mended is None)
    assert bool(repaired.changes) == (case.mended is not None)
    assert bool(repaired.left) == (is_error and case.mended is None)
    if case.mended and is_error:
        assert not left.has_errors
        read_truth(repaired.path)
