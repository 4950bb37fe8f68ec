"""The benchmark of a data set of COCO's size, with a few images."""

import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from make_benchmarks import load_benchmark, run_benchmark
from spatialflow.data.index_reading import open_index
from spatialflow.zip_path import open_folder


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    return load_benchmark("dataset_scale")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured as Linux tells it")
def test_a_few_images(tmp_path: Path) -> None:
    done = run_benchmark("dataset_scale", "--images", 60, "--batches", 3, "--folder", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "60 images" in done.stdout
    rows = re.findall(r"│ (seconds to open|GiB|MiB)[^│]*│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", done.stdout)
    assert [row[0] for row in rows] == ["seconds to open", "GiB", "MiB"]
    numbers = [[float(number) for number in row[1:]] for row in rows]
    assert all(0.1 < gib < 1.2 for gib in numbers[1])
    assert all(
        20 < mib < 250 for mib in numbers[2]
    )  # a worker has at least written to its interpreter's memory
    again = run_benchmark("dataset_scale", "--folder", tmp_path / "data")
    assert again.returncode == 1
    assert again.stderr == f"{tmp_path / 'data'}: is not empty; give --folder another\n"


def test_an_exceeded_limit_is_an_error(
    scale: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = dict.fromkeys(scale.LIMITS, 1.0)
    monkeypatch.setattr(scale, "generate", lambda folder, images: 7)
    monkeypatch.setattr(scale, "run_alone", lambda folder, run, batches: numbers | {run: 0.0})
    monkeypatch.setattr(sys, "argv", ["dataset_scale.py"])
    scale.main()
    assert "118287 images, 7 segments" in capsys.readouterr().out
    numbers["GiB, main process"] = 1.21
    with pytest.raises(SystemExit, match=r"first opening: 1\.21 GiB, main process; from the index: 1\.21"):
        scale.main()


def test_what_is_generated(scale: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "DRAWN", {5: 1, 16: 1})
    segments = scale.generate(tmp_path, 40)
    path = tmp_path / "annotations" / "panoptic_train2017.json"
    index = open_index(path)
    assert len(index) == 40
    assert len(index.ids) == segments
    assert abs(segments - 40 * 1_400_000 / 118_287) <= 16
    for folder, suffix in ((tmp_path / "train2017", "jpg"), (path.with_suffix(""), "png")):
        names = sorted(file.name for file in folder.iterdir())
        assert names == [f"{i:012d}.{suffix}" for i in range(40)]
        archive = tmp_path / "zip" / f"{folder.name}.zip"
        assert zipfile.ZipFile(archive).namelist() == [f"{folder.name}/{name}" for name in names]
        packed = open_folder(archive, names[0])
        assert packed is not None
        assert [(packed / n).read_bytes() for n in names] == [(folder / n).read_bytes() for n in names]
        assert len({(folder / name).stat().st_ino for name in names}) == 2


def test_the_number_of_segments_is_cocos(scale: ModuleType) -> None:
    counts = [8, 12, 20]
    chosen = list(scale.choose(counts, scale.IMAGES))
    assert abs(sum(counts[k] for k in chosen) - 1_400_000) <= 20
    assert {k: chosen.count(k) > 10_000 for k in range(3)} == {0: True, 1: True, 2: True}
