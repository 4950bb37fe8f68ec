"""Weights on disk.

Ours are ``.safetensors`` files whose metadata hold the config and the categories, or the ``.ckpt`` files
training writes, which hold both as JSON beside the optimiser's state. The original's ``.pth`` files are read
as they are. Everything is loaded without unpickling code (``weights_only=True``).
"""

import json
import os
import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spatialflow.categories import Categories
from spatialflow.checkpoints import original
from spatialflow.config import Config, config_from_dict, load_config
from spatialflow.errors import CheckpointError, OutputError
from spatialflow.files import atomic_path
from spatialflow.models.spatialflow import SpatialFlow, build_model

FORMAT = "spatialflow-1"
SHIPPED = ("tiny",)
"""Names of the checkpoints inside the package."""
_REMEDY = (
    "so name the recipe it was trained with, or what differs, such as model.backbone=resnet101.tv_in1k or "
    "data.categories=FILE (in Python: sf.load_model(path, config=...))"
)


class Checkpoint(NamedTuple):
    """A file's weights under our names, and what model they are of."""

    state: dict[str, Tensor]
    config: Config
    categories: Categories


def load_model(
    path: str | os.PathLike[str], config: Config | str | None = None, device: str | torch.device | None = None
) -> SpatialFlow:
    """Read a model, ready to predict (evaluation mode).

    Args:
        path: our ``.safetensors`` or ``.ckpt``, an original ``.pth``, or a shipped one's name (``tiny``).
        config: what the model is; by default what the file says. Its architecture must fit the file.
        device: where to put it; the CPU by default.

    Raises:
        CheckpointError: missing or foreign file, or a key that is missing, left over, or of another shape.
    """
    checkpoint = load_checkpoint(path, config)
    model = build_model(checkpoint.config, checkpoint.categories)
    load_weights(model, checkpoint.state, str(path))
    return model.to(device or "cpu").eval()


def load_checkpoint(
    path: str | os.PathLike[str], config: Config | str | None = None, *, default: Config | None = None
) -> Checkpoint:
    """Read a file's weights and description without building the model.

    Args:
        path: see :func:`load_model`.
        config: see :func:`load_model`.
        default: what the model is if neither ``config`` nor the file says so, as the original's files do not.

    Raises:
        CheckpointError: see :func:`load_model`.
    """
    if isinstance(config, str):
        config = load_config(config)
    with resources.as_file(_locate(path)) as file:
        state, metadata = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    source = str(path)
    if original.is_original(state):
        config = config or default
        categories = Categories.load(config.data.categories if config else "coco_panoptic")
        config = config or load_config(original.recipe(state, source))
        state = original.convert(state, source)
    else:
        if metadata is None:
            raise CheckpointError(
                f"{source}: holds weights but neither our config nor SpatialFlow's layers; give a file "
                f"written by `spatialflow train`, or one of the original's checkpoints"
            )
        config = config or config_from_dict(_parse(metadata, "config", source), source)
        categories = Categories.from_json(_parse(metadata, "categories", source), source)
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{source}: {key}: has values that are no numbers (NaN or infinite), as after a training "
                f"that diverged; take an earlier checkpoint"
            )
    return Checkpoint(state, config, categories)


def save_model(model: SpatialFlow, path: str | os.PathLike[str], dtype: torch.dtype | None = None) -> None:
    """Write weights, config and categories as ``.safetensors``, atomically.

    Args:
        model: what to write.
        path: where; must end in ``.safetensors``.
        dtype: store floating-point tensors in this type (float16 halves the file).

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    check_weights_name(path)
    state = {
        key: (tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor).contiguous().cpu()
        for key, tensor in model.state_dict().items()
    }
    with atomic_path(path) as temporary:
        try:
            save_file(state, temporary, metadata=describe(model))
        except SafetensorError as error:
            raise OutputError(
                f"{path}: cannot be written ({error}); free some space and try again"
            ) from error


def check_weights_name(path: str | os.PathLike[str]) -> None:
    """Refuse names of files that :func:`save_model` does not write.

    Raises:
        CheckpointError: it does not end in ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise CheckpointError(f"{path}: our weights end in .safetensors; rename the output")


def describe(model: SpatialFlow) -> dict[str, str]:
    """What a checkpoint says of its model: format, config and categories as JSON."""
    return {
        "format": FORMAT,
        "config": model.config.model_dump_json(),
        "categories": json.dumps(model.categories.to_json()),
    }


def load_weights(model: SpatialFlow, state: Mapping[str, Tensor], source: str) -> None:
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


def _parse(metadata: Mapping[str, Any], key: str, source: str) -> Any:
    try:
        return json.loads(metadata[key])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source}: {key}: is missing or no JSON, so the file is damaged; fetch or write it again"
        ) from error


def _locate(path: str | os.PathLike[str]) -> Any:
    name = str(path)
    if name in SHIPPED and not Path(path).is_file():  # a folder of that name hides nothing
        return resources.files("spatialflow").joinpath("weights", f"{name}.safetensors")
    file = Path(path)
    if file.is_dir():
        raise CheckpointError(f"{path}: is a folder; give the checkpoint file in it")
    if not file.exists():
        raise CheckpointError(
            f"{path}: no such checkpoint; check the path, or use a shipped one: {', '.join(SHIPPED)}"
        )
    return file


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: is not a readable safetensors file ({error}); fetch it again"
        ) from error
    return state, metadata if metadata.get("format") == FORMAT else None


def _read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files, about which we say all in one line
            content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # foreign bytes make the unpickler stumble in every way, IndexError included
        raise CheckpointError(
            f"{path}: is not a checkpoint that can be loaded safely ({type(error).__name__}); it is "
            f"truncated, or no PyTorch file, or holds code; fetch it again, or give another"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(map(_is_weight, state.items())):
        raise CheckpointError(
            f"{path}: state_dict: is missing or holds no tensors; this is not a model checkpoint"
        )
    prefix = "model." if content.get("format") == FORMAT else "module."
    if all(key.startswith(prefix) for key in state):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return dict(state), dict(content) if content.get("format") == FORMAT else None


def _is_weight(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)
