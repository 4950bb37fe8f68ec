"""``spatialflow evaluate``: a whole validation set in batches, its result on disk, its panoptic quality."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.categories import Categories
from spatialflow.checkpoints.files import load_checkpoint, load_weights
from spatialflow.config import Config, DataConfig, override_config
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.datamodule import PanopticData, PhotoSet
from spatialflow.data.panoptic_json import ImageId, ImageInfo
from spatialflow.errors import DataError, OutputError
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.file_pairs import open_pairs
from spatialflow.evaluation.panoptic_quality import quality_of_pairs
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.evaluation.submission import pack_submission, split_of, submission_stem
from spatialflow.evaluation.submission_check import check_submission
from spatialflow.evaluation.tuning import FoundStore, Tuned, tune
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


def prepared_data(predictor: Predictor, config: DataConfig) -> PanopticData:
    """A recipe's data, prepared in the way of the predictor's model."""
    own = {key: getattr(predictor.config.data, key) for key in PREPARATION}
    return PanopticData(config.model_copy(update=own), predictor.categories)


def find_in_dataset(
    predictor: Predictor, data: PanopticData, photos: PhotoSet, ranks: Ranks = ALONE
) -> Iterator[tuple[Target, Found]]:
    """Every photo in order, or this rank's share of them: its truth, and what is found in it."""
    if predictor.tta:  # which makes its own views of the photo as it is
        for i in range(ranks.rank, len(photos), ranks.size):
            photo, target = photos.original(i)
            (found,) = predictor.find([photo])
            yield target, found
        return
    for batch in data.ordered_loader(photos, ranks.rank, ranks.size):
        originals = [target.original_size for target in batch.targets]
        yield from zip(
            batch.targets,
            predictor.find_in_batch(batch.images, batch.image_sizes, originals),
            strict=True,
        )


def predict_dataset(
    predictor: Predictor,
    data: PanopticData,
    photos: PhotoSet,
    out: str | os.PathLike[str],
    name: str = "panoptic",
    *,
    on_predicted: Progress = lambda done, total: None,
    on_found: Callable[[Target, Found], object] = lambda target, found: None,
    ranks: Ranks = ALONE,
) -> Path:
    """Predict photos and write them as a COCO-panoptic result.

    Args:
        predictor: the model.
        data: what ``photos`` are of.
        photos: with truth or without.
        out: receives ``NAME.json`` and ``NAME/``; several processes need a folder that all of them see.
        name: see ``out``.
        on_predicted: called with the number of images predicted and of all images of this process.
        on_found: called with each image's truth and what the network says of it.
        ranks: the processes that share the photos.

    Returns:
        Path of the JSON file.

    Raises:
        DataError: a photo cannot be read.
        OutputError: ``out`` cannot be written to, or the disk is full.
        SpatialFlowError: another process stopped.
    """
    infos = [photos.info(i) for i in range(len(photos))]
    names = png_names(infos)
    share = len(infos[ranks.rank :: ranks.size])
    with ResultWriter(out, name) as writer:
        for done, (target, found) in enumerate(find_in_dataset(predictor, data, photos, ranks), start=1):
            writer.add(target.image_id, names[target.image_id], predictor.merge(found))
            on_found(target, found)
            on_predicted(done, share)
        return writer.close(predictor.categories, infos, ranks)


def evaluate_dataset(
    predictor: Predictor,
    config: DataConfig,
    out: str | os.PathLike[str],
    *,
    on_predicted: Progress = lambda done, total: None,
    on_evaluated: Progress = lambda done, total: None,
    on_found: Callable[[Target, Found], object] = lambda target, found: None,
    ranks: Ranks = ALONE,
) -> PQResult:
    """Predict the validation set, write it as a COCO-panoptic result, and score that.

    Several processes share the images: each predicts, writes and scores its own, and only counts and lists of
    segments are exchanged. The files and the result are the same as of one process, but for what differently
    composed batches pad. ``out`` must then be a folder that all of them see.

    Args:
        predictor: the model, which also says how photos are prepared.
        config: where the validation data lie, and how they are batched.
        out: receives ``panoptic.json`` and ``panoptic/``.
        on_predicted: called with the number of images predicted and of all images of this process.
        on_evaluated: likewise of images scored.
        on_found: see :func:`predict_dataset`.
        ranks: the processes; see :func:`spatialflow.evaluation.ranks.join_ranks`.

    Raises:
        DataError: the data are wrong, or of other categories than the model.
        OutputError: ``out`` cannot be written to, or the disk is full.
        SpatialFlowError: another process stopped.
    """
    data = prepared_data(predictor, config)
    truth = data.val_set
    if (Path(out) / "panoptic").resolve() in (
        Path(truth.segments).resolve(),
        truth.annotations.resolve().with_suffix(""),
    ):
        raise OutputError(
            f"{out}: holds the truth itself as panoptic.json or panoptic/; choose another folder with --out"
        )
    _check_known(predictor.categories, truth)
    result = predict_dataset(
        predictor, data, truth, out, on_predicted=on_predicted, on_found=on_found, ranks=ranks
    )
    pairs = open_pairs(truth.annotations, result, truth.segments)
    metric = quality_of_pairs(pairs.share(ranks.rank, ranks.size), progress=on_evaluated)
    metric.load_state(ranks.sum(metric.state))
    return metric.compute()


def _check_known(categories: Categories, truth: CocoPanoptic) -> None:
    """Find out before long work whether the truth knows every class that may be predicted.

    Raises:
        DataError: it does not.
    """
    unknown = [category for category in categories if category.id not in truth.own_categories]
    if unknown:
        first = unknown[0]
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise DataError(
            f"{truth.annotations}: categories: id {first.id}, {first.name!r}, of the model is missing{more}; "
            f"add it to the list, so that its predictions count as wrong"
        )


def write_submission(
    predictor: Predictor,
    config: DataConfig,
    out: str | os.PathLike[str],
    algorithm: str,
    *,
    on_predicted: Progress = lambda done, total: None,
    on_checked: Progress = lambda done, total: None,
    ranks: Ranks = ALONE,
) -> tuple[Path, list[str]]:
    """Predict photos without truth, and pack the archive that COCO's evaluation server takes.

    Args:
        predictor: the model.
        config: whose ``test`` names the list of photos.
        out: receives JSON, PNGs and archive; see :mod:`spatialflow.evaluation.submission`.
        algorithm: name for the server.
        on_predicted: called with the number of images predicted and of all images of this process.
        on_checked: likewise of PNGs of the archive that were checked.
        ranks: the processes that share the photos; the first packs.

    Returns:
        Path of the archive, and what :func:`check_submission` says of it.

    Raises:
        ConfigError: ``algorithm`` is no part of a file name.
        DataError: the list or a photo cannot be read.
        OutputError: ``out`` cannot be written to, or the disk is full.
    """
    name = submission_stem(split_of(config.test), algorithm)
    data = prepared_data(predictor, config)
    result = predict_dataset(
        predictor, data, data.test_set, out, name, on_predicted=on_predicted, ranks=ranks
    )
    archive, problems = result.with_suffix(".zip"), list[str]()
    if ranks.is_first:
        pack_submission(result)
        problems = check_submission(archive, config.test, predictor.categories, on_checked)
    ranks.wait()
    return archive, problems


def tune_merge(
    predictor: Predictor,
    config: DataConfig,
    result: str | os.PathLike[str],
    store: FoundStore,
    *,
    ranks: Ranks = ALONE,
    progress: Progress = lambda done, total: None,
) -> Tuned:
    """Search the merge's thresholds on what :func:`evaluate_dataset` found; see :func:`tune`.

    Args:
        predictor: whose settings the search begins with.
        config: as for :func:`evaluate_dataset`.
        result: the ``panoptic.json`` that it wrote.
        store: of this process's images; filled by ``on_found``.
        ranks: the processes.
        progress: see :func:`tune`.
    """
    truth = prepared_data(predictor, config).val_set
    pairs = open_pairs(truth.annotations, result, truth.segments)
    annotations = {annotation.image_id: annotation for _, annotation in pairs.pairs}
    return tune(
        store,
        lambda image_id: pairs.read_truth(annotations[image_id]),
        pairs.categories,
        predictor.categories,
        predictor.config.model.merge,
        ranks=ranks,
        progress=progress,
    )


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
