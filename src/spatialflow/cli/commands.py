"""The commands. Heavy imports wait inside them, so that help and mistakes are answered at once."""

from pathlib import Path
from typing import Annotated

import typer

from spatialflow.cli.console import one_progress, output, progress, say
from spatialflow.cli.options import (
    JsonOut,
    Overrides,
    PerClass,
    Recipe,
    check_json_out,
)
from spatialflow.files import write_json


def train(
    recipe: Recipe,
    overrides: Overrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of this recipe's folder.")
    ] = False,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="Start from this checkpoint's weights.")
    ] = None,
) -> None:
    """Train a recipe, validate each epoch, keep the last and the best checkpoint.

    Example: spatialflow train spatialflow_r50_fpn_20e_coco data.batch_size=4 train.devices=2
    """
    from spatialflow.config import load_config

    config = load_config(recipe, overrides or ())
    from spatialflow.training.run import train as run

    run(config, resume=resume, weights=weights, say=say)


def pq(
    truth: Annotated[Path, typer.Argument(metavar="GT.json", help="Ground truth, COCO panoptic.")],
    prediction: Annotated[Path, typer.Argument(metavar="PRED.json", help="Predictions, COCO panoptic.")],
    gt_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="PNGs of the truth, or a .zip; by default beside GT.json."),
    ] = None,
    pred_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="PNGs of the predictions, or a .zip; by default beside PRED.json."
        ),
    ] = None,
    json_out: JsonOut = None,
    per_class: PerClass = False,
) -> None:
    """Panoptic quality of a prediction.

    Example: spatialflow pq panoptic_val2017.json results/panoptic.json --per-class
    """
    from spatialflow.evaluation.panoptic_quality import evaluate_pq
    from spatialflow.evaluation.report import pq_table

    check_json_out(json_out)
    with progress("score") as (show,):
        result = evaluate_pq(truth, prediction, gt_dir, pred_dir, progress=show)
    output.print(pq_table(result, result.categories, per_class))
    if json_out:
        write_json(json_out, result.to_json(), indent=2)


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For data, model and report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of data and training.")] = 0,
) -> None:
    """Make a small data set, train on it, evaluate, predict, and leave one report page.

    Takes minutes on two cores; what an earlier demo left in the folder is replaced.
    """
    from spatialflow.demo.run import run_demo

    report = run_demo(out, seed, say=say, progress=one_progress)
    say(f"report: {report}")
