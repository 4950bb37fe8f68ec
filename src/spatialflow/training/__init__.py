"""Optimisation, schedule, validation, checkpoints: ``spatialflow train``."""
