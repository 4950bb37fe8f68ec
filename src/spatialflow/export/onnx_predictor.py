"""Prediction from an exported ONNX file by ONNX Runtime, without the network's code."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.transforms import normalise_and_pad, resize_image, resized_size
from spatialflow.errors import CheckpointError, ConfigError, DataError
from spatialflow.export.description import Description
from spatialflow.photo import Photo, as_photo
from spatialflow.postprocess.panoptic import Found, Instances, as_prediction, merge
from spatialflow.structures import PanopticPrediction

Outputs = dict[str, NDArray[Any]]
"""What the graph says of one photo, by the names of its outputs."""


class OnnxPredictor:
    """Runs an exported model on photos, with the results of :class:`spatialflow.Predictor`.

    Everything else, categories, preprocessing and merge settings, comes out of the file.

    Args:
        path: written by ``spatialflow export --format onnx``.
        providers: of ONNX Runtime, the first that works is used; by default the CPU.
        threads: of the CPU; 0 leaves the choice to ONNX Runtime.

    Raises:
        CheckpointError: the file is missing, no ONNX file, or of another program.
        ConfigError: ONNX Runtime is not installed, or does not know a provider.

    Example:
        >>> predictor = sf.OnnxPredictor("tiny.onnx")
        >>> predictor.predict("photo.jpg").save("panoptic.png")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 0,
    ) -> None:
        self.path = Path(path)
        self._session = _open(self.path, providers, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.description = Description.from_metadata(metadata, str(path))
        self.config = self.description.config
        self.categories = self.description.categories

    @property
    def hardware(self) -> str:
        """What it runs on, for a person to read."""
        import onnxruntime

        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        numbers = "int8" if self.description.quantised else "fp32"
        return f"ONNX Runtime {onnxruntime.__version__} ({provider}), {numbers}"

    def predict(self, image: Photo) -> PanopticPrediction:
        """Segment one photo.

        Raises:
            DataError: a path that is no readable image, an array of another shape or type, or a photo of
                another size than the one that the file is for.
        """
        return prediction_in(self.run(as_photo(image)), self.description)

    def predict_many(self, images: Sequence[Photo]) -> list[PanopticPrediction]:
        """Segment several photos, one after the other: the graph takes one at a time."""
        return [self.predict(image) for image in images]

    def find(self, images: Sequence[Photo]) -> list[Found]:
        """Detections, masks and stuff maps of several photos, before the merge."""
        return [found_in(self.run(as_photo(image))) for image in images]

    def merge(self, found: Found) -> PanopticPrediction:
        """The panoptic map of one photo, by the merge settings in the file."""
        return _merge(found, self.description)

    def run(self, photo: NDArray[np.uint8]) -> Outputs:
        """All outputs of the graph for a photo (H, W, 3).

        Raises:
            DataError: the photo is of another size than the one that the file is for.
        """
        values = self._session.run(None, graph_inputs(photo, self.description, str(self.path)))
        return dict(zip((output.name for output in self._session.get_outputs()), values, strict=True))


def graph_inputs(photo: NDArray[np.uint8], description: Description, source: str) -> Outputs:
    """What the graph takes for a photo (H, W, 3), by name; ``source`` is the file that errors name.

    Raises:
        DataError: the photo is of another size than the one that the graph is for.
    """
    size = (photo.shape[0], photo.shape[1])
    if description.uint8:
        if description.size not in (None, size):
            raise DataError(
                f"image: is {size[0]}x{size[1]} (height x width), but {source} takes only "
                f"{description.size[0]}x{description.size[1]}; resize it, or export with --dynamic"
            )
        return {"image": photo}
    data = description.config.data
    inner = resized_size(size, data.test_scale)
    if description.size and (inner[0] > description.size[0] or inner[1] > description.size[1]):
        raise DataError(
            f"image: {size[0]}x{size[1]} becomes {inner[0]}x{inner[1]} (height x width), more than the "
            f"{description.size[0]}x{description.size[1]} of {source}; export with --dynamic"
        )
    batch, _ = normalise_and_pad([resize_image(photo, inner)], data.mean, data.std)
    height, width = description.size or batch.shape[2:]
    image = np.zeros((1, 3, height, width), np.float32)
    image[:, :, : batch.shape[2], : batch.shape[3]] = batch.numpy()
    return {"image": image, "image_size": np.array(inner), "photo_size": np.array(size)}


def found_in(outputs: Outputs) -> Found:
    """Detections, masks and stuff map among a graph's outputs."""
    count = int(outputs["num_detections"])
    boxes, scores, labels, masks = (outputs[name][:count] for name in ("boxes", "scores", "labels", "masks"))
    return Found(Instances(boxes, scores, labels, masks), outputs["stuff"], outputs["stuff_scores"])


def prediction_in(outputs: Outputs, description: Description) -> PanopticPrediction:
    """The panoptic map among a graph's outputs, or, if it has none, what the merge makes of the others."""
    if not description.merged:
        return _merge(found_in(outputs), description)
    labels = outputs["segment_labels"]
    count = int((labels >= 0).sum())
    scores = outputs["segment_scores"][:count].tolist()
    return as_prediction(outputs["panoptic"], labels[:count].tolist(), scores, description.categories)


def _merge(found: Found, description: Description) -> PanopticPrediction:
    things, stuff, scores = found
    return merge(things, stuff, scores, description.categories, description.config.model.merge)


def _open(path: Path, providers: Sequence[str], threads: int) -> Any:
    """An inference session."""
    if find_spec("onnxruntime") is None:
        raise ConfigError("the package onnxruntime is not installed; run `pip install 'spatialflow[export]'`")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; write it with `spatialflow export --format onnx`")
    known = onnxruntime.get_available_providers()
    for name in providers:
        if name not in known:
            raise ConfigError(f"provider {name!r} is not in this ONNX Runtime; it has {', '.join(known)}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except (refusals.InvalidProtobuf, refusals.InvalidGraph, refusals.Fail, refusals.NoModel) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: ONNX Runtime cannot read it ({reason}); it may be truncated, export it again"
        ) from error
