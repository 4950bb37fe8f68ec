"""``spatialflow data view``: pictures of a data set, with predictions if there are any."""

from pathlib import Path
from typing import Annotated

import typer

from spatialflow.cli.console import complain, progress, say
from spatialflow.cli.data import Annotations, Images, Segments
from spatialflow.errors import ConfigError


def view(
    annotations: Annotations,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For index.html and the pictures.")],
    images: Images = None,
    segments: Segments = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the first N images; with predictions, the worst N."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="PRED.json", help="Also show these, COCO panoptic, and what is wrong with them."
        ),
    ] = None,
    predictions_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Their PNGs; by default beside PRED.json.")
    ] = None,
) -> None:
    """Draw a data set over its photos, and write pages to look through the pictures in a browser.

    With predictions, the images come in order of their panoptic quality, the worst first, and false
    positives, misses and wrong matches are marked. Earlier pages in the folder are replaced. The exit code is
    1 if an image could not be read.

    Example: spatialflow data view annotations/panoptic_val.json --out pages --limit 100

    Example: spatialflow data view panoptic_val.json --out pages --predictions results/panoptic.json
    """
    from spatialflow.browsing import view_dataset

    if predictions_dir is not None and predictions is None:
        raise ConfigError(f"--predictions-dir {predictions_dir}: of no predictions; give --predictions, too")
    with progress("score", "draw") as (score, draw):
        result = view_dataset(
            annotations,
            out,
            images=images,
            segments=segments,
            limit=limit,
            predictions=predictions,
            predictions_dir=predictions_dir,
            on_scored=score,
            on_drawn=draw,
        )
    for failure in result.failed:
        complain("skipped", failure, "bold yellow")
    if result.quality is not None:
        say(f"panoptic quality of {result.scored} images: {100 * result.quality.all.pq:.1f}")
    say(f"{result.drawn} of {result.total} images drawn: {result.index}")
    if result.failed:
        raise typer.Exit(1)
