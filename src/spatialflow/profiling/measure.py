"""Measuring predictions from photo files to panoptic PNGs, by the code that ``predict`` runs."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from spatialflow.inference.predictor import Predictor
from spatialflow.profiling import machine, operations
from spatialflow.profiling.stages import WRITE, measured
from spatialflow.stopwatch import stage
from spatialflow.structures import PanopticPrediction


@dataclass(frozen=True, slots=True)
class Spread:
    """Of the runs' values: the middle, and what a tenth of them stay below and above."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Quantiles, interpolated."""
        p10, median, p90 = (float(v) for v in np.percentile(values, (10, 50, 90)))
        return cls(median, p10, p90)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One size and batch; times in seconds a batch."""

    photo_sizes: tuple[tuple[int, int], ...]
    """(H, W) of the photos of the first run."""
    network_input: tuple[int, ...]
    """(B, 3, H, W), with padding."""
    batch: int
    runs: int
    warm_up: int
    stages: dict[str, Spread]
    stage_sum: Spread
    """Of a run's stages together."""
    whole: Spread
    """Of runs in which no stage was timed."""
    flops: dict[str, int]
    """By stage, of the first run's photos together."""
    peak_memory: int
    """Bytes, during the runs without timed stages."""
    memory_kind: str
    memory_before: int
    """Bytes, before the first run, of the same kind."""
    detections: int
    """Of the first run's photos together."""
    segments: int

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return {**asdict(self), "images_per_second": self.batch / self.whole.median}


def predict_files(predictor: Predictor, photos: Sequence[Path], out: Path) -> list[PanopticPrediction]:
    """Photo files in, panoptic PNGs out: ``out`` receives 0.png, 1.png, ... in their order."""
    predictions = predictor.predict_many([str(photo) for photo in photos])
    with stage(WRITE):
        for number, prediction in enumerate(predictions):
            prediction.save(out / f"{number}.png")
    return predictions


def measure(
    predictor: Predictor,
    photos: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    batch: int = 1,
    runs: int = 10,
    warm_up: int = 2,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Measurement:
    """Time ``runs`` batches whole and as many by stage, in turn, and count operations once.

    Args:
        predictor: the model where it runs.
        photos: files, of which each run takes the next ``batch``, over and over.
        out: folder for the PNGs; it must exist.
        batch: photos that go through the network together.
        runs: 1 or more.
        warm_up: batches before, which do not count.
        progress: called with the number of batches done, and of all.

    Raises:
        DataError: a photo cannot be read.
        OutputError: ``out`` cannot be written to.
    """
    out, device = Path(out), predictor.hardware.device
    supply = itertools.cycle(photos)
    first = list(itertools.islice(supply, batch))
    total, steps = warm_up + 2 * runs + 1, itertools.count(1)
    memory_before = machine.PeakMemory(device)
    before = memory_before.read()

    def step(files: Sequence[Path]) -> list[PanopticPrediction]:
        predictions = predict_files(predictor, files, out)
        progress(next(steps), total)
        return predictions

    flops, shape, detections, predictions = _count(predictor, lambda: step(first))
    for _ in range(warm_up):
        step(first)
    memory = machine.PeakMemory(device)
    whole, by_stage = [], []
    for _ in range(runs):
        files = list(itertools.islice(supply, batch)) if len(photos) > batch else first
        start = machine.now(device)
        predict_files(predictor, files, out)
        whole.append(machine.now(device) - start)
        progress(next(steps), total)
        with measured(predictor.network, lambda: machine.now(device)) as meter:
            predict_files(predictor, files, out)
            by_stage.append(meter.stop())
        progress(next(steps), total)
    return Measurement(
        photo_sizes=tuple((p.segment_ids.shape[0], p.segment_ids.shape[1]) for p in predictions),
        network_input=shape,
        batch=batch,
        runs=runs,
        warm_up=warm_up,
        stages={name: Spread.of([run[name] for run in by_stage]) for name in by_stage[0]},
        stage_sum=Spread.of([sum(run.values()) for run in by_stage]),
        whole=Spread.of(whole),
        flops=flops,
        peak_memory=memory.read(),
        memory_kind=memory.kind,
        memory_before=before,
        detections=detections,
        segments=sum(len(p.segments) for p in predictions),
    )


def _count(
    predictor: Predictor, work: Callable[[], list[PanopticPrediction]]
) -> tuple[dict[str, int], tuple[int, ...], int, list[PanopticPrediction]]:
    """FLOPs by stage, shape of the network's input, number of detections, and what the work gave."""
    network = predictor.network
    shapes: list[tuple[int, ...]] = []
    boxes: list[int] = []
    hooks = [
        network.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape))),
        network.mask_head.register_forward_pre_hook(
            lambda _, inputs: boxes.append(sum(len(each) for each in inputs[1]))
        ),
    ]
    try:
        counter = operations.counter()
        with counter, measured(network, counter.get_total_flops) as meter:
            predictions = work()
            flops = {name: int(count) for name, count in meter.stop().items()}
    finally:
        for hook in hooks:
            hook.remove()
    return flops, shapes[0], sum(boxes), predictions
