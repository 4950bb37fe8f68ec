"""``spatialflow evaluate``: a whole validation set in batches, its result on disk, its panoptic quality."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.checkpoints.files import load_checkpoint, load_weights
from spatialflow.config import Config, DataConfig, override_config
from spatialflow.data.datamodule import PanopticData
from spatialflow.data.panoptic_json import ImageId, ImageInfo
from spatialflow.errors import OutputError
from spatialflow.evaluation.average_precision import InstanceTable
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.file_pairs import open_pairs
from spatialflow.evaluation.panoptic_quality import quality_of_pairs
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.inference.predictor import Predictor
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.postprocess.pipeline import Found
from spatialflow.structures import Target

Progress = Callable[[int, int], object]

PREPARATION = ("mean", "std", "test_scale", "tta")
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
        if override.startswith(("model.", *(f"data.{key}{end}" for key in PREPARATION for end in "=.")))
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


def find_in_dataset(
    predictor: Predictor, data: PanopticData, ranks: Ranks = ALONE
) -> Iterator[tuple[Target, Found]]:
    """Every validation image in order, or this rank's share of them: its truth, and what is found in it."""
    if predictor.tta:  # which makes its own views of the photo as it is
        for i in range(ranks.rank, len(data.val_set), ranks.size):
            photo, target = data.val_set.original(i)
            (found,) = predictor.find([photo])
            yield target, found
        return
    for batch in data.val_dataloader(ranks.rank, ranks.size):
        originals = [target.original_size for target in batch.targets]
        yield from zip(
            batch.targets,
            predictor.find_in_batch(batch.images, batch.image_sizes, originals),
            strict=True,
        )


def evaluate_dataset(
    predictor: Predictor,
    config: DataConfig,
    out: str | os.PathLike[str],
    *,
    on_predicted: Progress = lambda done, total: None,
    on_evaluated: Progress = lambda done, total: None,
    ranks: Ranks = ALONE,
    instances: InstanceTable | None = None,
) -> PQResult:
    """Predict the validation set, write it as a COCO-panoptic result, and score that.

    Several processes share the images: each predicts, writes and scores its own, and only counts and lists of
    segments are exchanged (and run-length masks, for average precision). The files and the result are the
    same as of one process, but for what differently composed batches pad. ``out`` must then be a folder that
    all of them see.

    Args:
        predictor: the model, which also says how photos are prepared.
        config: where the validation data lie, and how they are batched.
        out: receives ``panoptic.json`` and ``panoptic/``.
        on_predicted: called with the number of images predicted and of all images of this process.
        on_evaluated: likewise of images scored.
        ranks: the processes; see :func:`spatialflow.evaluation.ranks.join_ranks`.
        instances: receives boxes and masks, for average precision; on the first rank those of all.

    Raises:
        DataError: the data are wrong, or of other categories than the model.
        OutputError: ``out`` cannot be written to, or the disk is full.
        SpatialFlowError: another process stopped.
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
    infos = [truth.info(i) for i in range(len(truth))]
    names = png_names(infos)
    share = len(infos[ranks.rank :: ranks.size])
    with ResultWriter(out) as writer:
        for done, (target, found) in enumerate(find_in_dataset(predictor, data, ranks), start=1):
            writer.add(target.image_id, names[target.image_id], predictor.merge(found))
            if instances is not None:
                instances.add(target, found.things)
            on_predicted(done, share)
        if instances is not None:
            for rows in ranks.gather(instances.rows)[1:]:  # the first are its own
                instances.extend(rows)
        result = writer.close(predictor.categories, infos, ranks)
    pairs = open_pairs(truth.annotations, result, truth.segments)
    metric = quality_of_pairs(pairs.share(ranks.rank, ranks.size), progress=on_evaluated)
    metric.load_state(ranks.sum(metric.state))
    return metric.compute()


def png_names(infos: Sequence[ImageInfo]) -> dict[ImageId, str]:
    """A PNG's name for each photo: the photo's with another suffix, and a number if it is taken."""
    names: dict[ImageId, str] = {}
    taken = set[str]()
    for info in infos:
        name = PurePosixPath(info.file_name)
        png, number = str(name.with_suffix(".png")), 2
        while png in taken:
            png, number = str(name.with_suffix(f".{number}.png")), number + 1
        taken.add(png)
        names[info.id] = png
    return names
