"""The notebook: every cell runs, on the public API only, and it is kept without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import spatialflow as sf
from docs_pages import ROOT, environment

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def cells() -> list[nbformat.NotebookNode]:
    found: list[nbformat.NotebookNode] = nbformat.read(NOTEBOOK, as_version=4).cells
    return found


def test_is_kept_without_outputs() -> None:
    for cell in cells():
        if cell.cell_type == "code":
            assert not cell.outputs, "clear the outputs before committing"
            assert cell.execution_count is None


def test_uses_public_names_only() -> None:
    source = "\n".join(cell.source for cell in cells() if cell.cell_type == "code")
    assert set(re.findall(r"\bsf\.(\w+)", source)) <= set(sf.__all__)
    assert not re.search(r"(from|import) spatialflow\.", source)


@pytest.mark.slow
def test_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    quality = re.search(r"all +PQ +([\d.]+)", said)
    assert quality is not None
    assert float(quality[1]) > 70
    pictures = [o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 5
    assert (tmp_path / "quickstart" / "runs" / "first" / "best.ckpt").is_file()
