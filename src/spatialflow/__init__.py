"""Panoptic segmentation with SpatialFlow (Chen et al., IEEE TCSVT 2020) in plain PyTorch."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatialflow.categories import Categories, Category
    from spatialflow.checkpoints import load_model, save_model
    from spatialflow.config import Config, load_config
    from spatialflow.data.synthetic import draw_dataset
    from spatialflow.errors import SpatialFlowError
    from spatialflow.evaluation.panoptic_quality import evaluate_pq
    from spatialflow.evaluation.pq_result import PQResult
    from spatialflow.export.onnx_predictor import OnnxPredictor
    from spatialflow.inference import Predictor
    from spatialflow.inference.tiles import Tiling
    from spatialflow.models.spatialflow import SpatialFlow, build_model
    from spatialflow.photo import load_image
    from spatialflow.structures import DenseOutputs, PanopticPrediction, Segment
    from spatialflow.video import Tracker, TrackerConfig, VideoResult, segment_video

__version__ = "0.1.0"

__all__ = [
    "Categories",
    "Category",
    "Config",
    "DenseOutputs",
    "OnnxPredictor",
    "PQResult",
    "PanopticPrediction",
    "Predictor",
    "Segment",
    "SpatialFlow",
    "SpatialFlowError",
    "Tiling",
    "Tracker",
    "TrackerConfig",
    "VideoResult",
    "build_model",
    "draw_dataset",
    "evaluate_pq",
    "load_config",
    "load_image",
    "load_model",
    "save_model",
    "segment_video",
]

# Imported at first use: PyTorch takes seconds, which `spatialflow --help` need not.
_HOME = {
    "Categories": "categories",
    "Category": "categories",
    "Config": "config",
    "DenseOutputs": "structures",
    "OnnxPredictor": "export.onnx_predictor",
    "PQResult": "evaluation.pq_result",
    "PanopticPrediction": "structures",
    "Predictor": "inference",
    "Segment": "structures",
    "SpatialFlow": "models.spatialflow",
    "SpatialFlowError": "errors",
    "Tiling": "inference.tiles",
    "Tracker": "video",
    "TrackerConfig": "video",
    "VideoResult": "video",
    "build_model": "models.spatialflow",
    "draw_dataset": "data.synthetic",
    "evaluate_pq": "evaluation.panoptic_quality",
    "load_config": "config",
    "load_image": "photo",
    "load_model": "checkpoints",
    "save_model": "checkpoints",
    "segment_video": "video",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted({*globals(), *__all__})
