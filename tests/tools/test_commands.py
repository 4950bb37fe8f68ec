"""The original's four commands, as its README writes them, on a small data set."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from make_training import write_easy_recipe
from spatialflow.config import load_config
from spatialflow.training.run import TrainResult

TOOLS = Path(__file__).parents[2] / "tools"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": str(TOOLS.parent / "src")}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.parametrize(
    "written",
    [
        "configs/spatialflow/spatialflow_r101_fpn_20e_coco.py",
        "configs/spatialflow/spatialflow_r101_fpn_20e_coco.yaml",
        "spatialflow_r101_fpn_20e_coco",
    ],
)
def test_every_spelling_finds_the_recipe(written: str) -> None:
    assert load_config(written) == load_config("spatialflow_r101_fpn_20e_coco")


@pytest.mark.parametrize(
    ("out", "folder"), [("a.pkl", "a"), ("runs/r50.1", "runs/r50.1"), (".", "."), ("a/b.json", "a/b")]
)
def test_folder_of_the_result(out: str, folder: str) -> None:
    spec = importlib.util.spec_from_file_location("test_tool", TOOLS / "test.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    words = ["CONFIG", "a.pth", "--out", out, "--eval", "panoptic", "bbox", "a.b=1", "--tta"]
    start = ["evaluate", "CONFIG", "--checkpoint", "a.pth", "--metrics", "panoptic,bbox"]
    assert tool.parse(words) == [*start, "--out", folder, "a.b=1", "--tta"]


def test_a_mistake_is_one_line() -> None:
    """The original's README has this one."""
    done = run(sys.executable, str(TOOLS / "test.py"), "CONFIG", "a.pth", "--out", "F", "--eval", "panootic")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: argument --eval: invalid choice: 'panootic'")


@pytest.mark.slow
def test_train(easy_data: Path, tmp_path: Path) -> None:
    recipe = write_easy_recipe(tmp_path / "easy.yaml", easy_data, epochs=1)
    done = run(sys.executable, str(TOOLS / "train.py"), str(recipe))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "easy" / "last.ckpt").exists()


@pytest.mark.slow
def test_dist_train(easy_data: Path, tmp_path: Path) -> None:
    recipe = write_easy_recipe(tmp_path / "easy.yaml", easy_data, epochs=1)
    done = run(str(TOOLS / "dist_train.sh"), str(recipe), "2")
    assert done.returncode == 0, done.stderr
    assert "2 x cpu" in done.stdout
    assert (tmp_path / "runs" / "easy" / "last.ckpt").exists()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_test(easy_data: Path, trained: TrainResult, tmp_path: Path, processes: int) -> None:
    recipe = write_easy_recipe(tmp_path / "easy.yaml", easy_data)
    given = [str(recipe), str(trained.last)]
    wanted = ["--out", str(tmp_path / "results.pkl"), "--eval", "panoptic", "segm", "data.workers=0"]
    if processes == 1:
        done = run(sys.executable, str(TOOLS / "test.py"), *given, *wanted)
    else:
        done = run(str(TOOLS / "dist_test.sh"), *given, str(processes), *wanted)
    assert done.returncode == 0, done.stderr
    assert "Panoptic quality" in done.stdout
    assert "Masks" in done.stdout
    assert (tmp_path / "results" / "panoptic.json").exists()


@pytest.mark.parametrize("name", ["dist_train.sh", "dist_test.sh"])
def test_too_few_arguments(name: str) -> None:
    done = run(str(TOOLS / name), "spatialflow_tiny")
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
