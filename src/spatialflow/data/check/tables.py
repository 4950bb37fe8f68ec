"""A check's report as tables in a terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from spatialflow.data.check.doctor import CheckReport
from spatialflow.data.check.findings import Row
from spatialflow.data.check.kinds import Severity
from spatialflow.data.check.statistics import Statistics

_SHOWN = 3
"""Offenders named in the table; the JSON report has more."""
_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def fault_table(report: CheckReport) -> Table:
    """A row for each kind of fault: severity, what it is and what helps, count, first offenders."""
    table = Table(title="Faults", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("Fault and remedy", ratio=2, overflow="fold")
    table.add_column("Count", justify="right", no_wrap=True)
    table.add_column("First offenders", ratio=3, overflow="fold")
    for row in report.findings:
        severity = row.kind.severity
        what = Text.assemble(row.kind.title, ("\n" + row.kind.remedy, "dim"))
        table.add_row(Text(severity, _STYLE[severity]), what, str(row.count), Text(_offenders(row)))
    return table


def class_table(statistics: Statistics) -> Table:
    """A row for each category that occurs: images, segments, crowds, share of the pixels; and void."""
    table = Table(title="Classes", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("")
    for heading in ("Images", "Segments", "Crowds", "Pixels"):
        table.add_column(heading, justify="right")
    used = statistics.used()
    for category in sorted(statistics.categories, key=lambda category: category.is_thing is False):
        if category.id in used:
            count = statistics.counts[category.id]
            kind = {True: "thing", False: "stuff", None: "?"}[category.is_thing]
            numbers = (str(count.images), str(count.segments), str(count.crowds or "-"))
            table.add_row(
                Text(_line(category.name)), kind, *numbers, _percent(statistics.share(count.pixels))
            )
    table.add_section()
    table.add_row(Text("(void)"), "", "", "", "", _percent(statistics.share(statistics.void)))
    return table


def verdict(report: CheckReport) -> str:
    """The result in one line."""
    statistics = report.statistics
    what = f"{report.path}: {statistics.num_images} images, {statistics.num_segments} segments"
    counts = [
        (sum(row.count for row in report.findings if row.kind.severity == severity), severity)
        for severity in Severity
    ]
    found = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for count, severity in counts if count)
    if report.has_errors:
        return f"{what}: {found}; training would suffer"
    return f"{what}: {found or 'no faults'}; ready to train"


def _offenders(row: Row) -> str:
    lines = [_line(example) for example in row.examples[:_SHOWN]]
    return "\n".join(lines + (["..."] if row.count > len(lines) else []))


def _line(text: str) -> str:
    """A name as a terminal can show it: on one line, with escapes for what is no text."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable.encode(errors="backslashreplace").decode()


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else "< 0.1 %"
