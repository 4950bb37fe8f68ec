"""``spatialflow convert hub``, and folders as checkpoints of the other commands."""

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from make_cli import Command
from make_model import TOY, tiny_model
from spatialflow.checkpoints import save_model
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.image_io import write_photo


def test_checkpoint_to_folder_to_prediction(spatialflow: Command, tmp_path: Path) -> None:
    save_model(tiny_model(), tmp_path / "toy.safetensors")
    counts = np.array([[1.5, 2, 1, 1], [0.6, 1, 0, 0], [3.0, 4, 0, 0], [0.0, 0, 1, 3]])
    numbers = tmp_path / "numbers.json"
    numbers.write_text(json.dumps(PQResult.from_counts(counts, TOY).to_json()))
    out = tmp_path / "toy"
    done = spatialflow(
        "convert", "hub", tmp_path / "toy.safetensors", out, "--evaluation", numbers, "--license", "mit"
    )
    assert done.code == 0, done.err
    assert "toy, classes: 2 things, 2 stuff" in done.out.replace("\n", " ")
    card = ModelCard.load(out / "README.md")
    assert card.data.license == "mit"
    assert {r.metric_name: r.metric_value for r in card.data.eval_results}["PQ (things)"] == 55
    write_photo(tmp_path / "photo.jpg", np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    results = []
    for checkpoint in (out, tmp_path / "toy.safetensors"):
        where = tmp_path / f"results{len(results)}"
        assert spatialflow("predict", tmp_path / "photo.jpg", "-c", checkpoint, "--out", where).code == 0
        results.append((where / "panoptic" / "photo.png").read_bytes())
    assert results[0] == results[1]


def test_the_card_names_the_folder_and_the_size_is_that_of_the_weights(
    spatialflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tiny_model(), tmp_path / "toy.safetensors")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "other.bin").write_bytes(bytes(50 * 2**20))
    monkeypatch.chdir(tmp_path / "mine")
    done = spatialflow("convert", "hub", tmp_path / "toy.safetensors", ".")
    weights = Path("model.safetensors").stat().st_size / 2**20
    assert f"{weights:.1f} MiB" in done.out.replace("\n", " ")
    assert 'from_pretrained("mine")' in Path("README.md").read_text()


def test_mistakes(spatialflow: Command, tmp_path: Path) -> None:
    save_model(tiny_model(), tmp_path / "toy.safetensors")
    (tmp_path / "numbers.json").write_text("{}")
    done = spatialflow(
        "convert",
        "hub",
        tmp_path / "toy.safetensors",
        tmp_path / "o",
        "--evaluation",
        tmp_path / "numbers.json",
    )
    assert done.code == 2
    assert "numbers.json: All: is missing" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "o").exists()
    (tmp_path / "file").touch()
    done = spatialflow("convert", "hub", tmp_path / "toy.safetensors", tmp_path / "file")
    assert done.code == 2
    assert "file: is a file; give the name of a folder" in done.err
