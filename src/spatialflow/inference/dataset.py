"""``spatialflow evaluate``: a whole validation set in batches, its result on disk, its panoptic quality."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from spatialflow.config import DataConfig
from spatialflow.data.datamodule import PanopticData
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.inference.predictor import Predictor
from spatialflow.structures import PanopticPrediction, Target

Progress = Callable[[int, int], object]


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
        predictor: the model.
        config: where the validation data lie, and how they are batched.
        out: receives ``panoptic.json`` and ``panoptic/``.
        on_predicted: called with the number of images predicted and of all images.
        on_evaluated: likewise of images scored.

    Raises:
        DataError: the data are wrong, or of other categories than the model.
        OutputError: ``out`` cannot be written to, or the disk is full.
    """
    data = PanopticData(config, predictor.categories)
    truth = data.val_set
    writer = ResultWriter(out)
    for done, (target, prediction) in enumerate(predict_dataset(predictor, data), start=1):
        writer.add(target.image_id, f"{Path(target.file_name).stem}.png", prediction)
        on_predicted(done, len(truth))
    result = writer.close(predictor.categories, (truth.info(i) for i in range(len(truth))))
    return evaluate_pq(truth.annotations, result, truth.segments, progress=on_evaluated)
