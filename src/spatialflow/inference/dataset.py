"""``spatialflow evaluate``: a whole validation set in batches, its result on disk, its panoptic quality."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from spatialflow.categories import Categories
from spatialflow.config import DataConfig
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.datamodule import PanopticData, PhotoSet
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError, OutputError
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.file_pairs import open_pairs
from spatialflow.evaluation.panoptic_quality import quality_of_pairs
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.evaluation.tuning import FoundStore, Tuned, tune
from spatialflow.inference.model_for_data import PREPARATION
from spatialflow.inference.predictor import Predictor
from spatialflow.postprocess.pipeline import Found
from spatialflow.structures import Target

Progress = Callable[[int, int], object]


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
    ids = [info.id for info in infos]
    names = dict(zip(ids, png_names(info.file_name for info in infos), strict=True))
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
