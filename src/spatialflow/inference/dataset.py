"""``spatialflow evaluate``: a whole validation set in batches, its result on disk, its panoptic quality."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.checkpoints.files import load_checkpoint, load_weights
from spatialflow.config import Config, DataConfig, override_config
from spatialflow.data.datamodule import PanopticData
from spatialflow.errors import OutputError
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.inference.predictor import Predictor
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.structures import PanopticPrediction, Target

Progress = Callable[[int, int], object]

PREPARATION = ("mean", "std", "test_scale")
"""Keys of ``data`` that say what a photo goes through before the network: a trained model has its own."""


def model_for_data(
    checkpoint: str | os.PathLike[str], config: Config, overrides: Sequence[str] = ()
) -> tuple[SpatialFlow, list[str]]:
    """The model to evaluate with a recipe's data.

    One of our checkpoints says itself what model it is of and how photos are prepared for it; the original's
    files do not, so the recipe says it.

    Args:
        checkpoint: a file, or a shipped one's name.
        config: the recipe, with ``overrides`` already in it.
        overrides: what the user wrote; those of the model and of the preparation go before the checkpoint.

    Returns:
        The model, and a line for the user if the recipe differs from the checkpoint.

    Raises:
        CheckpointError: see :func:`spatialflow.load_model`.
        ConfigError: an override is wrong.
    """
    loaded = load_checkpoint(checkpoint, default=config)
    meant = [
        override
        for override in overrides
        if override.startswith(("model.", *(f"data.{key}=" for key in PREPARATION)))
    ]
    own = override_config(loaded.config, meant, str(checkpoint))
    model = build_model(own, loaded.categories)
    load_weights(model, loaded.state, str(checkpoint))
    differing = [
        *_differences(own.model.model_dump(), config.model.model_dump(), "model"),
        *(f"data.{key}" for key in PREPARATION if getattr(own.data, key) != getattr(config.data, key)),
    ]
    if not differing:
        return model.eval(), []
    more = f" and {len(differing) - 4} more" if len(differing) > 5 else ""
    named = ", ".join(differing[: 4 if more else 5])
    return model.eval(), [
        f"{checkpoint} and the recipe {config.name} differ in {named}{more}; the checkpoint's values are "
        f"used, KEY=VALUE on the command line changes one"
    ]


def _differences(one: dict[str, Any], other: dict[str, Any], path: str) -> Iterator[str]:
    """Dotted names of the values that differ, without those that only training reads."""
    for key, value in one.items():
        name = f"{path}.{key}"
        if isinstance(value, dict) and isinstance(other[key], dict) and key != "backbone_options":
            yield from _differences(value, other[key], name)
        elif value != other[key] and key not in ("pretrained", "frozen_stages", "freeze_batch_norm"):
            yield name


def predict_dataset(predictor: Predictor, data: PanopticData) -> Iterator[tuple[Target, PanopticPrediction]]:
    """Every validation image in order, with its truth."""
    for batch in data.val_dataloader():
        originals = [target.original_size for target in batch.targets]
        found = predictor.find_in_batch(batch.images, batch.image_sizes, originals)
        for target, one in zip(batch.targets, found, strict=True):
            yield target, predictor.merge(one)


def evaluate_dataset(
    predictor: Predictor,
    config: DataConfig,
    out: str | os.PathLike[str],
    *,
    on_predicted: Progress = lambda done, total: None,
    on_evaluated: Progress = lambda done, total: None,
) -> PQResult:
    """Predict the validation set, write it as a COCO-panoptic result, and score that.

    Args:
        predictor: the model, which also says how photos are prepared.
        config: where the validation data lie, and how they are batched.
        out: receives ``panoptic.json`` and ``panoptic/``.
        on_predicted: called with the number of images predicted and of all images.
        on_evaluated: likewise of images scored.

    Raises:
        DataError: the data are wrong, or of other categories than the model.
        OutputError: ``out`` cannot be written to, or the disk is full.
    """
    prepared = {key: getattr(predictor.config.data, key) for key in PREPARATION}
    data = PanopticData(config.model_copy(update=prepared), predictor.categories)
    truth = data.val_set
    if (Path(out) / "panoptic").resolve() in (
        truth.segments.resolve(),
        truth.annotations.resolve().with_suffix(""),
    ):
        raise OutputError(
            f"{out}: holds the truth itself as panoptic.json or panoptic/; choose another folder with --out"
        )
    writer = ResultWriter(out)
    names = set[str]()
    for done, (target, prediction) in enumerate(predict_dataset(predictor, data), start=1):
        name = PurePosixPath(target.file_name)
        png = str(name.with_suffix(".png"))
        if png in names:  # beside a photo of the same stem
            png = f"{name}.png"
        names.add(png)
        writer.add(target.image_id, png, prediction)
        on_predicted(done, len(truth))
    result = writer.close(predictor.categories, (truth.info(i) for i in range(len(truth))))
    return evaluate_pq(truth.annotations, result, truth.segments, progress=on_evaluated)
