"""Weights on disk.

Ours are ``.safetensors`` files whose metadata hold the config and the categories, folders with one beside a
``config.json`` (here or on the Hugging Face Hub), or the ``.ckpt`` files training writes, which hold both as
JSON beside the optimiser's state. The original's ``.pth`` files are read as they are. Everything is loaded
without unpickling code (``weights_only=True``).
"""

import os
import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spatialflow.categories import Categories
from spatialflow.checkpoints import original
from spatialflow.config import Config, load_config
from spatialflow.errors import CheckpointError
from spatialflow.files import atomic_path
from spatialflow.models.folder import read_folder
from spatialflow.models.hub import fetch, is_hub_id
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.models.weights import (
    FORMAT,
    Checkpoint,
    as_numbers,
    load_weights,
    read_description,
    read_safetensors,
    write_safetensors,
)

SHIPPED = ("tiny",)
"""Names of the checkpoints inside the package."""


def load_model(
    path: str | os.PathLike[str], config: Config | str | None = None, device: str | torch.device | None = None
) -> SpatialFlow:
    """Read a model, ready to predict (evaluation mode).

    Args:
        path: our ``.safetensors`` or ``.ckpt``, a folder that ``save_pretrained`` wrote, an original
            ``.pth``, a shipped one's name (``tiny``), or ``OWNER/NAME`` of a model on the Hugging Face Hub,
            unless there is a folder OWNER here.
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
    found = _locate(path)
    if isinstance(found, Path) and found.is_dir():
        return read_folder(found, str(path), config)
    with resources.as_file(found) as file:
        state, metadata = read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
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
        config, categories = read_description(metadata, source, config)
    return Checkpoint(as_numbers(state, source), config, categories)


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
    with atomic_path(path) as temporary:
        write_safetensors(model, temporary, dtype, str(path))


def check_weights_name(path: str | os.PathLike[str]) -> None:
    """Refuse names of files that :func:`save_model` does not write.

    Raises:
        CheckpointError: it does not end in ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise CheckpointError(f"{path}: our weights end in .safetensors; rename the output")


def _locate(path: str | os.PathLike[str]) -> Any:
    name = str(path)
    if name in SHIPPED and not Path(path).is_file():  # a folder of that name hides nothing
        return resources.files("spatialflow").joinpath("weights", f"{name}.safetensors")
    file = Path(path)
    if file.exists():
        return file
    if is_hub_id(name) and not file.parent.exists():  # runs/bset is a slip, where there is a folder runs
        return fetch(name)
    raise CheckpointError(
        f"{path}: no such checkpoint; check the path, or use a shipped one: {', '.join(SHIPPED)}"
    )


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
