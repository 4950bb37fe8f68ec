"""The ablation's script, with a few steps on a few photos."""

import contextlib
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import spatialflow as sf
from make_benchmarks import load_benchmark
from spatialflow.files import read_json


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    return load_benchmark("ablation")


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    (last,) = folder.rglob("last.ckpt")
    return sf.load_model(last).state_dict()


@pytest.mark.slow
def test_every_variant_is_trained_once(
    ablation: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = ["--images", "16", "--val-images", "4", "--steps", "2", "--seeds", "1"]
    out = tmp_path / "out"

    def run_here(*further: str) -> tuple[str, str]:
        """Without a process for each training: loading PyTorch takes longer than the two steps."""
        monkeypatch.setattr(sys, "argv", ["ablation.py", "--out", str(out), *small, *further])
        ablation.main()
        return tuple(capsys.readouterr())

    def train_here(run: Any, out: Path) -> None:
        torch.set_num_threads(1)  # as the script's own processes have it
        with contextlib.redirect_stdout(io.StringIO()):
            ablation.train_one(out, run, ablation.Settings(**read_json(out / "settings.json")))

    threads = torch.get_num_threads()
    with monkeypatch.context() as patch:
        patch.setattr(ablation, "start", train_here)
        patch.setattr(ablation, "number_of_cores", lambda: 1)
        said, _ = run_here()
    torch.set_num_threads(threads)
    lines = said.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:8]]
    assert names == ["none", "all", "reg_to_cls", "reg_to_stuff", "reg_to_mask", "stuff_to_mask"]
    assert [line.split("|")[3].strip() for line in lines[2:8]] == ["1"] * 6
    sizes = {name: read_json(out / f"{name}-0.json")["parameters"] for name in names}
    # each flow of this model is a convolution from 64 to 64 channels, in both layers of cls and of stuff
    conv = 64 * 64 * 9 + 64
    assert sizes["reg_to_cls"] == sizes["reg_to_stuff"] == sizes["none"] + 2 * conv
    assert sizes["reg_to_mask"] == sizes["stuff_to_mask"] == sizes["none"] + conv
    assert sizes["all"] == sizes["none"] + 6 * conv

    before = weights_of(out / "models" / "reg_to_mask-0")
    (out / "reg_to_mask-0.json").unlink()
    again, told = run_here()
    assert "5 of 6 runs are done already" in told
    assert told.count(": begins") == 1
    assert again == said
    after = weights_of(out / "models" / "reg_to_mask-0")  # made in a process of its own
    assert all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(SystemExit, match="holds runs of other settings"):
        run_here("--images", "17")


def test_table_and_reading(ablation: ModuleType) -> None:
    results = {}
    for variant, seed, pq in (("none", 0, 70.0), ("all", 0, 71.0), ("none", 1, 72.0), ("all", 1, 75.0)):
        results[ablation.Run(variant, seed)] = _numbers(pq)
    for variant in ablation.FLOWS:
        results[ablation.Run(variant, 0)] = _numbers(60.0)
    lines = ablation.table(results).splitlines()
    assert lines[2] == "| none | 2.00 M | 2 | 71.0 ± 1.4 | 72.0 ± 1.4 | 70.0 ± 1.4 |"
    assert lines[4] == "| reg_to_cls | 2.00 M | 1 | 60.0 | 61.0 | 59.0 |"
    expected = "All flows against none, seed by seed: +1.0, +3.0 PQ. Mean +2.0, standard error 1.0."
    assert ablation.reading(results) == expected


def _numbers(pq: float) -> dict[str, float]:
    return {"all": pq, "things": pq + 1, "stuff": pq - 1, "parameters": 2_000_000, "seconds": 1.0}


def test_runs_of_a_table(ablation: ModuleType) -> None:
    runs = ablation.planned(3)
    assert len(runs) == len(set(runs)) == 10
    assert sum(run.variant == "all" for run in runs) == sum(run.variant == "none" for run in runs) == 3
