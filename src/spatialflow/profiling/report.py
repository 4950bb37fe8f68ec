"""A benchmark for people and programs: a table in the terminal, Markdown, JSON."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import torch
from rich.table import Table

from spatialflow.precision import Hardware
from spatialflow.profiling import machine
from spatialflow.profiling.measure import Measurement, Spread
from spatialflow.profiling.operations import CONVENTION
from spatialflow.profiling.untrained import CANDIDATES

_HEADINGS = ("stage", "median", "p10 - p90", "share", "GFLOPs")


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that is measured."""

    name: str
    """Of its recipe."""
    checkpoint: str | None
    """None: random weights."""
    parameters: int
    """Of the model as it trains, before BatchNorm is folded."""

    def __str__(self) -> str:
        weights = (
            f"weights of {self.checkpoint}"
            if self.checkpoint
            else f"random weights (up to {CANDIDATES:,} boxes enter NMS, all it leaves enter the merge)"
        )
        return f"{self.name}, {self.parameters / 1e6:.2f} M parameters, {weights}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What it was measured on."""

    device: str
    device_name: str
    precision: str
    cpu: str
    cores: int
    threads: int
    """Of PyTorch on the CPU."""
    torch: str
    python: str
    spatialflow: str

    def __str__(self) -> str:
        where = self.cpu if self.device_name == self.cpu else f"{self.device_name} ({self.cpu})"
        return (
            f"{self.device} in {self.precision}, {self.threads} threads on {self.cores} cores: {where}; "
            f"torch {self.torch}, Python {self.python}, spatialflow {self.spatialflow}"
        )


def environment(hardware: Hardware) -> Environment:
    """Of this process."""
    return Environment(
        device=str(hardware.device),
        device_name=machine.device_name(hardware.device),
        precision=hardware.precision,
        cpu=machine.cpu_name(),
        cores=machine.cores(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
        spatialflow=version("spatialflow"),
    )


def stage_table(result: Measurement) -> Table:
    """A row for each stage, and the whole; milliseconds a batch."""
    table = Table(title=f"{_title(result)}, milliseconds")
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    *stages, total, whole = _rows(result)
    for row in stages:
        table.add_row(*row)
    table.add_section()
    table.add_row(*total)
    table.add_row(*whole)
    return table


def summary(result: Measurement) -> list[str]:
    """What the table does not say, in lines."""
    sizes = sorted({f"{h}x{w}" for h, w in result.photo_sizes})
    rate = result.batch / result.whole.median
    return [
        f"{rate:.3g} photos a second; {result.detections} detections and {result.segments} segments in "
        f"photos of {', '.join(sizes)}",
        f"peak memory {result.peak_memory / 2**30:.2f} GiB ({result.memory_kind}; "
        f"{result.memory_before / 2**30:.2f} GiB before the first photo)",
        f"runs: {result.runs}, after {result.warm_up + 1} to warm up",
    ]


def to_json(subject: Subject, where: Environment, results: Sequence[Measurement]) -> dict[str, Any]:
    """Everything, times in seconds a batch."""
    return {
        "model": asdict(subject),
        "environment": asdict(where),
        "flops_convention": CONVENTION,
        "results": [result.to_json() for result in results],
    }


def to_markdown(subject: Subject, where: Environment, results: Sequence[Measurement]) -> str:
    """A table for each result, times in milliseconds a batch."""
    lines = [f"{subject}.", "", f"{where}.", ""]
    for result in results:
        lines += [f"### {_title(result)}", "", f"| {' | '.join(_HEADINGS)} |", "|---|---:|---:|---:|---:|"]
        lines += [f"| {' | '.join(row)} |" for row in _rows(result)]
        lines += ["", "; ".join(summary(result)) + ".", ""]
    lines.append(f"Milliseconds a batch; {CONVENTION}.")
    return "\n".join(lines) + "\n"


def _title(result: Measurement) -> str:
    batch, _, height, width = result.network_input
    return f"network input {height}x{width}, batch {batch}"


def _rows(result: Measurement) -> list[tuple[str, ...]]:
    total = result.stage_sum.median
    rows = [
        (name, *_times(spread), f"{100 * spread.median / total:.1f} %", _giga(result.flops.get(name, 0)))
        for name, spread in result.stages.items()
    ]
    return [
        *rows,
        ("all stages", *_times(result.stage_sum), "", _giga(sum(result.flops.values()))),
        ("whole, stages not timed", *_times(result.whole), "", ""),
    ]


def _times(spread: Spread) -> tuple[str, str]:
    digits = 2 if spread.median < 0.1 else 1 if spread.median < 1 else 0
    median, p10, p90 = (f"{1000 * v:.{digits}f}" for v in (spread.median, spread.p10, spread.p90))
    return median, f"{p10} - {p90}"


def _giga(flops: int) -> str:
    return f"{flops / 1e9:.2f}" if flops else ""
