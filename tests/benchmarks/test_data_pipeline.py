"""The benchmark of the data pipeline: what it compares gives the same, and what it prints."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from make_benchmarks import load_benchmark, run_benchmark


@pytest.fixture(scope="module")
def pipeline() -> ModuleType:
    return load_benchmark("data_pipeline")


@pytest.fixture(scope="module")
def folder(pipeline: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made up")
    pipeline.write_set(path, 2)
    pipeline.write_semantic(path)
    return path


@pytest.mark.parametrize("what", ["photo", "semantic", "masks", "boxes"])
def test_a_difference_between_both_ways_is_noticed(
    pipeline: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(pipeline, "PHOTOS", 2)
    pipeline.check(folder)
    load = pipeline.load

    def spoilt(*arguments: Any) -> tuple[np.ndarray, ...]:
        found = dict(zip(("photo", "semantic", "masks", "boxes"), load(*arguments), strict=True))
        array = found[what]
        array[(-1,) * array.ndim] += 1
        return tuple(found.values())

    monkeypatch.setattr(pipeline, "load", spoilt)
    with pytest.raises(AssertionError):
        pipeline.check(folder)


def test_mirrored_pixels_agree_with_mirrored_boxes(pipeline: ModuleType, folder: Path) -> None:
    batch = next(pipeline.plain(folder, flip=1))
    for masks, boxes in zip(batch.masks, batch.boxes, strict=True):
        for mask, box in zip(masks, boxes, strict=True):
            columns = np.flatnonzero(mask.any(axis=0))
            assert abs(columns[0] - box[0]) <= 2
            assert abs(columns[-1] + 1 - box[2]) <= 2


def test_photos_cost_as_much_as_cocos(folder: Path) -> None:
    sizes = [photo.stat().st_size for photo in (folder / "images").iterdir()]
    assert all(130_000 < size < 200_000 for size in sizes)


@pytest.mark.parametrize(("plain", "code"), [(2.0, None), (1.9, "less than 2 times the images a second")])
def test_the_ratio_decides(
    pipeline: ModuleType, monkeypatch: pytest.MonkeyPatch, plain: float, code: str | None
) -> None:
    found = {"plain": {"seconds": plain}, "ours": {"seconds": 1.0}}
    for name in ("write_set", "write_semantic", "check"):
        monkeypatch.setattr(pipeline, name, lambda *arguments: None)
    monkeypatch.setattr(pipeline, "run_variants", lambda *arguments: found)
    monkeypatch.setattr(sys, "argv", ["data_pipeline.py"])
    if code is None:
        pipeline.main()
    else:
        with pytest.raises(SystemExit, match=code):
            pipeline.main()


@pytest.mark.slow
def test_a_short_run() -> None:
    """The ratio of a few images says nothing, and is not looked at."""
    done = run_benchmark("data_pipeline", "--images", 4, "--rounds", 1)
    rows = re.findall(r"│ (the original's steps|spatialflow) +│ +([\d.]+) │ +([\d.]+) │", done.stdout)
    assert [row[0] for row in rows] == ["the original's steps", "spatialflow"]
    for _, milliseconds, rate in rows:
        assert float(milliseconds) * float(rate) == pytest.approx(1000, rel=0.05)
