"""``spatialflow data``: looking after data sets."""

from pathlib import Path
from typing import Annotated

import typer

from spatialflow.cli.console import complain, one_progress, say

app = typer.Typer(invoke_without_command=True)


@app.callback()
def data(context: typer.Context) -> None:
    """Look after data sets."""
    if context.invoked_subcommand is None:
        say(context.get_help())


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
    from spatialflow.evaluation.submission import check_submission as check

    with one_progress("check") as show:
        problems = check(archive, images, Categories.load(categories), show)
    for problem in problems:
        complain("problem", problem, "bold red")
    if problems:
        raise typer.Exit(1)
    say(f"{archive}: nothing is wrong")
