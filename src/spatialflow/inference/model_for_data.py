"""Which model is evaluated on a recipe's data: what the checkpoint says, and what the recipe may change."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from spatialflow.checkpoints.files import load_checkpoint
from spatialflow.config import Config, override_config
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.models.weights import load_weights

PREPARATION = ("mean", "std", "test_scale", "tta")
"""Keys of ``data`` that say what a photo goes through before the network: a trained model has its own."""


def model_for_data(
    checkpoint: str | os.PathLike[str], config: Config, overrides: Sequence[str] = ()
) -> tuple[SpatialFlow, list[str]]:
    """The model to evaluate with a recipe's data.

    One of our checkpoints says itself what model it is of and how photos are prepared for it; the original's
    files do not, so the recipe says it.

    Args:
        checkpoint: a file, or a shipped one's name.
        config: the recipe, with ``overrides`` already in it.
        overrides: what the user wrote; those of the model and of the preparation go before the checkpoint.

    Returns:
        The model, and a line for the user if the recipe differs from the checkpoint.

    Raises:
        CheckpointError: see :func:`spatialflow.load_model`.
        ConfigError: an override is wrong.
    """
    loaded = load_checkpoint(checkpoint, default=config)
    meant = [
        override
        for override in overrides
        if override.startswith(("model.", *(f"data.{key}{end}" for key in PREPARATION for end in "=.")))
    ]
    own = override_config(loaded.config, meant, str(checkpoint))
    model = build_model(own, loaded.categories)
    load_weights(model, loaded.state, str(checkpoint))
    differing = [
        *_differences(own.model.model_dump(), config.model.model_dump(), "model"),
        *(f"data.{key}" for key in PREPARATION if getattr(own.data, key) != getattr(config.data, key)),
    ]
    if not differing:
        return model.eval(), []
    more = f" and {len(differing) - 4} more" if len(differing) > 5 else ""
    named = ", ".join(differing[: 4 if more else 5])
    return model.eval(), [
        f"{checkpoint} and the recipe {config.name} differ in {named}{more}; the checkpoint's values are "
        f"used, KEY=VALUE on the command line changes one"
    ]


def _differences(one: dict[str, Any], other: dict[str, Any], path: str) -> Iterator[str]:
    """Dotted names of the values that differ, without those that only training reads."""
    for key, value in one.items():
        name = f"{path}.{key}"
        if isinstance(value, dict) and isinstance(other[key], dict) and key != "backbone_options":
            yield from _differences(value, other[key], name)
        elif value != other[key] and key not in ("pretrained", "frozen_stages", "freeze_batch_norm"):
            yield name
