"""The guides of ``docs/``: what they tell one to run, run in the test's own process."""

import re
import shlex
from pathlib import Path
from typing import Any

from make_cli import Command

DOCS = Path(__file__).parents[1] / "docs"


def run_guide(name: str, spatialflow: Command) -> str:
    """Run every ``bash`` and ``python`` block of a guide in order, in the working directory.

    Returns:
        What the commands printed.
    """
    said, names = "", dict[str, Any]()
    text = (DOCS / name).read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(bash|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "spatialflow", line
            done = spatialflow(*arguments)
            assert done.code == 0, f"{line}\n{done.err}"
            said += done.out
    return said
