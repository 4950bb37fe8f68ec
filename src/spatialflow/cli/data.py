"""``spatialflow data``: checks, repairs and cuts of one's own data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialflow.cli.console import one_progress, output, say
from spatialflow.cli.options import JsonOut, check_json_out
from spatialflow.files import write_json

if TYPE_CHECKING:
    from spatialflow.data.check import CheckReport

app = typer.Typer(invoke_without_command=True)
_SHOWN_CHANGES = 20
"""Changes of ``--fix`` that are printed; beyond them they are only counted."""

Annotations = Annotated[Path, typer.Argument(metavar="ANN.json", help="Annotations, COCO panoptic.")]
Images = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Photos; by default looked for in the usual places near ANN.json."),
]
Segments = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Panoptic PNGs; by default beside ANN.json.")
]


@app.callback()
def data(context: typer.Context) -> None:
    """Check, repair and cut data in COCO-panoptic format."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@app.command()
def check(
    annotations: Annotations,
    images: Images = None,
    segments: Segments = None,
    val: Annotated[
        list[Path] | None,
        typer.Option(metavar="VAL.json", help="Also look for photos that are in this set, too; repeatable."),
    ] = None,
    fix: Annotated[
        Path | None, typer.Option(metavar="OUT.json", help="Write a copy with what can be repaired.")
    ] = None,
    json_out: JsonOut = None,
) -> None:
    """Read a whole data set once and report every fault, with class statistics.

    The exit code is 1 if training on ANN.json would suffer (any error), 0 if not, 2 if it cannot be read.

    Example: spatialflow data check annotations/panoptic_train.json --val annotations/panoptic_val.json

    Example: spatialflow data check panoptic.json --images photos/ --fix panoptic_repaired.json
    """
    from spatialflow.data.check import check_dataset
    from spatialflow.data.check.fix import check_fix_path
    from spatialflow.data.check.tables import class_table, fault_table, verdict

    check_json_out(json_out)
    if fix is not None:
        check_fix_path(annotations, fix)
    with one_progress("check") as show:
        report = check_dataset(annotations, images, segments, val or (), progress=show)
    output.print(class_table(report.statistics))
    if any(report.findings):
        output.print(fault_table(report))
    say(verdict(report))
    if json_out is not None:
        write_json(json_out, report.to_json(), indent=2)
    if fix is not None:
        _fix(report, fix)
    if report.has_errors:
        raise typer.Exit(1)


def _fix(report: "CheckReport", out: Path) -> None:
    from spatialflow.data.check import write_repaired
    from spatialflow.data.locating import reader_overrides

    result = write_repaired(report, out)
    for change in result.changes[:_SHOWN_CHANGES]:
        say(f"changed: {change}")
    if len(result.changes) > _SHOWN_CHANGES:
        say(f"changed: ... and {len(result.changes) - _SHOWN_CHANGES} more")
    for row in result.left:
        say(f"left for you: {row.kind.title} ({row.count - row.repairable}): {row.kind.remedy}")
    say(f"{out}: written with {len(result.changes)} changes; no PNG and no photo was touched")
    names = [image["file_name"] for image in report.content["images"] if isinstance(image, dict)]
    settings = reader_overrides(out, "train", report.images, report.segments, names[0] if names else None)
    say(f"train on it with {' '.join(settings)}")
