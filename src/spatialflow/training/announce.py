"""The start-up text of a training."""

from collections.abc import Callable, Sequence
from pathlib import Path

import lightning

from spatialflow.categories import AUTO
from spatialflow.config import Config
from spatialflow.data.classes import describe_classes
from spatialflow.data.datamodule import PanopticData
from spatialflow.models.backbone import expected_normalisation
from spatialflow.training.schedule import scaled_lr
from spatialflow.training.trainer import LIGHTNING_PRECISION


def announce(
    config: Config,
    trainer: lightning.Trainer,
    data: PanopticData,
    start: int,
    parameters: int,
    notes: Sequence[str],
    say: Callable[[str], object],
) -> None:
    """The start-up text, with the model's number of ``parameters``."""
    train = config.train
    batch = config.data.batch_size * trainer.world_size
    lr = scaled_lr(train, batch)
    device = trainer.strategy.root_device.type
    say(f"recipe     {config.name}: {config.model.backbone}, {parameters / 1e6:.1f} M parameters")
    named = "the annotations" if config.data.categories == AUTO else config.data.categories
    say(f"classes    {describe_classes(data.categories)}, as in {named}")
    say(f"data       {len(data.train_set)} images to train on, {len(data.val_set)} to validate on")
    asked = LIGHTNING_PRECISION.get(train.precision, trainer.precision)
    instead = "" if asked == trainer.precision else f" ({train.precision}, as the recipe asks, needs a GPU)"
    say(f"hardware   {trainer.world_size} x {device}, precision {trainer.precision}{instead}")
    if train.scale_lr and batch != train.base_batch:
        say(
            f"rate       {lr:.3g} = {train.lr:g} x {batch}/{train.base_batch}: scaled from the recipe's "
            f"batch of {train.base_batch} images to the actual {batch} (train.scale_lr=false turns this off)"
        )
    else:
        say(f"rate       {lr:.3g} at {batch} images a step")
    for note in notes:
        say(note)
    if start:
        say(f"resumed    after step {start}")
    say(f"results    {Path(train.out) / config.name}")


def normalisation_note(config: Config) -> list[str]:
    """A line if the backbone's ImageNet weights expect photos normalised in another way."""
    if not config.model.pretrained:
        return []
    mean, std = (
        tuple(round(v, 2) for v in values) for values in expected_normalisation(config.model.backbone)
    )
    ours = (*config.data.mean, *config.data.std)
    if not mean or max(abs(a - b) for a, b in zip(ours, (*mean, *std), strict=True)) < 1:
        return []
    return [
        f"note       the weights of {config.model.backbone} expect other pixels; they do better with "
        f"'data.mean={list(mean)}' 'data.std={list(std)}'"
    ]
