"""The pages of the documentation, and running what they say.

A fenced block of ``bash`` or ``python`` is run as it stands, unless the line before it, which readers do not
see, says why not::

    <!-- not run: needs COCO -->
    ```bash
    spatialflow train spatialflow_r50_fpn_20e_coco
    ```
"""

import glob
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from spatialflow.cli.main import run

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


def commands_of(code: str) -> list[list[str]] | None:
    """Arguments of each command of a ``bash`` block; None if it needs a shell, or another program."""
    lines = code.replace("\\\n", " ").splitlines()
    plain = "".join(line.partition(" #")[0] for line in lines)
    if re.search(r"[|&;<>$`?~(]|['\"][^'\"]*\*", plain):
        return None
    commands = [_expanded(words) for line in lines if (words := shlex.split(line, comments=True))]
    return [line[1:] for line in commands] if all(line[0] == "spatialflow" for line in commands) else None


def _expanded(words: list[str]) -> list[str]:
    """With the files of this folder that a pattern means, as a shell does it."""
    return [file for word in words for file in (sorted(glob.glob(word)) or [word])]  # noqa: PTH207


def run_block(block: Block, folder: Path) -> str:
    """Run a block in a process of its own; what it wrote to standard output."""
    done = subprocess.run(
        [*_COMMAND[block.language], block.code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_here(block: Block, names: dict[str, Any]) -> bool:
    """Run a block in this process, which spares loading PyTorch; False if it needs a shell."""
    if block.language == "python":
        exec(compile(block.code, "block", "exec"), names)
        return True
    commands = commands_of(block.code)
    for arguments in commands or ():
        code = run(arguments)
        assert code == 0, f"spatialflow {shlex.join(arguments)}: exit code {code}"
    return commands is not None
