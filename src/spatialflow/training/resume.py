"""Going on with an interrupted training: what must still be the same, and where it stopped."""

from pathlib import Path

import torch

from spatialflow.checkpoints.files import load_checkpoint
from spatialflow.config import Config
from spatialflow.errors import CheckpointError, ConfigError
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.models.weights import load_weights
from spatialflow.training.callbacks import LAST

RUN = "run"
"""Key of a training checkpoint: how many images a step has, and how many steps an epoch."""


def check_same_run(was: dict[str, int], now: dict[str, int]) -> None:
    """Refuse to go on with steps of another size, which would put the schedule out of joint.

    Raises:
        ConfigError: it says how to go on.
    """
    if not was or was == now:
        return
    if was["batch"] != now["batch"]:
        raise ConfigError(
            f"data.batch_size: the run had {was['batch']} images a step on all devices together, now it "
            f"would have {now['batch']}; go on with as many (change data.batch_size or train.devices), or "
            f"start anew with --weights and another train.out"
        )
    raise ConfigError(
        f"data.train: the run had {was['steps_per_epoch']} steps an epoch, now it would have "
        f"{now['steps_per_epoch']}; go on with the same images, or start anew with --weights and another "
        f"train.out"
    )


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse to resume from nothing, and to overwrite an earlier run.

    Raises:
        CheckpointError: there is nothing to resume from.
        ConfigError: the folder holds an earlier run.
    """
    last = folder / LAST
    if resume and not last.is_file():
        raise CheckpointError(f"{last}: no such checkpoint to resume from; train without --resume first")
    if last.exists() and not resume:
        raise ConfigError(
            f"{folder}: holds an earlier run; go on with --resume, or choose another folder with "
            f"train.out=FOLDER or name=NAME"
        )


def steps_done(last: Path, model: SpatialFlow, config: Config) -> tuple[int, dict[str, int]]:
    """Check that a checkpoint is of this model and optimiser, and count the steps it took.

    Returns:
        The number of steps, and what they were, for :func:`check_same_run`.

    Raises:
        CheckpointError: it is no checkpoint of a training, or of another architecture or other classes.
        ConfigError: the optimiser has changed.
    """
    earlier = load_checkpoint(last)
    load_weights(model, earlier.state, str(last))
    if earlier.categories.to_json() != model.categories.to_json():
        raise CheckpointError(
            f"{last}: was trained on other categories than data.categories={config.data.categories} names; "
            f"go on with the same, or start anew with --weights and another train.out"
        )
    was, now = earlier.config.train.optimizer, config.train.optimizer
    if was != now:
        raise ConfigError(
            f"train.optimizer={now}: {last} was trained with {was}; go on with that, or start anew with "
            f"--weights {last} and another train.out"
        )
    progress = torch.load(last, map_location="cpu", weights_only=True, mmap=True)
    try:
        return int(progress["global_step"]), progress.get(RUN, {})
    except KeyError as error:
        raise CheckpointError(
            f"{last}: global_step: is missing, so training cannot go on from it; start from its weights with "
            f"--weights and another train.out"
        ) from error
