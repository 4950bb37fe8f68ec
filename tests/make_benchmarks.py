"""The benchmarks' scripts, as modules and as commands."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load_benchmark(name: str) -> ModuleType:
    """A script as a module, with those beside it that it imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return importlib.import_module(name)


def run_benchmark(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "src"), "COLUMNS": "120"}
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
