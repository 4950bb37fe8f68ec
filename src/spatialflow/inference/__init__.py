"""From photos to panoptic predictions, one at a time or by the folder."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatialflow.inference.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Import ``Predictor`` at its first use: what else is here needs no network's code."""
    if name == "Predictor":
        from spatialflow.inference.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
