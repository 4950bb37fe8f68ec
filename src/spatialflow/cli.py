"""The command line: ``spatialflow <command>``. Thin; what a command does is elsewhere in the package."""

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from spatialflow.errors import SpatialFlowError
from spatialflow.files import write_json

app = typer.Typer(
    name="spatialflow",
    help="Panoptic segmentation with SpatialFlow: train, evaluate, predict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()
errors = Console(stderr=True)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Changes to the recipe, such as train.lr=0.01."),
]
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or the path of a YAML file.")]
CheckpointOption = Annotated[
    str,
    typer.Option(
        "--checkpoint", "-c", help="Ours (.safetensors, .ckpt), an original .pth, or a shipped one: tiny."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]
PerClass = Annotated[bool, typer.Option("--per-class", help="Also list every category.")]
JsonOut = Annotated[Path | None, typer.Option(help="Also write the numbers to this JSON file.")]


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        app()
    except SpatialFlowError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"{error.filename or 'output'}: the disk is full; free some space and run the command again")
    except KeyboardInterrupt:
        errors.print("interrupted")
        sys.exit(130)


def _fail(message: str) -> None:
    errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    sys.exit(2)


@contextmanager
def _progress(*titles: str) -> Iterator[list[Any]]:
    """Bars, shown one after the other; yields a function (done, total) for each."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as bars:
        tasks = [bars.add_task(title, total=None, visible=False) for title in titles]
        yield [
            lambda done, total, task=task: bars.update(task, completed=done, total=total, visible=True)
            for task in tasks
        ]


@app.command()
def train(
    recipe: Recipe,
    overrides: Overrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of this recipe's folder.")
    ] = False,
    weights: Annotated[str | None, typer.Option(help="Start from this checkpoint's weights.")] = None,
) -> None:
    """Train a recipe, validate each epoch, keep the last and the best checkpoint.

    Example: spatialflow train spatialflow_r50_fpn_20e_coco data.batch_size=4 train.devices=2
    """
    from spatialflow.config import load_config
    from spatialflow.training.run import train as run

    outcome = run(
        load_config(recipe, overrides or ()),
        resume=resume,
        weights=weights,
        say=lambda line: console.print(escape(line), highlight=False),
    )
    console.print(f"last checkpoint: {outcome.last}\nbest checkpoint: {outcome.best}", highlight=False)


@app.command()
def evaluate(
    recipe: Recipe,
    checkpoint: CheckpointOption,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder for panoptic.json and the PNGs.")] = Path("runs/evaluate"),
    per_class: PerClass = False,
    json_out: JsonOut = None,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Predict a validation set, write the COCO-panoptic result, print panoptic quality.

    Example: spatialflow evaluate spatialflow_r50_fpn_20e_coco --checkpoint model.pth data.val=annotations/panoptic_val2017.json
    """
    from spatialflow.checkpoints import load_model
    from spatialflow.config import load_config
    from spatialflow.evaluation.report import pq_table
    from spatialflow.inference import Predictor
    from spatialflow.inference.dataset import evaluate_dataset

    config = load_config(recipe, overrides or ())
    predictor = Predictor(load_model(checkpoint, config), device, precision)  # type: ignore[arg-type]
    console.print(f"running on {predictor.hardware}", highlight=False)
    with _progress("predict", "score") as (predicted, scored):
        result = evaluate_dataset(predictor, config.data, out, on_predicted=predicted, on_evaluated=scored)
    console.print(pq_table(result, predictor.categories, per_class))
    console.print(f"result: {out / 'panoptic.json'}", highlight=False)
    if json_out:
        write_json(json_out, result.to_json(), indent=2)


@app.command()
def predict(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE|FOLDER|GLOB...", help="Photos.")],
    checkpoint: CheckpointOption,
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    overlay: Annotated[bool, typer.Option(help="Also write pictures with class names.")] = True,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Segment photos: panoptic PNGs, one COCO-panoptic JSON, overlay pictures.

    A photo that cannot be read is reported and skipped; the exit code is then 1.

    Example: spatialflow predict photos/ --checkpoint tiny --out results
    """
    from spatialflow.checkpoints import load_model
    from spatialflow.inference import Predictor
    from spatialflow.inference.folder import find_photos, predict_folder

    photos = find_photos(images)
    predictor = Predictor(load_model(checkpoint), device, precision)  # type: ignore[arg-type]
    console.print(f"running on {predictor.hardware}", highlight=False)
    with _progress("predict") as (show,):

        def report(done: int, failure: str | None) -> None:
            show(done, len(photos))
            if failure:
                errors.print(f"[yellow]skipped:[/] {escape(failure)}", soft_wrap=True, highlight=False)

        result = predict_folder(predictor, photos, out, overlay=overlay, progress=report)
    console.print(f"{result.done} of {len(photos)} photos done: {result.json_path}", highlight=False)
    if result.failed:
        raise typer.Exit(1)


@app.command()
def pq(
    truth: Annotated[Path, typer.Argument(metavar="GT.json", help="Ground truth, COCO panoptic.")],
    prediction: Annotated[Path, typer.Argument(metavar="PRED.json", help="Predictions, COCO panoptic.")],
    gt_dir: Annotated[Path | None, typer.Option(help="PNGs of the truth; by default beside GT.json.")] = None,
    pred_dir: Annotated[
        Path | None, typer.Option(help="PNGs of the predictions; by default beside PRED.json.")
    ] = None,
    json_out: JsonOut = None,
    per_class: PerClass = False,
) -> None:
    """Panoptic quality of a prediction.

    Example: spatialflow pq panoptic_val2017.json results/panoptic.json --per-class
    """
    from spatialflow.categories import Categories
    from spatialflow.evaluation.panoptic_quality import evaluate_pq
    from spatialflow.evaluation.report import pq_table

    with _progress("score") as (show,):
        result = evaluate_pq(truth, prediction, gt_dir, pred_dir, progress=show)
    console.print(pq_table(result, Categories.load(truth), per_class))
    if json_out:
        write_json(json_out, result.to_json(), indent=2)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, model and report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of data and training.")] = 0,
) -> None:
    """Make a small data set, train on it, evaluate, predict, and leave one report page. Minutes on two cores."""
    from spatialflow.demo.run import run_demo

    report = run_demo(out, seed, say=lambda line: console.print(escape(line), highlight=False))
    console.print(f"report: {report}", highlight=False)


if __name__ == "__main__":
    main()
