"""Weights of one model as the start of another that differs in classes or heads."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor

from spatialflow.errors import CheckpointError
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.models.weights import Checkpoint

_OF_CLASSES = ("cls_predictor", "stuff_head.logits", "mask_head.logits")
"""Layers with outputs for each class."""


class Fit(NamedTuple):
    """What became of a file's layers."""

    anew: list[str]
    """A line for each layer of the model that stays as it was initialised, with the reason."""
    left_out: list[str]
    """Layers of the file that the model does not have."""
    keeps_classes: list[str]
    """Layers with outputs for each class that were taken over."""


def load_fitting_weights(model: SpatialFlow, checkpoint: Checkpoint, source: str) -> Fit:
    """Copy every layer that fits; the others stay as they were initialised, weight and bias alike.

    Raises:
        CheckpointError: not even the backbone fits, so the file is of another architecture.
    """
    expected, state = model.state_dict(), checkpoint.state
    unfit = {key for key in expected if key not in state or state[key].shape != expected[key].shape}
    _check_backbone(model, state, unfit, source)
    anew = _layers(unfit)
    taken = {key: state[key] for key in expected if _layer(key) not in anew}
    model.load_state_dict(taken, strict=False)
    per_class = ["mask_head.logits"] if model.config.model.class_agnostic_masks else []
    return Fit(
        [_reason(layer, expected, state) for layer in anew],
        _layers(key for key in state if key not in expected),
        [layer for layer in _OF_CLASSES if layer not in anew and layer not in per_class],
    )


def _check_backbone(model: SpatialFlow, state: Mapping[str, Tensor], unfit: set[str], source: str) -> None:
    expected = model.state_dict()
    for key in expected:
        if key in unfit and key.startswith("backbone."):
            what = f"has shape {tuple(state[key].shape)}" if key in state else "is missing"
            raise CheckpointError(
                f"{source}: {key}: {what}, {model.config.model.backbone} wants {tuple(expected[key].shape)}; "
                f"to start from these weights, set model.backbone and its options as the file has them"
            )


def _reason(layer: str, expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    for key, tensor in expected.items():
        if _layer(key) == layer and key in state and state[key].shape != tensor.shape:
            return f"{layer}: {tuple(state[key].shape)} in the file, {tuple(tensor.shape)} here"
    return f"{layer}: not in the file"


def _layers(keys: Iterable[str]) -> list[str]:
    return sorted({_layer(key) for key in keys})


def _layer(key: str) -> str:
    return key.rpartition(".")[0]
