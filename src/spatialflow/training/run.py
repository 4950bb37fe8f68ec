"""``spatialflow train``: from a config to a trained model on disk."""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.distributed import DistError

from spatialflow.categories import AUTO
from spatialflow.checkpoints.files import load_checkpoint, load_fitting_weights
from spatialflow.config import Config, TrainConfig
from spatialflow.data.classes import describe_classes, training_categories
from spatialflow.data.datamodule import PanopticData
from spatialflow.errors import ConfigError, OutputError, SpatialFlowError
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.files import atomic_path, check_writable_folder
from spatialflow.models.backbone import expected_normalisation
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.precision import Hardware, choose
from spatialflow.training.callbacks import BEST, LAST, KeepCheckpoints, LossBar, ValidateAtEnd
from spatialflow.training.metrics_csv import MetricsCsv
from spatialflow.training.module import PanopticModule
from spatialflow.training.resume import check_folder, steps_done
from spatialflow.training.schedule import scaled_lr

LOGS = "logs"
_LIGHTNING_PRECISION: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_ACCELERATOR = {"cuda": "gpu"}
_DEVICE = {"gpu": "cuda"}


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


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints appear whole or not at all, and a full disk is an error that says so."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write under a temporary name, then rename.

        Raises:
            OutputError: the folder cannot be written to, or the disk is full.
        """
        with atomic_path(path) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:  # PyTorch's writer does not say what the operating system said
                raise OutputError(
                    f"{path}: cannot be written whole, as on a full disk; free some space, then "
                    f"train again, with --resume if there is an earlier {LAST}"
                ) from error


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
        model, start, notes = _starting_point(config, data, last if resume else None, weights)
        check_writable_folder(folder)
        trainer = _trainer(config, folder, start)
        say = rank_zero_only(say)
        if len(data.val_set) < trainer.world_size:
            raise ConfigError(
                f"{data.val_set.annotations}: has {len(data.val_set)} images for {trainer.world_size} "
                f"processes; lower train.devices or train.nodes"
            )
        notes += [f"note       {note}" for note in class_notes]
        _announce(config, trainer, data, start, notes, say)
        # train(): Lightning leaves modes as they are, and frozen BatchNorm is a matter of the mode
        module = PanopticModule(model.train().to(memory_format=torch.channels_last), config)
        _fit(trainer, module, data, last if resume else None)
    if trainer.global_step == start:
        say("nothing left to train: the run is complete; raise train.epochs to go on")
    best = best if best.exists() else last
    say(f"checkpoints: {last} (last), {best} (best)")
    return TrainResult(folder, last, best, module.last_result, model)


def _starting_point(
    config: Config, data: PanopticData, last: Path | None, weights: str | os.PathLike[str] | None
) -> tuple[SpatialFlow, int, list[str]]:
    """The model before its first step, the number of steps that are done already, lines on its weights."""
    fresh = weights is None and last is None
    model = build_model(config, data.categories, pretrained=fresh and config.model.pretrained)
    if last is not None:
        return model, steps_done(last, model, config), []
    if weights is None:
        return model, 0, _normalisation_note(config)
    checkpoint = load_checkpoint(weights, default=config)
    anew = load_fitting_weights(model, checkpoint, str(weights))
    lines = [f"weights    {weights}"]
    if anew:
        lines[0] += f", but for {len(anew)} layers, which start anew:"
        lines += [f"             {layer}" for layer in anew]
    elif checkpoint.categories != data.categories:
        lines.append("           its classes are others, though as many; the heads keep what they know")
    return model, 0, lines


def _normalisation_note(config: Config) -> list[str]:
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


def _trainer(config: Config, folder: Path, start: int) -> lightning.Trainer:
    train = config.train
    hardware = _hardware(train)
    device = hardware.device.type
    try:
        return lightning.Trainer(
            accelerator=_ACCELERATOR.get(device, device),
            devices=_devices(train),
            num_nodes=train.nodes,
            precision=_LIGHTNING_PRECISION[hardware.precision],
            max_epochs=train.epochs,
            max_steps=train.max_steps or -1,
            gradient_clip_val=train.clip_norm,
            check_val_every_n_epoch=train.val_every,
            log_every_n_steps=train.log_every,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            default_root_dir=folder,
            logger=[
                MetricsCsv(folder / LOGS / "metrics.csv", start),
                TensorBoardLogger(folder, name="", version=LOGS, purge_step=start),
            ],
            callbacks=[LossBar(refresh_rate=5), ValidateAtEnd(train), KeepCheckpoints(folder)],
            plugins=[AtomicCheckpointIO()],
        )
    except (MisconfigurationException, TypeError) as error:  # a TypeError for a list of CPUs
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"train.devices={train.devices} on {device}: {reason}; give auto or a number, or which GPUs"
        ) from error


def _hardware(train: TrainConfig) -> Hardware:
    """As the recipe says; but one for fp16, which needs a GPU, runs on a CPU too, as that computes best."""
    device = choose(_DEVICE.get(train.accelerator, train.accelerator)).device
    on_cpu = train.precision == "fp16" and device.type == "cpu"
    return choose(device, "auto" if on_cpu else train.precision)


def _devices(train: TrainConfig) -> Any:
    """As Lightning wants it: ``auto``, how many, or a list of which."""
    if train.devices == "auto":
        return "auto"
    try:
        return [int(d) for d in train.devices.split(",")] if "," in train.devices else int(train.devices)
    except ValueError as error:
        raise ConfigError(
            f"train.devices={train.devices}: give auto, a number, or numbers with commas"
        ) from error


def _announce(
    config: Config,
    trainer: lightning.Trainer,
    data: PanopticData,
    start: int,
    notes: Sequence[str],
    say: Callable[[str], object],
) -> None:
    """The start-up text."""
    train = config.train
    batch = config.data.batch_size * trainer.world_size
    lr = scaled_lr(train, batch)
    device = trainer.strategy.root_device.type
    say(f"recipe     {config.name}: {config.model.backbone}")
    named = config.data.train if config.data.categories == AUTO else config.data.categories
    say(f"classes    {describe_classes(data.categories)}, as {named} has them")
    say(f"data       {len(data.train_set)} images to train on, {len(data.val_set)} to validate on")
    asked = _LIGHTNING_PRECISION.get(train.precision, trainer.precision)
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Turn off advice of libraries that a user of ours cannot follow or need not."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in (
            r".*does not have many workers",  # data.workers decides
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
