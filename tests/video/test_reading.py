import http.server
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from make_rtsp import rtsp_server
from make_video import moving_square, put_tone, write_clip
from spatialflow.errors import DataError
from spatialflow.video.frames import Frame, VideoInfo
from spatialflow.video.reading import open_video
from spatialflow.video.sources import parse_source
from spatialflow.video.writing import VideoWriter


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames of 48x64 at 25 a second; the square is at x = 2 n; read only."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", moving_square(40))


def read(source: Any, timeout: float = 5.0) -> tuple[list[Frame], VideoInfo, str | None]:
    with open_video(parse_source(source), timeout) as video:
        frames = list(video)
        return frames, video.info, video.problem


def left_of_square(frame: Frame) -> int:
    return int(np.flatnonzero((frame.pixels[..., 0] > 140).any(0))[0])


def test_frames_come_in_order_with_their_times_and_colours(clip: Path) -> None:
    frames, info, problem = read(clip)
    assert problem is None
    assert [left_of_square(frame) for frame in frames] == [2 * n for n in range(26)] + [
        2 * n for n in range(14)
    ]
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(40)]
    assert (info.size, info.rate, info.total, info.is_live) == ((48, 64), 25, 40, False)
    assert np.abs(frames[0].pixels[16, 6].astype(int) - (220, 60, 30)).max() < 12  # red is red
    assert np.abs(frames[0].pixels[40, 40].astype(int) - 40).max() < 6


def turned(clip: Path, out: Path, degrees: int) -> Path:
    """As phones write it: pixels as they were, and a note to turn them."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as container:
        stream = source.streams.video[0]
        copied = container.add_stream_from_template(stream)
        copied.set_display_rotation(degrees)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)
    return out


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_is_applied(clip: Path, tmp_path: Path, degrees: int) -> None:
    frames, info, _ = read(turned(clip, tmp_path / "turned.mp4", degrees))
    upright = next(moving_square(1))
    expected = np.rot90(upright, degrees // 90)  # counter-clockwise, as FFmpeg counts
    assert info.size == expected.shape[:2]
    assert np.abs(frames[0].pixels.astype(int) - expected).mean() < 6


def test_times_of_a_variable_frame_rate_are_kept(tmp_path: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 20, 90, 100, 250, 1000)]
    with VideoWriter(tmp_path / "vfr.mp4", (48, 64), Fraction(25), Fraction(1, 1000)) as writer:
        for pixels, moment in zip(moving_square(6), times, strict=True):
            writer.write(pixels, moment)
    frames, _, problem = read(tmp_path / "vfr.mp4")
    assert [frame.time for frame in frames] == times
    assert problem is None


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "wide.mp4", moving_square(3), aspect=Fraction(4, 3))
    assert read(path)[1].aspect == Fraction(4, 3)
    assert read(turned(path, tmp_path / "turned.mp4", 90))[1].aspect == Fraction(3, 4)


def noise_clip(path: Path) -> Path:
    """40 frames that cannot be compressed, so that most bytes are pictures."""
    rng = np.random.default_rng(0)
    return write_clip(path, [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(40)])


def test_truncated_video_gives_what_is_there(tmp_path: Path) -> None:
    whole = noise_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "part.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    frames, _, problem = read(tmp_path / "part.mp4")
    assert 20 < len(frames) < 30
    assert problem == f"it breaks off after {len(frames)} of 40 frames"


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = noise_clip(tmp_path / "noise.mp4")
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 8000] = bytes(8000)
    path.write_bytes(damaged)
    frames, _, problem = read(path)
    assert 15 < len(frames) < 40
    assert problem is not None
    assert "damaged pieces could not be decoded" in problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the video is empty"),
        (b"no video" * 100, "is no video that can be read"),
        (None, "no such video"),
    ],
)
def test_what_is_no_video_is_said(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "a:b.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as told:
        read(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_video_without_its_index_is_said(clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    (tmp_path / "start.mp4").write_bytes(whole[:400])
    with pytest.raises(DataError, match=r"start\.mp4: no frame of it can be decoded"):
        read(tmp_path / "start.mp4")


def test_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="directory"):
        read(tmp_path)


def test_sound_alone_is_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        put_tone(container, container.add_stream("aac", rate=48000, layout="mono"), 0.5)
    with pytest.raises(DataError, match="holds sound but no video"):
        read(tmp_path / "song.mp4")


@pytest.fixture
def address(clip: Path) -> Iterator[str]:
    """Of an HTTP server with the clip's folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(clip.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_file_behind_http_is_read(address: str) -> None:
    frames, info, problem = read(f"{address}/clip.mp4")
    assert (len(frames), info.total, info.is_live, problem) == (40, 40, False, None)


def test_missing_file_behind_http_is_said(address: str) -> None:
    with pytest.raises(DataError, match=r"cannot be opened within 5 s .*404.*check the address"):
        read(f"{address}/none.mp4")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_server_that_never_answers_is_given_up(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begin = time.monotonic()
        with pytest.raises(DataError, match=r"within 0\.5 s .*check the address") as told:
            read(f"{scheme}://me:secret@127.0.0.1:{mute.getsockname()[1]}/garden", timeout=0.5)
        assert time.monotonic() - begin < 4
    assert "secret" not in str(told.value)


def test_stream_that_stops_is_told_of(clip: Path) -> None:
    """A live stream over TCP whose sender falls silent."""
    server = socket.create_server(("127.0.0.1", 0))
    content = write_clip(clip.with_suffix(".mkv"), moving_square(40)).read_bytes()

    def send() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(content[: len(content) * 9 // 10])
            time.sleep(2)

    thread = threading.Thread(target=send)
    thread.start()
    frames, info, problem = read(f"tcp://127.0.0.1:{server.getsockname()[1]}", timeout=0.7)
    thread.join()
    server.close()
    assert info.is_live
    assert info.total is None
    assert len(frames) > 5
    assert all(a.time < b.time for a, b in itertools.pairwise(frames))
    assert problem is not None
    assert "no answer" in problem


class Camera:
    """Stands for OpenCV's, with three pictures."""

    def __init__(self, number: int) -> None:
        self.left = 3 if number == 4 else 0
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((6, 8, 3), (255, 0, 10), np.uint8)) if self.left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return 30.0

    def release(self) -> None:
        self.released = True


def test_webcam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    frames, info, problem = read("4")
    assert (info.size, info.rate, info.is_live, info.total) == ((6, 8), 30, True, None)
    assert len(frames) == 3
    assert frames[0].pixels[0, 0].tolist() == [10, 0, 255]  # RGB
    assert frames[0].time == 0 < frames[1].time < frames[2].time
    assert problem is not None


def test_webcam_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="webcam 61: cannot be opened; see that it is plugged in"):
        read(61)
    assert capfd.readouterr() == ("", "")


def test_a_stream_begins_at_zero_however_late_its_first_frame_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spatialflow.video.reading.since", lambda begin: Fraction(7))
    with rtsp_server(moving_square(25, (48, 96))) as address, open_video(parse_source(address)) as video:
        assert video.info.is_live
        times = [frame.time for frame in itertools.islice(video, 3)]
    assert times == [0, 7, 7 + video.info.tick]
