"""The commands. Heavy imports wait inside them, so that help and mistakes are answered at once."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from spatialflow.cli.console import complain, one_progress, output, progress, say
from spatialflow.cli.options import JsonOut, check_json_out
from spatialflow.errors import ConfigError
from spatialflow.files import write_json

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.SUB=VALUE", help="Changes to the recipe, such as train.lr=0.01."),
]
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or the path of a YAML file.")]
CheckpointOption = Annotated[
    str,
    typer.Option(
        "--checkpoint",
        "-c",
        metavar="FILE",
        help="Ours (.safetensors, .ckpt), an original .pth, or a shipped one: tiny.",
    ),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
PrecisionOption = Annotated[str, typer.Option(metavar="FORMAT", help="auto, fp32, bf16 or fp16.")]
Tta = Annotated[
    bool,
    typer.Option("--tta", help="Test-time augmentation: several sizes (data.tta.scales) and mirrored; slow."),
]
METRICS = ("panoptic", "bbox", "segm")
Metrics = Annotated[
    str,
    typer.Option(
        metavar="NAME ...",
        help="panoptic, bbox (average precision of boxes), segm (of masks); several after RECIPE.",
    ),
]
PerClass = Annotated[bool, typer.Option("--per-class", help="Also list every category.")]


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


def evaluate(
    recipe: Recipe,
    checkpoint: CheckpointOption,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For panoptic.json and PNGs; by default runs/RECIPE/evaluate."),
    ] = None,
    per_class: PerClass = False,
    json_out: JsonOut = None,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    tta: Tta = False,
    metrics: Metrics = "panoptic",
) -> None:
    """Predict a validation set, write the COCO-panoptic result, print panoptic quality.

    The recipe says where the data are. What the model is and how photos are prepared, one of our checkpoints
    says itself; for an original .pth the recipe does. KEY.SUB=VALUE overrides both.

    Example: spatialflow evaluate spatialflow_r50_fpn_20e_coco -c best.ckpt --metrics panoptic bbox segm

    Example: spatialflow evaluate spatialflow_tiny --checkpoint tiny data.val=annotations/panoptic_val.json
    """
    from spatialflow.config import load_config

    kinds, overrides = _split_metrics(metrics, overrides or [])
    config = load_config(recipe, overrides)
    out = out or Path(config.train.out) / config.name / "evaluate"
    from spatialflow.evaluation.average_precision import InstanceTable
    from spatialflow.evaluation.ranks import join_ranks, local_device
    from spatialflow.evaluation.report import ap_table, pq_table
    from spatialflow.inference import Predictor
    from spatialflow.inference.dataset import evaluate_dataset, model_for_data
    from spatialflow.precision import Precision, choose

    with join_ranks() as ranks:
        device = local_device(device) if ranks.size > 1 else device
        choose(device, cast(Precision, precision))  # a wrong one is told before the model is read
        check_json_out(json_out)
        model, notes = model_for_data(checkpoint, config, overrides)
        instances = InstanceTable(model.categories) if kinds else None
        predictor = Predictor(model, device, cast(Precision, precision), tta)
        if ranks.is_first:
            for note in notes:
                say(f"note: {note}")
            processes = f"{ranks.size} processes, the first on " if ranks.size > 1 else ""
            say(f"running on {processes}{predictor.hardware}")
            _announce_result(out)
        with progress("predict", "score", shown=ranks.is_first) as (predicted, scored):
            result = evaluate_dataset(
                predictor,
                config.data,
                out,
                on_predicted=predicted,
                on_evaluated=scored,
                ranks=ranks,
                instances=instances,
            )
    if not ranks.is_first:
        return
    output.print(pq_table(result, predictor.categories, per_class))
    precision_of = {kind: instances.compute(kind) for kind in kinds} if instances else {}
    if precision_of:
        output.print(ap_table(precision_of, predictor.categories, per_class))
    say(f"result: {out / 'panoptic.json'}")
    if json_out:
        numbers = result.to_json() | {kind: ap.to_json() for kind, ap in precision_of.items()}
        write_json(json_out, numbers, indent=2)


def predict(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE|FOLDER|GLOB", help="Photos.")],
    checkpoint: CheckpointOption,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For the results.")],
    overlay: Annotated[bool, typer.Option(help="Also write pictures with class names.")] = True,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    tta: Tta = False,
) -> None:
    """Segment photos: panoptic PNGs, one COCO-panoptic JSON, overlay pictures.

    A photo that cannot be read is reported and skipped; the exit code is then 1.

    Example: spatialflow predict photos/ --checkpoint tiny --out results
    """
    from spatialflow.inference.folder import find_photos, predict_folder

    photos = find_photos(images)
    from spatialflow.checkpoints import load_model
    from spatialflow.inference import Predictor
    from spatialflow.precision import Precision, choose

    choose(device, cast(Precision, precision))
    predictor = Predictor(load_model(checkpoint), device, cast(Precision, precision), tta)
    say(f"running on {predictor.hardware}")
    _announce_result(out)
    with progress("predict") as (show,):

        def report(done: int, failure: str | None) -> None:
            show(done, len(photos))
            if failure:
                complain("skipped", failure, "bold yellow")

        result = predict_folder(predictor, photos, out, overlay=overlay, progress=report)
    say(f"{result.done} of {len(photos)} photos done: {result.json_path}")
    if result.failed:
        raise typer.Exit(1)


def pq(
    truth: Annotated[Path, typer.Argument(metavar="GT.json", help="Ground truth, COCO panoptic.")],
    prediction: Annotated[Path, typer.Argument(metavar="PRED.json", help="Predictions, COCO panoptic.")],
    gt_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="PNGs of the truth; by default beside GT.json."),
    ] = None,
    pred_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="PNGs of the predictions; by default beside PRED.json."),
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


def _split_metrics(first: str, words: list[str]) -> tuple[list[Literal["bbox", "segm"]], list[str]]:
    """The metrics besides PQ, and the overrides: ``--metrics A B C`` leaves B and C among those."""
    named = [*first.replace(",", " ").split(), *(word for word in words if word in METRICS)]
    for name in named:
        if name not in METRICS:
            raise ConfigError(f"--metrics {name}: is unknown; choose among {', '.join(METRICS)}")
    kinds: list[Literal["bbox", "segm"]] = ["bbox"] if "bbox" in named else []
    if "segm" in named:
        kinds.append("segm")
    return kinds, [word for word in words if word not in METRICS]


def _announce_result(out: Path) -> None:
    if (out / "panoptic.json").exists():
        say(f"replacing the earlier result in {out}")
