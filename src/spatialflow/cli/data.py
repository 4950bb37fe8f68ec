"""``spatialflow data``: checks, repairs and cuts of one's own data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialflow.cli.console import complain, one_progress, output, say
from spatialflow.cli.options import JsonOut, check_json_out
from spatialflow.errors import ConfigError
from spatialflow.files import read_json, write_json

if TYPE_CHECKING:
    from spatialflow.data.check import CheckReport
    from spatialflow.zip_path import ReadPath

app = typer.Typer(invoke_without_command=True)
_SHOWN_CHANGES = 20
"""Changes of ``--fix`` that are printed; beyond them they are only counted."""

Annotations = Annotated[Path, typer.Argument(metavar="ANN.json", help="Annotations, COCO panoptic.")]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Photos, or a .zip; by default looked for in the usual places near ANN.json."
    ),
]
Segments = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Panoptic PNGs, or a .zip; by default beside ANN.json.")
]


@app.callback()
def data(context: typer.Context) -> None:
    """Check, look at, repair and cut data in COCO-panoptic format."""
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


@app.command()
def split(
    annotations: Annotations,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For train.json, val.json and their PNGs.")],
    val: Annotated[float, typer.Option(metavar="SHARE", help="Of the images, for validation: 0 to 1.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the choice.")] = 0,
    images: Images = None,
    segments: Segments = None,
) -> None:
    """Cut a data set into training and validation, both of which show every category if that can be.

    The same seed gives the same parts. Photos stay where they are; PNGs become links, or copies where there
    can be no links.

    Example: spatialflow data split panoptic.json --val 0.1 --out splits
    """
    from spatialflow.data.splitting import open_set, split_set

    if not 0 < val < 1:
        raise ConfigError(f"--val {val}: a share between 0 and 1 is expected, such as 0.1")
    source = open_set(annotations, images, segments)
    with one_progress("write") as show:
        parts = split_set(source, out, val, seed, progress=show)
    settings = []
    for name, part in zip(("train", "val"), parts, strict=True):
        say(f"{part.path}: {part.images} images")
        if part.lacks:
            say(f"note: {part.path} lacks {len(part.lacks)} categories: {', '.join(part.lacks)}")
        settings += _settings(part.path, name, source.images)
    say(f"train on it with {' '.join(settings)}")


@app.command()
def subset(
    annotations: Annotations,
    out: Annotated[Path, typer.Option(metavar="OUT.json", help="The new file; its PNGs go beside it.")],
    categories: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,NAME", help="Keep these, and the images that show one; repeatable."),
    ] = None,
    list_: Annotated[
        Path | None,
        typer.Option("--list", metavar="LIST.txt", help="Keep these images: a file name or id a line."),
    ] = None,
    keep_others: Annotated[
        bool,
        typer.Option("--keep-others", help="Keep the other categories in the images that are kept."),
    ] = False,
    images: Images = None,
    segments: Segments = None,
) -> None:
    """Cut a data set down to some categories, to some images, or both.

    Pixels of categories that are left out become void. Category and image ids stay what they are.

    Example: spatialflow data subset panoptic.json --categories cat,dog --out pets.json
    """
    from spatialflow.data.splitting import open_set, read_image_list, split_names, subset_set

    if categories is None and list_ is None:
        raise ConfigError("data subset: give --categories, --list, or both")
    listed = None if list_ is None else read_image_list(list_)
    source = open_set(annotations, images, segments)
    chosen = None if categories is None else [n for text in categories for n in split_names(source, text)]
    with one_progress("write") as show:
        count = subset_set(source, out, chosen, listed, keep_others=keep_others, progress=show)
    say(f"{out}: {count} of {len(source.entries)} images")
    say(f"train on it with {' '.join(_settings(out, 'train', source.images))}")


@app.command()
def merge(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="The set that keeps its ids.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="The set that is added.")],
    out: Annotated[Path, typer.Option(metavar="OUT.json", help="The new file; its PNGs go beside it.")],
    label_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="MAP.yaml",
            help="Lines of `old name: new name`, for both sets or under A: and B:; no new name: left out.",
        ),
    ] = None,
    images_a: Images = None,
    images_b: Images = None,
    segments_a: Segments = None,
    segments_b: Segments = None,
) -> None:
    """Make one data set of two; categories of one name become one.

    Image ids and names of PNGs that both sets have are changed in the second. Photos stay where they are; if
    they are in two folders, their names become relative to a folder that holds both.

    Example: spatialflow data merge cats.json dogs.json --map labels.yaml --out pets.json
    """
    from spatialflow.data.splitting import merge_sets, open_set, read_label_map

    maps = ({}, {}) if label_map is None else read_label_map(label_map)
    sets = open_set(first, images_a, segments_a), open_set(second, images_b, segments_b)
    with one_progress("write") as show:
        result = merge_sets(*sets, out, maps, progress=show)
    say(f"{out}: {result.counts[0]} + {result.counts[1]} images, {result.categories} categories")
    if result.renumbered or result.renamed:
        say(f"note: of {second}, {result.renumbered} images got new ids, {result.renamed} PNGs new names")
    say(f"train on it with {' '.join(_settings(out, 'train', result.images))}")


@app.command()
def check_submission(
    archive: Annotated[Path, typer.Argument(metavar="FILE.zip", help="What is to be uploaded.")],
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES.json", help="The list of photos, image_info_test-dev2017.json.")
    ],
    categories: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="coco_panoptic, or a JSON file with the categories.")
    ] = "coco_panoptic",
) -> None:
    """Say what is wrong with an archive for COCO's panoptic evaluation server.

    The exit code is 1 if something is.

    Example: spatialflow data check-submission panoptic_val2017_A_results.zip panoptic_val2017.json
    """
    from spatialflow.categories import Categories
    from spatialflow.evaluation.submission_check import check_submission as check

    with one_progress("check") as show:
        problems = check(archive, images, Categories.load(categories), show)
    for problem in problems:
        complain("problem", problem, "bold red")
    if problems:
        raise typer.Exit(1)
    say(f"{archive}: nothing is wrong")


def _settings(json_path: Path, split: str, photos: "ReadPath | None") -> list[str]:
    """How a recipe reads a file whose PNGs are beside it."""
    from spatialflow.data.locating import reader_overrides

    if photos is None:
        say(f"note: the photos were not found; name their folder with data.{split}_images=DIR")
    first = read_json(json_path)["images"][0]["file_name"]
    return reader_overrides(json_path, split, photos, None, first)
