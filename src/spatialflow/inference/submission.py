"""``spatialflow evaluate --split test-dev``: photos without truth, predicted and packed for COCO's server."""

import os
from pathlib import Path

from spatialflow.config import DataConfig
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.evaluation.submission import pack_submission, split_of, submission_stem
from spatialflow.evaluation.submission_check import check_submission
from spatialflow.inference.dataset import Progress, predict_dataset, prepared_data
from spatialflow.inference.predictor import Predictor


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
