"""The page on photos: every command and every line of Python in it is run as it stands."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs_pages import DOCS, ROOT
from spatialflow.image_io import read_id_png
from spatialflow.inference.tiles import Tiling

PAGE = DOCS / "predict.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, run_page: Callable[..., str]) -> None:
    said = run_page("predict.md", together=True)
    assert "4 of 4 photos done: results/panoptic.json" in said
    assert "4 of 4 photos done (4 of them by an earlier run)" in said
    assert len(list((tmp_path / "results" / "overlay").iterdir())) == 4
    assert re.findall(r"^(\d+\.jpg) \d+$", said, re.MULTILINE) == [f"00000{i}.jpg" for i in range(1, 5)]
    expected = read_id_png(tmp_path / "results" / "panoptic" / "000001.png")
    assert (read_id_png(tmp_path / "panoptic.png") == expected).all()


def test_defaults_are_as_said() -> None:
    assert Tiling().overlap == 0.25
    assert "At least a quarter of each side, by default" in PAGE.read_text()
    assert "default: 0.25" in (ROOT / "src" / "spatialflow" / "cli" / "predict.py").read_text()
