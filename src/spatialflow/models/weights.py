"""Our own weights: a ``.safetensors`` file that says itself what model it is of."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spatialflow.categories import Categories
from spatialflow.config import Config, config_from_dict
from spatialflow.errors import CheckpointError, OutputError

if TYPE_CHECKING:
    from spatialflow.models.spatialflow import SpatialFlow

FORMAT = "spatialflow-1"
"""Of everything we write: a file of another version says so."""
_REMEDY = (
    "so name the recipe it was trained with, or what differs, such as model.backbone=resnet101.tv_in1k or "
    "data.categories=FILE (in Python: sf.load_model(path, config=...))"
)


class Checkpoint(NamedTuple):
    """A file's weights under our names, and what model they are of."""

    state: dict[str, Tensor]
    config: Config
    categories: Categories


def describe(model: "SpatialFlow") -> dict[str, str]:
    """What a checkpoint says of its model: format, config and categories as JSON."""
    return {
        "format": FORMAT,
        "config": model.config.model_dump_json(),
        "categories": json.dumps(model.categories.to_json()),
    }


def read_description(
    metadata: Mapping[str, Any], source: str, config: Config | None = None
) -> tuple[Config, Categories]:
    """The config (unless another is given) and the categories of what :func:`describe` made.

    Raises:
        CheckpointError: one is missing or no JSON.
        ConfigError: the config is not one of ours.
    """
    config = config or config_from_dict(_parse(metadata, "config", source), source)
    return config, Categories.from_json(_parse(metadata, "categories", source), source)


def _parse(metadata: Mapping[str, Any], key: str, source: str) -> Any:
    try:
        return json.loads(metadata[key])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source}: {key}: is missing or no JSON, so the file is damaged; fetch or write it again"
        ) from error


def write_safetensors(
    model: "SpatialFlow", path: Path, dtype: torch.dtype | None = None, shown: str | None = None
) -> None:
    """Write weights and description; not atomically, so give a temporary name.

    Args:
        model: what to write.
        path: the file.
        dtype: store floating-point tensors in this type.
        shown: what errors call the file; by default ``path``.

    Raises:
        OutputError: it cannot be written.
    """
    state = {
        key: (tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor).contiguous().cpu()
        for key, tensor in model.state_dict().items()
    }
    try:
        save_file(state, path, metadata=describe(model))
    except SafetensorError as error:
        raise OutputError(
            f"{shown or path}: cannot be written ({error}); free some space and try again"
        ) from error


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """Tensors, and the description if the file is one of ours.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: is not a readable safetensors file ({error}); fetch it again"
        ) from error
    return state, metadata if metadata.get("format") == FORMAT else None


def as_numbers(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Floating-point tensors as float32, all of them finite.

    Raises:
        CheckpointError: it names the first tensor with NaN or infinity.
    """
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{source}: {key}: has values that are no numbers (NaN or infinite), as after a training "
                f"that diverged; take an earlier checkpoint"
            )
    return state


def load_weights(model: "SpatialFlow", state: Mapping[str, Tensor], source: str) -> None:
    """Copy a state dict into a model; every key must fit.

    Raises:
        CheckpointError: it names the first key that is missing, left over, or of another shape.
    """
    expected = model.state_dict()
    for key, tensor in expected.items():
        if key in state and state[key].shape != tensor.shape:
            raise CheckpointError(
                f"{source}: {key}: has shape {tuple(state[key].shape)}, the model {model.config.name} wants "
                f"{tuple(tensor.shape)}; it was trained with another architecture or class count, {_REMEDY}"
            )
    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected]
    for keys, what in ((missing, "is missing for the model"), (extra, "is not part of the model")):
        if keys:
            more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
            raise CheckpointError(
                f"{source}: {keys[0]}{more}: {what} {model.config.name}; the file is of another "
                f"architecture, {_REMEDY}"
            )
    model.load_state_dict(state)
