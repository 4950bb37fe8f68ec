"""Prediction from an exported ONNX file by ONNX Runtime, without the network's code."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.config import MergeConfig
from spatialflow.errors import CheckpointError, ConfigError, SpatialFlowError
from spatialflow.export.description import Description
from spatialflow.export.exchange import Arrays, found_in, graph_inputs, prediction_in
from spatialflow.inference.photo_predictor import PhotoPredictor, several
from spatialflow.photo import Photo, as_photo
from spatialflow.postprocess.panoptic import Found, merge
from spatialflow.structures import PanopticPrediction


class OnnxPredictor(PhotoPredictor):
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

    @property
    def settings(self) -> dict[str, str]:
        """What results depend on besides the photo: the file, by its digest."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8))
        return {"file": digest.hexdigest(), "hardware": self.hardware}

    def segment_photos(
        self, photos: Sequence[NDArray[np.uint8]], settings: MergeConfig | None = None
    ) -> list[PanopticPrediction]:
        """Segment (H, W, 3) arrays, one after the other: the graph takes one at a time.

        Raises:
            DataError: a photo is of another size than the one that the file is for.
        """
        if settings is None:  # the map in the graph, if there is one, knows only the model's own
            return [prediction_in(self.run(photo), self.description) for photo in photos]
        return [self.merge(found_in(self.run(photo)), settings) for photo in photos]

    def find(self, images: Iterable[Photo]) -> list[Found]:
        """Detections, masks and stuff maps of several photos, before the merge."""
        return [found_in(self.run(as_photo(image))) for image in several(images)]

    def merge(self, found: Found, settings: MergeConfig | None = None) -> PanopticPrediction:
        """The panoptic map of one photo, by the merge settings in the file unless others are given."""
        return merge(*found, self.categories, settings or self.config.model.merge)

    def run(self, photo: NDArray[np.uint8]) -> Arrays:
        """All outputs of the graph for a photo (H, W, 3).

        Raises:
            DataError: the photo is of another size than the one that the file is for.
            SpatialFlowError: ONNX Runtime cannot compute it, as where memory does not suffice.
        """
        inputs = graph_inputs(photo, self.description, str(self.path))
        try:
            values = self._session.run(None, inputs)
        except _refusals() as error:
            reason = " ".join(str(error).split())
            raise SpatialFlowError(
                f"{self.path}: ONNX Runtime cannot compute a photo of {photo.shape[1]}x{photo.shape[0]} "
                f"pixels ({reason}); if memory does not suffice, cut it into tiles (--tile), or resize it"
            ) from error
        return dict(zip((output.name for output in self._session.get_outputs()), values, strict=True))


def _refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises on files that it cannot read and photos that it cannot compute."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = "InvalidProtobuf", "InvalidGraph", "InvalidArgument", "NoModel", "NotImplemented", "Fail"
    return tuple(getattr(state, name) for name in (*names, "RuntimeException"))


def _open(path: Path, providers: Sequence[str], threads: int) -> Any:
    """An inference session."""
    if find_spec("onnxruntime") is None:
        raise ConfigError("the package onnxruntime is not installed; run `pip install 'spatialflow[export]'`")
    import onnxruntime

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
    except _refusals() as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: ONNX Runtime cannot read it ({reason}); it may be truncated, export it again"
        ) from error
