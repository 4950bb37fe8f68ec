"""Lightning's Trainer as a recipe wants it: devices, processes, precision, loggers, checkpoints."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger

from spatialflow.config import Config, TrainConfig
from spatialflow.errors import ConfigError, OutputError
from spatialflow.files import atomic_path
from spatialflow.precision import Hardware, choose
from spatialflow.training.callbacks import LAST, KeepCheckpoints, LossBar, ValidateAtEnd
from spatialflow.training.metrics_csv import MetricsCsv

LOGS = "logs"
LIGHTNING_PRECISION: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_ACCELERATOR = {"cuda": "gpu"}
_DEVICE = {"gpu": "cuda"}
_TORCHRUN = "TORCHELASTIC_RUN_ID"
"""Variable that torchrun, and nobody else, sets."""


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


def build_trainer(
    config: Config, folder: Path, start: int, say: Callable[[str], object] = lambda line: None
) -> lightning.Trainer:
    """Lightning's Trainer for a recipe, in each process of a training.

    Args:
        config: the recipe.
        folder: for checkpoints and logs.
        start: steps that are done already.
        say: gets a line on each validation.

    Raises:
        ConfigError: the hardware is not there, or not as many processes were started as the recipe asks for.
    """
    train = config.train
    hardware = _hardware(train)
    device = hardware.device.type
    devices, nodes = _processes(train)
    try:
        trainer = lightning.Trainer(
            accelerator=_ACCELERATOR.get(device, device),
            devices=devices,
            num_nodes=nodes,
            precision=LIGHTNING_PRECISION[hardware.precision],
            # ValidateAtEnd ends the training. Lightning's own limit of steps counts wrong after a resume, and
            # of epochs takes one for whole that was resumed in its middle.
            max_epochs=train.epochs + 1,
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
            callbacks=[LossBar(refresh_rate=5), ValidateAtEnd(train), KeepCheckpoints(folder, say)],
            plugins=[AtomicCheckpointIO()],
        )
    except (MisconfigurationException, TypeError) as error:  # a TypeError for a list of CPUs
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"train.devices={train.devices} on {device}: {reason}; give auto or a number, or which GPUs"
        ) from error
    started = _processes_started()
    if started is not None and started != trainer.world_size:
        raise ConfigError(
            f"train.devices={train.devices} train.nodes={train.nodes}: are {trainer.world_size} processes, "
            f"but {started} were started; give both the same number (devices are those of one machine)"
        )
    return trainer


def _processes(train: TrainConfig) -> tuple[Any, int]:
    """Devices a machine, and machines; of a torchrun, its own numbers unless the recipe gives others."""
    devices, nodes = _devices(train), train.nodes
    if _TORCHRUN in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        devices = local if devices == "auto" else devices
        nodes = int(os.environ["WORLD_SIZE"]) // local if nodes == 1 else nodes
    return devices, nodes


def _processes_started() -> int | None:
    """How many of us torchrun or srun has started; None if Lightning starts them itself."""
    if _TORCHRUN in os.environ:
        return int(os.environ["WORLD_SIZE"])
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    return tasks if tasks > 1 else None


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
