"""A model as a folder: ``config.json`` for people and programs, ``model.safetensors``, and a model card.

``config.json`` has the sections of a recipe (``model``: architecture, anchors, detection, merge; ``data``:
how photos are prepared; ...) as they are in :mod:`spatialflow.config`, and the categories. In a folder it is
what counts. The weight file says the same of itself, so that it can also be used alone.
"""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spatialflow.categories import Categories
from spatialflow.config import Config, config_from_dict
from spatialflow.errors import CheckpointError, DataError, OutputError
from spatialflow.files import atomic_path, read_json
from spatialflow.models.hub import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from spatialflow.models.model_card import MARK
from spatialflow.models.weights import (
    FORMAT,
    Checkpoint,
    as_numbers,
    read_description,
    read_safetensors,
    write_safetensors,
)

if TYPE_CHECKING:
    from spatialflow.models.spatialflow import SpatialFlow

LIBRARY = "spatialflow"
_HEAD = ("library_name", "library_version", "format", "architectures", "model_type")
"""Keys of ``config.json`` that are neither sections of a recipe nor the categories."""
_log = logging.getLogger(__name__)


def write_folder(model: "SpatialFlow", folder: Path, card: str, dtype: torch.dtype | None = None) -> None:
    """Write the three files, which appear together at the end.

    A model card that a person wrote stays as it is.

    Raises:
        OutputError: the folder cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; give the name of a folder")
    own_card = folder / CARD_FILE
    keep_card = own_card.exists() and MARK not in own_card.read_text(encoding="utf-8", errors="replace")
    with ExitStack() as stack:
        paths = {
            name: stack.enter_context(atomic_path(folder / name))
            for name in (CARD_FILE, CONFIG_FILE, WEIGHTS_FILE)
            if not (keep_card and name == CARD_FILE)
        }
        write_safetensors(model, paths[WEIGHTS_FILE], dtype, str(folder / WEIGHTS_FILE))
        text = json.dumps(_to_json(model), indent=2, ensure_ascii=False)
        paths[CONFIG_FILE].write_text(f"{text}\n", encoding="utf-8")
        if not keep_card:
            paths[CARD_FILE].write_text(card, encoding="utf-8")
    if keep_card:
        _log.info("%s: was not made by spatialflow, so it stays as it is", own_card)


def _to_json(model: "SpatialFlow") -> dict[str, Any]:
    return {
        "library_name": LIBRARY,
        "library_version": version(LIBRARY),
        "format": FORMAT,
        "model_type": LIBRARY,
        "architectures": [type(model).__name__],
        **model.config.model_dump(mode="json"),
        "categories": model.categories.to_json(),
    }


def read_folder(folder: Path, source: str, config: Config | None = None) -> Checkpoint:
    """Weights, config and categories of a folder that :func:`write_folder` wrote.

    Args:
        folder: here or in the cache of the Hub.
        source: what errors call it.
        config: what the model is; by default what ``config.json`` says.

    Raises:
        CheckpointError: a file is missing, damaged or of another library.
        ConfigError: ``config.json`` has a wrong key or value.
        DataError: its categories are wrong.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{source}: is a folder without {name}; give one that save_pretrained or `spatialflow "
                f"convert hub` wrote, or the checkpoint file in it"
            )
    name = f"{source}/{CONFIG_FILE}"
    content = _read_config(folder / CONFIG_FILE, name)
    categories = Categories.from_json(content.pop("categories", None), name)
    own = config or config_from_dict({k: v for k, v in content.items() if k not in _HEAD}, name)
    state, metadata = read_safetensors(folder / WEIGHTS_FILE)
    if metadata is not None and config is None:
        _compare((own, categories), read_description(metadata, f"{source}/{WEIGHTS_FILE}"), source)
    return Checkpoint(as_numbers(state, f"{source}/{WEIGHTS_FILE}"), own, categories)


def _read_config(path: Path, name: str) -> dict[str, Any]:
    try:
        content = read_json(path)
    except DataError as error:
        raise CheckpointError(str(error).replace(str(path), name)) from error
    if not isinstance(content, dict) or content.get("library_name") != LIBRARY:
        whose = (
            content.get("model_type") or content.get("library_name") if isinstance(content, dict) else None
        )
        also = f" but of {whose!r}" if whose else ""
        raise CheckpointError(
            f"{name}: library_name: is not {LIBRARY!r}, so the folder is no model of ours{also}; give a "
            f"folder that save_pretrained wrote"
        )
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{name}: format: {content.get('format')!r} is not {FORMAT!r}, which this version reads; update "
            f"spatialflow (the file was written by {content.get('library_version', 'another version')})"
        )
    return content


def _compare(own: tuple[Config, Categories], file: tuple[Config, Categories], source: str) -> None:
    """Note where the two descriptions of a folder differ, as after an edit of one."""
    ours, theirs = own[0].model_dump(mode="json"), file[0].model_dump(mode="json")
    differing = [
        *_differences(ours, theirs),
        *(["categories"] if own[1].to_json() != file[1].to_json() else []),
    ]
    if differing:
        _log.info(
            "%s: %s and %s differ in %s; those of %s are used",
            source,
            CONFIG_FILE,
            WEIGHTS_FILE,
            ", ".join(differing[:5]) + (" ..." if len(differing) > 5 else ""),
            CONFIG_FILE,
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the values that differ."""
    names: list[str] = []
    for key in [*one, *(k for k in other if k not in one)]:
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            names += _differences(left, right, f"{prefix}{key}.")
        elif left != right:
            names.append(f"{prefix}{key}")
    return names
