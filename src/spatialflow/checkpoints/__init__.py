"""Reading and writing weights: our own files and those of the original code."""

from spatialflow.checkpoints.files import load_checkpoint, load_model, save_model

__all__ = ["load_checkpoint", "load_model", "save_model"]
