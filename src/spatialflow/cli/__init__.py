"""The command line: ``spatialflow <command>``. Thin; what a command does is elsewhere in the package."""

from spatialflow.cli.main import main

__all__ = ["main"]
