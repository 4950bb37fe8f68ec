"""Errors a user can cause and mend; the command line prints them as one line and exits with 2."""


class SpatialFlowError(Exception):
    """Base of every error that is the input's fault, not the program's.

    The message is one line that names the file, the field and the remedy.
    """


class ConfigError(SpatialFlowError, ValueError):
    """A recipe, a key or a value of the configuration is wrong."""


class DataError(SpatialFlowError, ValueError):
    """An image, an annotation file or a prediction file is missing or wrong."""


class CheckpointError(SpatialFlowError, ValueError):
    """A checkpoint is missing, unreadable, or of another model."""


class OutputError(SpatialFlowError, OSError):
    """A result could not be written."""
