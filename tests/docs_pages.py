"""The pages of the documentation, and running what they say.

A fenced block of ``bash`` or ``python`` is run as it stands, unless the line before it, which readers do not
see, says why not::

    <!-- not run: needs COCO -->
    ```bash
    spatialflow train spatialflow_r50_fpn_20e_coco
    ```
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>.+?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)
_COMMAND = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    why_not_run: str | None


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(m["language"], m["code"], m["why"]) for m in _BLOCK.finditer(page.read_text())]


def code(page: Path, language: str) -> list[str]:
    """The blocks of one language."""
    return [block.code for block in blocks(page) if block.language == language]


def environment() -> dict[str, str]:
    """In which ``spatialflow`` is this checkout's, with one thread a process."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
    }


def run_page(page: Path, folder: Path) -> str:
    """Run the blocks of a page one after the other in ``folder``; all that they wrote to standard output."""
    said = []
    for block in blocks(page):
        if block.language not in _COMMAND or block.why_not_run:
            continue
        done = subprocess.run(
            [*_COMMAND[block.language], block.code],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{page.name}: {block.code}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    return "\n".join(said)
