"""The pages written by hand: their commands run, and what they quote is in the code."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs_pages import DOCS, ROOT, blocks, code


@pytest.mark.slow
def test_start(tmp_path: Path, run_page: Callable[..., str]) -> None:
    said = run_page("start.md")
    assert len(list((tmp_path / "results" / "overlay").glob("*.jpg"))) == 16
    assert (tmp_path / "overlay.jpg").is_file()
    assert "disc" in said


@pytest.mark.slow
def test_home(tmp_path: Path, run_page: Callable[..., str]) -> None:
    run_page("index.md")
    assert (tmp_path / "overlay.jpg").is_file()


@pytest.mark.slow
def test_train(tmp_path: Path, run_page: Callable[..., str]) -> None:
    said = run_page("train.md")
    run = tmp_path / "runs" / "first"
    assert {path.name for path in run.iterdir()} == {
        "best.ckpt",
        "last.ckpt",
        "logs",
    }
    assert (tmp_path / "runs" / "first" / "logs" / "metrics.csv").is_file()
    assert (tmp_path / "first.safetensors").is_file()
    assert "resumed    after step 10" in said
    assert "0.002 4" in said, "the Python at the end"


@pytest.mark.slow
def test_evaluate(tmp_path: Path, run_page: Callable[..., str]) -> None:
    said = run_page("evaluate.md")
    all_pq = [float(value) for value in re.findall(r"│ All +│ +([\d.]+)", said)]
    assert len(all_pq) >= 4, "evaluate, pq, metrics, tune"
    assert len(set(all_pq[:3])) == 1
    assert f"PQ {all_pq[0]:.1f}" in said, "the Python agrees"
    assert (tmp_path / "mistakes" / "index.html").is_file()
    assert (tmp_path / "scores.json").is_file()


@pytest.mark.slow
def test_video(tmp_path: Path, run_page: Callable[..., str]) -> None:
    said = run_page("video.md")
    assert "out.mp4: 40 frames in " in said
    assert re.search(r"^40 frames, \d+ things, ", said, re.MULTILINE), "the Python agrees"
    assert len(re.findall(r"^\[\(\d", said, re.MULTILINE)) == 5, "the tracker alone"
    assert "max_gap=60" in said
    assert len(list((tmp_path / "out" / "panoptic").glob("*.png"))) == 40
    assert (tmp_path / "again.mp4").is_file()


@pytest.mark.slow
def test_large_runs(run_page: Callable[..., str]) -> None:
    said = run_page("large-runs.md", apart=True)
    assert "hardware   2 x cpu" in said
    assert "2 processes" in said


def test_code_quoted_is_the_code() -> None:
    """The forward pass in the explanation, but for its annotations and docstring."""
    (quoted,) = code(DOCS / "how-it-works.md", "python")
    source = (ROOT / "src" / "spatialflow" / "models" / "subnets.py").read_text()
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    (subnets,) = [node for node in classes if node.name == "FlowSubnets"]
    (forward,) = [n for n in subnets.body if isinstance(n, ast.FunctionDef) and n.name == "forward"]
    (shown,) = ast.parse(quoted).body
    assert isinstance(shown, ast.FunctionDef)
    assert [ast.unparse(line) for line in shown.body] == [ast.unparse(line) for line in forward.body[1:]]


def test_python_parses_and_reasons_are_given() -> None:
    for page in DOCS.rglob("*.md"):
        for block in blocks(page):
            if block.language == "python":
                compile(block.code, page.name, "exec")
            assert block.why_not_run is None or len(block.why_not_run) > 5


def test_every_command_is_on_a_page(spatialflow) -> None:
    """Of those that ``--help`` lists, on a page that somebody wrote."""
    listed = re.findall(r"^│ ([a-z]\w+)  ", spatialflow("--help").out, re.MULTILINE)
    assert {"train", "evaluate", "predict", "pq"} <= set(listed)
    written = "".join(page.read_text() for page in DOCS.glob("*.md"))
    missing = [command for command in listed if f"spatialflow {command}" not in written]
    assert not missing
