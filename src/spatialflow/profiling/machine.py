"""What a measurement depends on besides the model: the machine, its memory, and the clock."""

import os
import platform
import resource
import sys
import time
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")


def cpu_name() -> str:
    """As the operating system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """Of a GPU its name, else the CPU's."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def now(device: torch.device) -> float:
    """Seconds, once all that the device was given to do is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


class PeakMemory:
    """The most memory in use since this was made.

    On a GPU, of tensors; else of the whole process, PyTorch and weights included. ``kind`` says which.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.kind = "GPU tensors"
        elif _forget_peak():
            self.kind = "process"
        else:
            self.kind = "process since its start"

    def read(self) -> int:
        """In bytes."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        if self.kind == "process":
            lines = (_PROCESS / "status").read_text().splitlines()
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _forget_peak() -> bool:
    """Set the process's peak to what it uses now, as Linux can."""
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return True
