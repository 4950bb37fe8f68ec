"""Several processes that share one job, as torchrun starts them: who does what, and adding up."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from spatialflow.errors import ConfigError, SpatialFlowError

_PATIENCE = timedelta(days=1)
"""Ranks wait for the slowest. One that dies is noticed at once, by its closed connection."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's place among those of a job; alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all ranks have come here."""
        if self.size > 1:
            with _told():
                dist.barrier()

    def gather(self, value: Any) -> list[Any]:
        """What each rank has, in the order of ranks, on the first; nothing on the others."""
        if self.size == 1:
            return [value]
        gathered: list[Any] = [None] * self.size
        with _told():
            dist.gather_object(value, gathered if self.is_first else None)
        return gathered if self.is_first else []

    def sum(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over all ranks, on all of them."""
        if self.size == 1:
            return array
        total = torch.from_numpy(array.copy())
        with _told():
            dist.all_reduce(total)
        return np.asarray(total.numpy(), np.float64)


ALONE = Ranks()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise SpatialFlowError(
            "another process of this job has stopped; the reason is in what it wrote"
        ) from error


def local_device(device: str) -> str:
    """This rank's own GPU for ``auto`` and ``cuda``, if the machine has GPUs; else ``device`` itself."""
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"


def _end(number: int, frame: object) -> None:
    """Leave by an exception, so that everything is tidied up."""
    text = "told to end (SIGTERM), as when another process of this job has stopped"
    print(f"error: rank {dist.get_rank()}: {text}", file=sys.stderr, flush=True)
    sys.exit(128 + number)


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Meet the other processes if torchrun started several; alone otherwise.

    A process that is told to end (SIGTERM), as torchrun does when another has failed, tidies up first.

    Raises:
        ConfigError: there are several, but it is not said how they find each other.
        SpatialFlowError: another process stopped.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if "WORLD_SIZE" not in os.environ and tasks > 1:
        raise ConfigError(
            f"SLURM_STEP_NUM_TASKS={tasks}: let each task be one torchrun (srun --ntasks-per-node=1 torchrun "
            f"--nnodes ... --nproc-per-node ...), which starts the processes of its machine"
        )
    if size == 1:
        yield ALONE
        return
    # gloo on GPUs too: only numbers and short lists are exchanged, and it needs no GPU each
    try:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE={size}: the processes cannot find each other ({str(error).splitlines()[0]}); start "
            f"them with torchrun, or unset WORLD_SIZE"
        ) from error
    signal.signal(signal.SIGTERM, _end)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
