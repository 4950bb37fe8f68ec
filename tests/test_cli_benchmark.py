"""``spatialflow benchmark`` as it is called."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from make_cli import Command
from make_model import tiny_model
from spatialflow.checkpoints import save_model
from spatialflow.image_io import write_photo


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_model(tiny_model(), tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


def test_checkpoint_at_two_sizes(spatialflow: Command, checkpoint: Path, tmp_path: Path) -> None:
    json_out, markdown_out = tmp_path / "numbers.json", tmp_path / "tables.md"
    done = spatialflow(
        *("benchmark", "-c", checkpoint, "--size", "64x96", "--size", "70x64", "--runs", 1, "--warm-up", 0),
        *("--precision", "fp32", "--device", "cpu", "--json-out", json_out, "--markdown-out", markdown_out),
    )
    assert done.code == 0, done.err
    content = json.loads(json_out.read_text())
    assert [r["network_input"] for r in content["results"]] == [[1, 3, 64, 96], [1, 3, 96, 64]]
    assert [r["photo_sizes"] for r in content["results"]] == [[[64, 96]], [[70, 64]]]
    assert content["model"]["parameters"] == sum(p.numel() for p in tiny_model().parameters())
    for name in ("mask head", "whole, stages not timed", "GFLOPs", "peak memory", "threads on"):
        assert name in done.out
    assert markdown_out.read_text().count("| mask head |") == 2


def test_recipe_and_photos(spatialflow: Command, tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (50, 100, 3), np.uint8))
    done = spatialflow(
        *("benchmark", "--recipe", "spatialflow_tiny", "--photo", tmp_path / "a.jpg", "--runs", 1),
        *("--batch", 2, "--threads", torch.get_num_threads(), "--json-out", tmp_path / "n.json"),
        *("model.head_convs=1", "data.categories=coco_panoptic"),
    )
    assert done.code == 0, done.err
    assert "random weights" in done.out
    (result,) = json.loads((tmp_path / "n.json").read_text())["results"]
    assert result["network_input"] == [2, 3, 96, 160]  # 160 x 128 at most: 80 x 160, padded
    assert result["detections"] == 200
    assert result["photo_sizes"] == [[50, 100]] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either --checkpoint FILE or --recipe RECIPE"),
        (["-c", "tiny", "--recipe", "spatialflow_tiny"], "give either"),
        (["-c", "tiny", "--size", "800"], "--size 800: is not HxW"),
        (["-c", "tiny", "--size", "0x64"], "--size 0x64: is not HxW"),
        (["-c", "tiny", "--size", "32x64"], "drawn photos have 64 pixels a side at least"),
        (["-c", "tiny", "--photo", "absent.jpg"], "absent.jpg: no such photo"),
        (["--recipe", "spatialflow_tinny"], "spatialflow_tinny"),
        (["-c", "tiny", "--device", "tpu9"], "tpu9"),
        (["-c", "tiny", "--markdown-out", "."], "give --markdown-out the name of a file"),
    ],
)
def test_mistakes(spatialflow: Command, arguments: list[str], said: str) -> None:
    done = spatialflow("benchmark", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
