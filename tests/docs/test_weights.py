"""The guide on weights: every command and line of Python in it is run as it stands, with a Hub of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from make_hub import running_hub


def test_guide(run_page: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with running_hub(monkeypatch) as hub:
        said = run_page("weights.md", together=True)
    assert "pushed: http" in said
    assert set(hub.files["me/my-model"]) == {"model.safetensors", "config.json", "README.md"}
    card = ModelCard.load(tmp_path / "my-model" / "README.md")
    assert card.data.license == "unknown"  # the last command has no evaluation, and names no licence
    assert "No evaluation was given" in card.text
    assert Path("results/panoptic/000001.png").exists()
