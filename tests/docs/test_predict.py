"""The page on photos: every command and every line of Python in it is run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spatialflow.data.synthetic import draw_dataset
from spatialflow.image_io import read_id_png
from spatialflow.inference.tiles import Tiling

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "predict.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path) -> None:
    draw_dataset(tmp_path, 4, split="photos")  # as the first block of Python does
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
    }

    def said(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    commands = "\n".join(blocks("bash"))
    assert commands.count("\n") >= 3
    everything = said("bash", "-euc", commands)
    assert "4 of 4 photos done: results/panoptic.json" in everything
    assert "4 of 4 photos done (4 of them by an earlier run)" in everything
    assert len(list((tmp_path / "results" / "overlay").iterdir())) == 4
    lines = said(sys.executable, "-c", "\n".join(blocks("python"))).splitlines()
    assert [line.split()[0] for line in lines[-4:]] == [f"00000{i}.jpg" for i in range(1, 5)]
    (expected,) = [p for p in (tmp_path / "results" / "panoptic").iterdir() if p.stem == "000001"]
    assert (read_id_png(tmp_path / "panoptic.png") == read_id_png(expected)).all()


def test_defaults_are_as_said() -> None:
    assert Tiling().overlap == 0.25
    assert "At least a quarter of each side, by default" in PAGE.read_text()
    assert "default: 0.25" in (ROOT / "src" / "spatialflow" / "cli" / "predict.py").read_text()
