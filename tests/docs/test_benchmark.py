"""The guide on measuring speed: its commands run, and it explains every row and every field."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from docs_pages import DOCS
from spatialflow.profiling.stages import STAGES


def test_guide(run_page: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    said = run_page("benchmark.md")
    torch.set_num_threads(threads)
    text = (DOCS / "benchmark.md").read_text()
    for stage in STAGES:
        assert said.count(stage) >= 3
        assert any(stage in line.split("|")[1] for line in text.splitlines() if line.startswith("| ")), stage
    content = json.loads(Path("numbers.json").read_text())
    fields = [*content, *content["model"], *content["environment"], *content["results"][0]]
    explained = text[text.index("## JSON") :]
    assert [name for name in fields if f"`{name}`" not in explained] == []
    assert len(content["results"]) == Path("tables.md").read_text().count("### ") == 2
