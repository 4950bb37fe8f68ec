"""``spatialflow train``: from a config to a trained model on disk."""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities import rank_zero_only
from torch.distributed import DistError
from tqdm import tqdm

from spatialflow.checkpoints.files import load_checkpoint
from spatialflow.checkpoints.fitting import load_fitting_weights
from spatialflow.config import Config
from spatialflow.data.classes import training_categories
from spatialflow.data.datamodule import PanopticData
from spatialflow.errors import ConfigError, SpatialFlowError
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.files import check_writable_folder
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.training.announce import announce, normalisation_note
from spatialflow.training.callbacks import BEST, LAST
from spatialflow.training.module import PanopticModule
from spatialflow.training.resume import check_folder, check_same_run, steps_done
from spatialflow.training.schedule import total_steps
from spatialflow.training.trainer import build_trainer


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training left behind."""

    folder: Path
    last: Path
    """Checkpoint after the last epoch."""
    best: Path
    """Checkpoint of the epoch with the highest validation PQ."""
    result: PQResult | None
    """Of the last validation; None if nothing was left to train."""
    model: SpatialFlow
    """As after the last step."""


def train(
    config: Config,
    *,
    resume: bool = False,
    weights: str | os.PathLike[str] | None = None,
    say: Callable[[str], object] = print,
) -> TrainResult:
    """Train a recipe; validates, and writes ``last.ckpt`` and ``best.ckpt``, TensorBoard and CSV logs.

    An interrupted training that is resumed comes to the same result as one that was not interrupted.

    Args:
        config: the recipe; results go to ``config.train.out / config.name``.
        resume: go on from that folder's ``last.ckpt``, optimiser and schedule included.
        weights: start from this checkpoint's weights, with a new optimiser. Its classes may be others: layers
            whose shapes differ start anew and are listed.
        say: gets the lines of the start-up text, on the first of several processes only.

    Raises:
        SpatialFlowError: of all kinds, with one line that says what to do.
    """
    if resume and weights is not None:
        raise ConfigError("--resume and --weights exclude each other; --resume goes on with the run's own")
    folder = Path(config.train.out) / config.name
    last, best = folder / LAST, folder / BEST
    check_folder(folder, resume)
    with _quiet():
        lightning.seed_everything(config.train.seed, verbose=False)
        categories, class_notes = training_categories(config.data)
        data = PanopticData(config.data, categories, config.train.seed)
        data.setup("fit")
        start = _starting_point(config, data, last if resume else None, weights)
        check_writable_folder(folder)
        trainer = build_trainer(config, folder, start.steps, _beside_bars(say))
        say = rank_zero_only(say)
        if len(data.val_set) < trainer.world_size:
            raise ConfigError(
                f"{data.val_set.annotations}: has {len(data.val_set)} images for {trainer.world_size} "
                f"processes; lower train.devices or train.nodes"
            )
        steps_per_epoch = data.steps_per_epoch(trainer.world_size)
        batch = config.data.batch_size * trainer.world_size
        check_same_run(start.run, {"batch": batch, "steps_per_epoch": steps_per_epoch})
        notes = [*start.notes, *(f"note       {note}" for note in class_notes)]
        parameters = sum(p.numel() for p in start.model.parameters())
        announce(config, trainer, data, start.steps, parameters, notes, say)
        # train(): Lightning leaves modes as they are, and frozen BatchNorm is a matter of the mode
        module = PanopticModule(start.model.train().to(memory_format=torch.channels_last), config)
        total = total_steps(config.train, steps_per_epoch)
        if start.steps < total:
            _fit(trainer, module, data, last if resume else None)
        else:
            key = "max_steps" if total == config.train.max_steps else "epochs"
            say(f"nothing left to train: the run is complete; raise train.{key} to go on")
    best = best if best.exists() else last
    say(f"checkpoints: {last} (last), {best} (best)")
    return TrainResult(folder, last, best, module.last_result, start.model)


def _beside_bars(say: Callable[[str], object]) -> Callable[[str], object]:
    """Lines that do not tear the progress bar, if one is shown."""

    def say_beside(line: str) -> None:
        with tqdm.external_write_mode():
            say(line)

    return say_beside


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a training begins."""

    model: SpatialFlow
    steps: int = 0
    """Done already."""
    run: dict[str, int] = field(default_factory=dict)
    """What these steps were, see :func:`check_same_run`."""
    notes: Sequence[str] = ()
    """Lines on the weights."""


def _starting_point(
    config: Config, data: PanopticData, last: Path | None, weights: str | os.PathLike[str] | None
) -> _Start:
    fresh = weights is None and last is None
    model = build_model(config, data.categories, pretrained=fresh and config.model.pretrained)
    if last is not None:
        return _Start(model, *steps_done(last, model, config))
    if weights is None:
        return _Start(model, notes=normalisation_note(config))
    checkpoint = load_checkpoint(weights, default=config)
    fit = load_fitting_weights(model, checkpoint, str(weights))
    lines = [f"weights    {weights}"]
    for layers, what in ((fit.anew, "start anew"), (fit.left_out, "of the file are left out")):
        if layers:
            lines.append(f"           these layers {what}:")
            lines += [f"             {layer}" for layer in layers]
    if checkpoint.categories != data.categories and fit.keeps_classes:
        kept = ", ".join(fit.keeps_classes)
        lines.append(f"note       the file has other classes, but as many for {kept}, so those weights stay")
    return _Start(model, notes=lines)


def _fit(trainer: lightning.Trainer, module: PanopticModule, data: PanopticData, last: Path | None) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except RuntimeError as error:
        if trainer.world_size > 1 and ("gloo" in str(error) or isinstance(error, DistError)):
            raise SpatialFlowError(
                "another process of this training has stopped; the reason is in what it wrote"
            ) from error
        raise
    except SystemExit as error:
        # Lightning's answer to Ctrl+C; whoever called us decides what becomes of the process
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Turn off advice of libraries that a user of ours cannot follow or need not."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in (
            r".*does not have many workers",  # data.workers decides
            r"GPU available but not used",  # train.accelerator decides
            r"Found \d+ module\(s\) in eval mode at the start",  # frozen BatchNorm
            r"You're resuming from a checkpoint that ended before the epoch",  # its first photos come again
            r".*The number of training batches .* is smaller than the logging interval",
            # Lightning 2.6 calls what PyTorch 2.14 deprecated; nothing that our code could change
            r".*LeafSpec.* is deprecated",
        ):
            warnings.filterwarnings("ignore", message)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
