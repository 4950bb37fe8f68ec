"""Metrics, and the files they are computed from."""
