"""``spatialflow evaluate``: a whole data set predicted, scored, tuned for, or packed for COCO's server."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from spatialflow.cli.console import complain, output, progress, say
from spatialflow.cli.options import (
    CheckpointOption,
    Device,
    JsonOut,
    Overrides,
    PerClass,
    PrecisionOption,
    Recipe,
    check_json_out,
    note_of_earlier,
)
from spatialflow.errors import ConfigError
from spatialflow.files import write_json

if TYPE_CHECKING:
    from spatialflow.config import Config
    from spatialflow.evaluation.ranks import Ranks
    from spatialflow.inference import Predictor

METRICS = ("panoptic", "bbox", "segm")
SPLITS = ("val", "test-dev")


def evaluate(
    recipe: Recipe,
    checkpoint: CheckpointOption,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For panoptic.json and PNGs; by default runs/RECIPE/evaluate."),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            metavar="NAME ...",
            help="panoptic, bbox (average precision of boxes), segm (of masks); several with commas, or, "
            "where --metrics comes after RECIPE, with blanks.",
        ),
    ] = "panoptic",
    per_class: PerClass = False,
    json_out: JsonOut = None,
    tta: Annotated[
        bool | None,
        typer.Option(
            "--tta/--no-tta",
            help="Test-time augmentation: several sizes (data.tta.scales) and mirrored; slow. By default as "
            "the model's recipe says.",
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Then search the thresholds of the merge (model.merge) for the best PQ."),
    ] = False,
    split: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="val, or test-dev: photos without truth (data.test), packed for COCO's evaluation server.",
        ),
    ] = "val",
    algorithm: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the archive of --split test-dev; by default spatialflow."),
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Predict a validation set, write the COCO-panoptic result, print panoptic quality.

    The recipe says where the data are. What the model is and how photos are prepared, one of our checkpoints
    says itself; for an original .pth the recipe does. KEY.SUB=VALUE overrides both.

    Example: spatialflow evaluate spatialflow_r50_fpn_20e_coco -c best.ckpt --metrics panoptic bbox segm

    Example: spatialflow evaluate spatialflow_tiny --checkpoint tiny data.val=annotations/panoptic_val.json

    Example: spatialflow evaluate spatialflow_r50_fpn_20e_coco -c R50.pth --split test-dev --algorithm mine
    """
    from spatialflow.config import load_config

    if recipe in METRICS:
        raise ConfigError(f"{recipe}: stands where RECIPE is expected; write --metrics {metrics},{recipe}")
    kinds, overrides = _split_metrics(metrics, overrides or [])
    _check_split(split, bool(kinds) or tune or per_class or json_out is not None, algorithm)
    algorithm = algorithm or "spatialflow"
    config = load_config(recipe, overrides)
    out = out or Path(config.train.out) / config.name / ("evaluate" if split == "val" else split)
    from spatialflow.data.classes import check_annotations
    from spatialflow.evaluation.ranks import join_ranks, local_device
    from spatialflow.evaluation.submission import split_of, submission_stem
    from spatialflow.inference import Predictor
    from spatialflow.inference.model_for_data import model_for_data
    from spatialflow.precision import Precision, choose

    check_annotations(config.data, "val" if split == "val" else "test")
    with join_ranks() as ranks:
        device = local_device(device) if ranks.size > 1 else device
        choose(device, cast(Precision, precision))  # a wrong one is told before the model is read
        check_json_out(json_out)
        if split != "val":
            submission_stem(split_of(config.data.test), algorithm)
        model, notes = model_for_data(checkpoint, config, overrides)
        tta = model.config.data.tta.in_evaluation if tta is None else tta
        predictor = Predictor(model, device, cast(Precision, precision), tta)
        if ranks.is_first:
            for note in notes:
                say(f"note: {note}")
            processes = f"{ranks.size} processes, the first on " if ranks.size > 1 else ""
            views = ", with test-time augmentation" if tta else ""
            say(f"running on {processes}{predictor.hardware}{views}")
        if split == "val":
            numbers = _score(predictor, config, out, ranks, kinds, per_class, tune)
            if json_out and ranks.is_first:
                write_json(json_out, numbers, indent=2)
        else:
            _submit(predictor, config, out, ranks, algorithm)


def _score(
    predictor: "Predictor",
    config: "Config",
    out: Path,
    ranks: "Ranks",
    kinds: list[Literal["bbox", "segm"]],
    per_class: bool,
    tune: bool,
) -> dict[str, Any]:
    """Evaluate the validation set and print tables; the numbers, on the first rank."""
    from spatialflow.evaluation.average_precision import InstanceTable
    from spatialflow.evaluation.report import ap_table, pq_table, tuning_table
    from spatialflow.evaluation.tuning import FoundStore, overrides
    from spatialflow.inference.dataset import evaluate_dataset, tune_merge
    from spatialflow.postprocess.pipeline import Found
    from spatialflow.structures import Target

    replaced = note_of_earlier(out)
    instances = InstanceTable(predictor.categories)
    merge = predictor.config.model.merge
    with (
        TemporaryDirectory(prefix="spatialflow-") as folder,
        progress("predict", "score", "tune", shown=ranks.is_first) as (predicted, scored, tuned),
    ):
        store = FoundStore(Path(folder), merge)

        def keep(target: Target, found: Found) -> None:
            if kinds:
                instances.add(target, found.things)
            if tune:
                store.add(target.image_id, found)

        result = evaluate_dataset(
            predictor,
            config.data,
            out,
            on_predicted=predicted,
            on_evaluated=scored,
            on_found=keep,
            ranks=ranks,
        )
        instances.gather(ranks)
        best = None
        if tune:
            best = tune_merge(
                predictor, config.data, out / "panoptic.json", store, ranks=ranks, progress=tuned
            )
    if not ranks.is_first:
        return {}
    output.print(pq_table(result, predictor.categories, per_class))
    numbers = result.to_json()
    precision_of = {kind: instances.compute(kind) for kind in kinds}
    if precision_of:
        output.print(ap_table(precision_of, predictor.categories, per_class))
        numbers |= {kind: ap.to_json() for kind, ap in precision_of.items()}
    say(f"result: {out / 'panoptic.json'}{replaced}")
    if best is not None:
        output.print(tuning_table(best, merge))
        changed = overrides(best.config, merge)
        say(f"best of {best.trials} settings: {' '.join(changed) or 'the one given'}")
        say("it was chosen on these very images; expect less of it on others")
        numbers["tuned"] = {"overrides": changed, **best.result.to_json()}
    return numbers


def _submit(predictor: "Predictor", config: "Config", out: Path, ranks: "Ranks", algorithm: str) -> None:
    """Predict the test images and pack them.

    Raises:
        typer.Exit: the archive is not as it should be.
    """
    from spatialflow.inference.submission import write_submission

    with progress("predict", "check", shown=ranks.is_first) as (predicted, checked):
        archive, problems = write_submission(
            predictor,
            config.data,
            out,
            algorithm,
            on_predicted=predicted,
            on_checked=checked,
            ranks=ranks,
        )
    if not ranks.is_first:
        return
    for problem in problems:
        complain("problem", problem, "bold red")
    say(f"archive: {archive} ({archive.stat().st_size / 2**10:,.0f} KiB)")
    if problems:
        raise typer.Exit(1)
    say("checked, nothing is wrong; upload it as cocodataset.org/#upload describes")


def _check_split(split: str, scores: bool, algorithm: str | None) -> None:
    if split not in SPLITS:
        raise ConfigError(f"--split {split}: is unknown; choose among {', '.join(SPLITS)}")
    if split != "val" and scores:
        raise ConfigError(
            f"--split {split}: has no truth to compare with; leave out --tune, --json-out, --per-class and "
            f"--metrics"
        )
    if split == "val" and algorithm is not None:
        raise ConfigError("--algorithm: names the archive of --split test-dev; add that, or leave it out")


def _split_metrics(first: str, words: list[str]) -> tuple[list[Literal["bbox", "segm"]], list[str]]:
    """The metrics besides PQ, and the overrides: ``--metrics A B C`` leaves B and C among those."""
    named = [*first.replace(",", " ").split(), *(word for word in words if word in METRICS)]
    for name in named:
        if name not in METRICS:
            raise ConfigError(f"--metrics {name}: is unknown; choose among {', '.join(METRICS)}")
    for word in words:
        if "=" not in word and word not in METRICS:
            raise ConfigError(
                f"override {word!r}: expected key.sub=value, or after --metrics one of {', '.join(METRICS)}"
            )
    kinds: list[Literal["bbox", "segm"]] = ["bbox"] if "bbox" in named else []
    if "segm" in named:
        kinds.append("segm")
    return kinds, [word for word in words if word not in METRICS]
