"""``spatialflow train``: from a config to a trained model on disk."""

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from spatialflow.categories import Categories
from spatialflow.checkpoints.files import load_checkpoint, load_weights
from spatialflow.config import Config
from spatialflow.data.datamodule import PanopticData
from spatialflow.errors import CheckpointError, ConfigError
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.files import atomic_path, check_writable_folder
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.precision import choose
from spatialflow.training.module import PanopticModule
from spatialflow.training.schedule import scaled_lr

_LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training left behind."""

    folder: Path
    last: Path
    """Checkpoint after the last epoch."""
    best: Path
    """Checkpoint of the epoch with the highest validation PQ."""
    result: PQResult | None
    """Of the last validation."""
    model: SpatialFlow
    """As after the last step."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints appear whole or not at all, and a full disk is an error that says so."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write under a temporary name, then rename."""
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)


def train(
    config: Config,
    *,
    resume: bool = False,
    weights: str | os.PathLike[str] | None = None,
    say: Callable[[str], object] = print,
) -> TrainResult:
    """Train a recipe; validates, and writes ``last.ckpt`` and ``best.ckpt``, TensorBoard and CSV logs.

    Args:
        config: the recipe; results go to ``config.train.out / config.name``.
        resume: go on from that folder's ``last.ckpt``, optimiser and schedule included.
        weights: start from this checkpoint's weights, with a new optimiser.
        say: gets the lines of the start-up text.

    Raises:
        SpatialFlowError: of all kinds, with one line that says what to do.
    """
    folder = Path(config.train.out) / config.name
    last = folder / "last.ckpt"
    if resume and not last.is_file():
        raise CheckpointError(f"{last}: no such checkpoint to resume from; train without --resume first")
    if last.exists() and not resume:
        raise ConfigError(
            f"{folder}: holds an earlier run; go on with --resume, or choose another folder with train.out=FOLDER"
        )
    lightning.seed_everything(config.train.seed, verbose=False)
    _quieten()
    categories = Categories.load(config.data.categories)
    data = PanopticData(config.data, categories, config.train.seed)
    data.setup("fit")
    start_fresh = weights is None and not resume
    model = build_model(config, categories, pretrained=start_fresh and config.model.pretrained)
    if weights is not None:
        load_weights(model, load_checkpoint(weights).state, str(weights))
    check_writable_folder(folder)
    module = PanopticModule(model.to(memory_format=torch.channels_last), config)
    trainer = _trainer(config, folder)
    _announce(config, trainer, data, folder, say)
    trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=True)
    best = folder / "best.ckpt"
    return TrainResult(folder, last, best if best.exists() else last, module.last_result, model)


def _trainer(config: Config, folder: Path) -> lightning.Trainer:
    train = config.train
    devices: Any = train.devices
    if devices != "auto":
        try:
            devices = [int(d) for d in devices.split(",")] if "," in devices else int(devices)
        except ValueError as error:
            raise ConfigError(
                f"train.devices={devices}: give auto, a number, or numbers with commas"
            ) from error
    device = {"gpu": "cuda"}.get(train.accelerator, train.accelerator)
    hardware = choose(device, train.precision)
    logs: list[Any] = [
        CSVLogger(folder, name="", version="logs"),
        TensorBoardLogger(folder, name="", version="logs"),
    ]
    callbacks: list[Any] = [
        ModelCheckpoint(folder, filename="last", every_n_epochs=train.val_every, enable_version_counter=False),
        ModelCheckpoint(
            folder, filename="best", monitor="val/pq", mode="max", every_n_epochs=train.val_every,
            enable_version_counter=False,
        ),
        LearningRateMonitor("step"),
        TQDMProgressBar(refresh_rate=5),
    ]  # fmt: skip
    return lightning.Trainer(
        accelerator=train.accelerator if train.accelerator != "auto" else _accelerator(hardware.device.type),
        devices=devices,
        num_nodes=train.nodes,
        precision=_LIGHTNING_PRECISION[hardware.precision],  # type: ignore[arg-type]
        max_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        gradient_clip_val=train.clip_norm,
        check_val_every_n_epoch=train.val_every,
        log_every_n_steps=train.log_every,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        default_root_dir=folder,
        logger=logs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
    )


def _accelerator(device: str) -> str:
    return {"cuda": "gpu"}.get(device, device)


def _announce(
    config: Config, trainer: lightning.Trainer, data: PanopticData, folder: Path, say: Callable[[str], object]
) -> None:
    train = config.train
    batch = config.data.batch_size * trainer.world_size
    lr = scaled_lr(train, batch)
    say(f"recipe     {config.name}: {config.model.backbone}, {data.categories}")
    say(f"data       {len(data.train_set)} images to train on, {len(data.val_set)} to validate on")
    say(
        f"hardware   {trainer.world_size} x {trainer.strategy.root_device.type}, precision {trainer.precision}"
    )
    if train.scale_lr and batch != train.base_batch:
        say(f"rate       {lr:.3g} = {train.lr:g} x {batch}/{train.base_batch}: scaled from the recipe's batch of "
            f"{train.base_batch} images to the actual {batch} (train.scale_lr=false turns this off)")  # fmt: skip
    else:
        say(f"rate       {lr:.3g} at {batch} images a step")
    say(f"results    {folder}")


def _quieten() -> None:
    """Turn off advice of libraries that a user of ours cannot follow or need not."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r".*does not have many workers.*",  # data.workers decides
        r".*Checkpoint directory .* exists.*",  # we checked, or the user resumes
        r".*The number of training batches .* is smaller than the logging interval.*",
        r".*`LeafSpec.*",  # inside Lightning
    ):
        warnings.filterwarnings("ignore", message)
