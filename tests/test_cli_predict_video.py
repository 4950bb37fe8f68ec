import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from make_cli import Command
from make_rtsp import rtsp_server
from make_video import moving_square, write_clip
from spatialflow.data.synthetic import SIZE


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", moving_square(4, SIZE))


def num_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_file_becomes_a_file(spatialflow: Command, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    ended = spatialflow("predict", clip, "-c", "tiny", "--out", out)
    assert ended.code == 0, ended.err
    assert f"{out}: 4 frames in " in ended.out
    assert " a second; " in ended.out
    assert f"panoptic frames: {tmp_path / 'out' / 'panoptic.json'}" in ended.out
    assert ended.err == ""
    assert num_frames(out) == 4
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["panoptic", "panoptic.json"]
    scored = spatialflow("pq", tmp_path / "out" / "panoptic.json", tmp_path / "out" / "panoptic.json")
    assert scored.code == 0


def test_several_into_a_folder(spatialflow: Command, clip: Path, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other.mkv", moving_square(3, SIZE))
    out = tmp_path / "results"
    ended = spatialflow(
        "predict", clip, other, "-c", "tiny", "--out", out, "--no-json", "--max-frames", 2, "--stride", 2
    )
    assert ended.code == 0, ended.err
    assert sorted(p.name for p in out.iterdir()) == ["clip.mp4", "other.mp4"]
    assert num_frames(out / "clip.mp4") == 2


def test_broken_clip_is_kept_and_told_of(spatialflow: Command, tmp_path: Path) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    path = write_clip(tmp_path / "a.mp4", [rng.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(10)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    ended = spatialflow("predict", path, "-c", "tiny", "--out", tmp_path / "out.mp4")
    assert ended.code == 1
    assert ended.err.startswith(f"incomplete: {path}: it breaks off after ")
    assert ended.err.count("\n") == 1
    assert 0 < num_frames(tmp_path / "out.mp4") < 10


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("none.mp4",), "none.mp4: no such video; check the path"),
        (("97",), "webcam 97: cannot be opened; see that it is plugged in"),
        (
            ("rtsp://127.0.0.1:9/x",),
            "rtsp://127.0.0.1:9/x: cannot be opened within 10 s (Conn",
        ),
        (("clip.mp4", "photo.jpg"), "photo.jpg is no video, and clip.mp4 is one"),
        (("clip.mp4", "--no-overlay"), "--no-overlay: the overlay is what a video becomes"),
        (("clip.mp4", "clip.mp4"), "--out out.mp4: is one file, and there are 2 videos; give a folder"),
        (("clip.mp4", "--out", "clip.mp4"), "clip.mp4: is the video that is read"),
        (("clip.mp4", "--out", "out.jpg"), "out.jpg: the name of a video file is expected"),
        (("clip.mp4", "sub/clip.mov", "--out", "o"), "would both become o/clip.mp4"),
        (("clip.mp4", "--stride", "0"), "Invalid value for '--stride'"),
    ],
)
def test_mistakes_are_one_line(
    spatialflow: Command,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(clip.parent)
    options = () if "--out" in arguments else ("--out", "out.mp4")
    ended = spatialflow("predict", *arguments, *options, "-c", "tiny")
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert expected in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "spatialflow", "predict", *map(str, arguments), "-c", "tiny"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")},
    )


def interrupt_after_some_frames(process: "subprocess.Popen[str]", folder: Path) -> tuple[int, str, str]:
    """Ctrl+C once panoptic frames come in."""
    deadline = time.monotonic() + 60
    while len(list(folder.rglob("00000*.png"))) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_interrupted_file(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "long.mp4", moving_square(500, (32, 64)))
    out = tmp_path / "new" / "out.mp4"
    code, said, told = interrupt_after_some_frames(start(source, "--out", out), tmp_path / "new")
    assert code == 130
    assert told == "interrupted\n"
    done = num_frames(out)
    assert 3 <= done < 500
    assert f"note: interrupted: {out} has the {done} frames that are done" in said
    listed: Any = json.loads((tmp_path / "new" / "out" / "panoptic.json").read_text())
    assert len(listed["annotations"]) == len(listed["images"]) == done
    assert len(list((tmp_path / "new" / "out" / "panoptic").iterdir())) == done
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["out", "out.mp4"]


def test_stream_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    with rtsp_server(moving_square(25, (48, 96))) as address:
        code, said, told = interrupt_after_some_frames(
            start(f"{address}/garden", "--out", tmp_path / "new"), tmp_path / "new"
        )
    assert (code, told) == (0, "")
    done = num_frames(tmp_path / "new" / "garden.mp4")
    assert done >= 3
    assert f"garden.mp4: {done} frames in " in said
    listed: Any = json.loads((tmp_path / "new" / "garden" / "panoptic.json").read_text())
    times = [entry["time"] for entry in listed["annotations"]]
    assert len(times) == done
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["garden", "garden.mp4"]
