"""An exported file beside PyTorch on the same photos: how far its results lie from those of the model."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from spatialflow.data.transforms import resized_size
from spatialflow.export.description import Description
from spatialflow.export.exchange import Arrays, found_in, graph_inputs, prediction_in
from spatialflow.export.onnx_predictor import OnnxPredictor
from spatialflow.inference import Predictor
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.postprocess.panoptic import Found
from spatialflow.structures import PanopticPrediction

MAX_BOX_DISTANCE = 0.05
"""Pixels that a corner may lie apart."""
MIN_SAME_PIXELS = 0.999
"""Share of the pixels of a map that must be equal."""

Run = Callable[[NDArray[np.uint8]], Arrays]
"""An exported graph: a photo (H, W, 3) in, its outputs by name out."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One photo, by the model and by the exported file."""

    name: str
    size: tuple[int, int]
    """Height and width."""
    things: tuple[int, int]
    """Numbers of detections."""
    labels_equal: bool
    """Whether both list the same classes in the same order."""
    boxes: float
    """Largest distance of a corner, in pixels; infinite where the lists differ."""
    masks: float
    """Largest difference of a mask's probabilities; infinite likewise."""
    stuff: float
    """Share of equal pixels of the stuff map."""
    merged: float
    """Share of equal pixels of the panoptic map: same class, same segment."""
    seconds: tuple[float, float]

    @property
    def passes(self) -> bool:
        """Whether boxes and panoptic map lie within the tolerances."""
        return self.boxes <= MAX_BOX_DISTANCE and self.merged >= MIN_SAME_PIXELS


def compare(
    model: SpatialFlow,
    run: Run,
    description: Description,
    photos: Iterable[tuple[str, NDArray[np.uint8]]],
    progress: Callable[[Difference], object] = lambda difference: None,
) -> list[Difference]:
    """Run both on photos.

    Args:
        model: what was exported.
        run: the exported file.
        description: the file's.
        photos: names and pixels (H, W, 3).
        progress: called after each photo.
    """
    predictor = Predictor(model, "cpu", "fp32")
    differences = []
    for name, photo in photos:
        started = time.perf_counter()
        found = _find(predictor, photo, description)
        expected = predictor.merge(found)
        between = time.perf_counter()
        outputs = run(photo)
        actual = prediction_in(outputs, description)
        seconds = between - started, time.perf_counter() - between
        difference = _difference(name, (found, expected), (found_in(outputs), actual), seconds)
        progress(difference)
        differences.append(difference)
    return differences


def _find(predictor: Predictor, photo: NDArray[np.uint8], description: Description) -> Found:
    """What the model says of the photo, with the padding that the graph's size asks for."""
    if description.uint8:
        return predictor.find([photo])[0]
    inputs = graph_inputs(photo, description, "")
    size = resized_size(photo.shape[:2], description.config.data.test_scale)
    return predictor.find_in_batch(torch.from_numpy(inputs["image"]), [size], [photo.shape[:2]])[0]


def _difference(
    name: str,
    expected: tuple[Found, PanopticPrediction],
    actual: tuple[Found, PanopticPrediction],
    seconds: tuple[float, float],
) -> Difference:
    (one, one_map), (other, other_map) = expected, actual
    same = np.array_equal(one.things.labels, other.things.labels)
    return Difference(
        name,
        one.stuff.shape,
        (len(one.things.labels), len(other.things.labels)),
        same,
        _largest(one.things.boxes, other.things.boxes) if same else float("inf"),
        _largest(one.things.masks, other.things.masks) if same else float("inf"),
        float((one.stuff == other.stuff).mean()),
        _same_pixels(one_map, other_map),
        seconds,
    )


def _largest(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).max(initial=0))


def _same_pixels(one: PanopticPrediction, other: PanopticPrediction) -> float:
    """Share of pixels whose segments correspond: same class, and partners that share most of their pixels.

    Ids themselves may be shifted: one segment that only one side has changes all ids after it.
    """
    labels = [np.array([-1] + [s.label for s in p.segments]) for p in (one, other)]
    first, second = (p.segment_ids.numpy().ravel().astype(np.int64) for p in (one, other))
    counts = np.zeros((len(labels[0]), len(labels[1])), np.int64)
    np.add.at(counts, (first, second), 1)
    counts[labels[0][:, None] != labels[1][None]] = 0
    best = counts * (counts == counts.max(axis=1, keepdims=True)) * (counts == counts.max(axis=0))
    return float(best.sum() / first.size)


def program_runner(path: str | os.PathLike[str], description: Description) -> Run:
    """A ``.pt2`` file, run by PyTorch."""
    import torchvision  # noqa: F401  # its operators are in the file

    graph = torch.export.load(path).module()

    def run(photo: NDArray[np.uint8]) -> Arrays:
        inputs = graph_inputs(photo, description, str(path))
        with torch.inference_mode():
            outputs = graph(*(torch.from_numpy(inputs[name]) for name in description.input_names))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def onnx_runner(path: str | os.PathLike[str]) -> Run:
    """A ``.onnx`` file, run by ONNX Runtime."""
    return OnnxPredictor(path).run


def latencies(differences: list[Difference]) -> tuple[float, float]:
    """Median seconds a photo of the model and of the file; the first photo warms up, if there are more."""
    timed = differences[1:] or differences
    return median(d.seconds[0] for d in timed), median(d.seconds[1] for d in timed)
