"""From photos to panoptic predictions, one at a time or by the folder."""

from spatialflow.inference.predictor import Predictor

__all__ = ["Predictor"]
