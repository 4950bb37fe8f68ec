"""From photos to panoptic predictions, one at a time or by the folder."""

from spatialflow.inference.predictor import Photo, Predictor, load_image

__all__ = ["Photo", "Predictor", "load_image"]
