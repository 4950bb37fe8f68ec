"""Running the pages of the documentation."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs_pages import DOCS, blocks, run_block, run_here

RunPage = Callable[..., str]


@pytest.fixture
def run_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunPage:
    """Run the blocks of a page in order, in ``tmp_path``; the result is what they wrote to standard output.

    With ``together`` the blocks of Python know each other's names, as the page then says; with ``apart`` each
    block has a process of its own, which those need that start further ones.
    """

    def call(name: str, *, together: bool = False, apart: bool = False) -> str:
        said, shared = "", dict[str, Any]()
        for block in blocks(DOCS / name):
            if block.language not in ("bash", "python") or block.why_not_run:
                continue
            with contextlib.chdir(tmp_path):
                if not apart and run_here(block, shared if together else {}):
                    said += capsys.readouterr().out
                else:
                    said += run_block(block, tmp_path)
        return said

    return call
