"""The predictor that fits a file: of a checkpoint, or of an exported model."""

import torch

from spatialflow.errors import ConfigError
from spatialflow.export.onnx_predictor import OnnxPredictor
from spatialflow.inference.photo_predictor import PhotoPredictor
from spatialflow.precision import Precision, choose

_PROVIDERS = {"auto": "CPU", "cpu": "CPU", "cuda": "CUDA"}
"""Of ONNX Runtime, by our names of devices."""


def load_predictor(
    path: str, device: str = "auto", precision: Precision = "auto", tta: bool = False
) -> tuple[PhotoPredictor, str]:
    """A predictor, and what it runs on, for a person to read.

    Args:
        path: an exported ``.onnx``, or what :func:`spatialflow.load_model` takes.
        device: see :class:`spatialflow.Predictor`.
        precision: likewise; an exported model has its own.
        tta: likewise; not with an exported model.

    Raises:
        CheckpointError: the file is missing or foreign.
        ConfigError: the device is not here, or an exported model cannot do what is asked.
    """
    if not path.endswith(".onnx"):
        choose(device, precision)  # a wrong name is told before the long work
        from spatialflow.checkpoints import load_model
        from spatialflow.inference.predictor import Predictor

        predictor = Predictor(load_model(path), device, precision, tta)
        return predictor, str(predictor.hardware)
    if tta:
        raise ConfigError(f"--tta: {path} looks at a photo once; give the checkpoint it was exported from")
    if precision != "auto":
        raise ConfigError(f"--precision {precision}: {path} has its own; leave it out")
    if device not in _PROVIDERS:
        raise ConfigError(f"--device {device}: ONNX Runtime does not know it; use {', '.join(_PROVIDERS)}")
    provider = f"{_PROVIDERS[device]}ExecutionProvider"
    exported = OnnxPredictor(path, providers=[provider], threads=torch.get_num_threads())
    return exported, exported.hardware
