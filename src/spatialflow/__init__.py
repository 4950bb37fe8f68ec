"""Panoptic segmentation with SpatialFlow (Chen et al., IEEE TCSVT 2020) in plain PyTorch."""

from spatialflow.categories import Categories, Category
from spatialflow.checkpoints import load_model, save_model
from spatialflow.config import Config, load_config
from spatialflow.errors import SpatialFlowError
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.inference import Predictor, load_image
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.structures import DenseOutputs, PanopticPrediction, Segment

__version__ = "0.1.0"

__all__ = [
    "Categories",
    "Category",
    "Config",
    "DenseOutputs",
    "PQResult",
    "PanopticPrediction",
    "Predictor",
    "Segment",
    "SpatialFlow",
    "SpatialFlowError",
    "build_model",
    "evaluate_pq",
    "load_config",
    "load_image",
    "load_model",
    "save_model",
]
