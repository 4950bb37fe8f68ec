"""Evaluation shared by two processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from make_training import write_easy_recipe, write_easy_set
from spatialflow.config import load_config
from spatialflow.errors import ConfigError
from spatialflow.evaluation.ranks import ALONE, join_ranks
from spatialflow.image_io import read_id_png
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.inference.predictor import Predictor
from spatialflow.training.run import TrainResult

ROOT = Path(__file__).parents[2]


def start(*command: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [*torchrun, f"--nproc_per_node={processes}", *command],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )


@pytest.mark.slow
def test_two_processes_give_the_files_and_quality_of_one(trained: TrainResult, tmp_path: Path) -> None:
    """Of 5 images, which 2 does not divide."""
    write_easy_set(tmp_path / "data", val=5)
    recipe = write_easy_recipe(tmp_path / "five.yaml", tmp_path / "data")
    alone = evaluate_dataset(
        Predictor(trained.model, "cpu", "fp32"), load_config(recipe).data, tmp_path / "one"
    )
    shared = [*("--precision", "fp32", "--device", "cpu"), "--json-out", str(tmp_path / "two.json")]
    done = start(
        *("-m", "spatialflow", "evaluate", str(recipe), "--checkpoint", str(trained.last)),
        *("--out", str(tmp_path / "two"), *shared),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Panoptic quality") == 1
    assert "running on 2 processes" in done.stdout
    numbers = json.loads((tmp_path / "two.json").read_text())
    for group, expected in (("All", alone.all), ("Things", alone.things), ("Stuff", alone.stuff)):
        assert numbers[group]["pq"] == pytest.approx(expected.pq, abs=1e-9)
        assert numbers[group]["n"] == expected.n
    assert sum(c["tp"] + c["fn"] for c in numbers["per_class"].values()) == 5 * 3
    one, two = (json.loads((tmp_path / name / "panoptic.json").read_text()) for name in ("one", "two"))
    assert one == two
    assert [entry["image_id"] for entry in two["annotations"]] == [image["id"] for image in two["images"]]
    for entry in two["annotations"]:
        pngs = [read_id_png(tmp_path / name / "panoptic" / entry["file_name"]) for name in ("one", "two")]
        assert np.array_equal(*pngs)


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others(trained: TrainResult, weights: Path, tmp_path: Path) -> None:
    write_easy_set(tmp_path / "data", val=5)
    recipe = write_easy_recipe(tmp_path / "five.yaml", tmp_path / "data")
    broken = tmp_path / "data" / "images" / "v3.png"  # of the second rank
    broken.write_bytes(broken.read_bytes()[:100])
    done = start(
        *("-m", "spatialflow", "evaluate", str(recipe), "--checkpoint", str(weights)),
        *("--out", str(tmp_path / "two"), "--device", "cpu"),
    )
    assert done.returncode != 0
    assert f"error: {broken}" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if "two" in path.parts and path.is_file()]


ONE_DIES = """
import sys, time
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.evaluation.ranks import join_ranks
with join_ranks() as ranks, ResultWriter(sys.argv[1]):
    ranks.wait()
    if not ranks.is_first:
        sys.exit(3)
    time.sleep(200)
"""


@pytest.mark.slow
def test_a_rank_at_work_ends_and_tidies_up_when_another_dies(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(ONE_DIES)
    started = time.monotonic()
    done = start(str(tmp_path / "job.py"), str(tmp_path / "out"))
    assert done.returncode != 0
    assert time.monotonic() - started < 120
    assert not (tmp_path / "out").exists()


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_ranks() as ranks:
        assert ranks is ALONE
        ranks.wait()
        assert ranks.gather(3) == [3]
        assert ranks.sum(np.array([1.0, 2.0])).tolist() == [1, 2]


def test_several_that_slurm_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with (
        pytest.raises(ConfigError, match="SLURM_STEP_NUM_TASKS=4: let each"),
        join_ranks(),
    ):
        pass


def test_several_that_cannot_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE=2: the processes cannot find each other"), join_ranks():
        pass


@pytest.mark.slow
def test_two_processes_tune_alike_and_average_precision_is_that_of_one(weights: Path, tmp_path: Path) -> None:
    write_easy_set(tmp_path / "data", val=5)
    recipe = write_easy_recipe(tmp_path / "five.yaml", tmp_path / "data")
    found = []
    for processes in (1, 2):
        numbers = tmp_path / f"{processes}.json"
        done = start(
            *("-m", "spatialflow", "evaluate", str(recipe), "-c", str(weights), "--tune", "segm", "bbox"),
            *("--out", str(tmp_path / f"out{processes}"), "--json-out", str(numbers), "--precision", "fp32"),
            *("--device", "cpu", "model.merge.score_threshold=0.9", "data.eval_batch_size=1"),
            processes=processes,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("best found") == 1
        found.append(json.loads(numbers.read_text()))
    one, two = found
    assert two["tuned"]["overrides"] == one["tuned"]["overrides"] != []
    assert two["tuned"]["All"]["pq"] == pytest.approx(one["tuned"]["All"]["pq"], abs=1e-9)
    for kind in ("bbox", "segm"):
        assert two[kind]["ap"] == pytest.approx(one[kind]["ap"], abs=1e-9)
        assert one[kind]["ap"] > 0.1


@pytest.mark.slow
def test_two_processes_pack_one_archive(weights: Path, tmp_path: Path) -> None:
    write_easy_set(tmp_path / "data", val=5)
    recipe = write_easy_recipe(tmp_path / "five.yaml", tmp_path / "data")
    listed_in = tmp_path / "data" / "annotations" / "val.json"
    archives = []
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        done = start(
            *("-m", "spatialflow", "evaluate", str(recipe), "-c", str(weights), "--split", "test-dev"),
            *("--out", str(out), "--device", "cpu", "--precision", "fp32", f"data.test={listed_in}"),
            "data.eval_batch_size=1",
            processes=processes,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("nothing is wrong") == 1
        archives.append((out / "panoptic_val_spatialflow_results.zip").read_bytes())
    assert archives[0] == archives[1]
