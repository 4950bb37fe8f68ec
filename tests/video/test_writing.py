from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from make_video import moving_square, write_clip
from spatialflow.errors import OutputError
from spatialflow.image_io import write_photo
from spatialflow.video.writing import SUFFIXES, VideoWriter, is_ours


def boxes(path: Path) -> list[bytes]:
    """Kinds of an MP4 file's outermost boxes (ISO 14496-12, 4.2)."""
    content, place, kinds = path.read_bytes(), 0, []
    while place < len(content):
        kinds.append(content[place + 4 : place + 8])
        place += int.from_bytes(content[place : place + 4], "big")
    return kinds


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1)])
def test_is_what_browsers_play(tmp_path: Path, size: tuple[int, int]) -> None:
    photos = [np.full((*size, 3), 10 * n, np.uint8) for n in range(12)]
    path = write_clip(tmp_path / "a.mp4", photos, Fraction(30000, 1001))
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.height, context.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert stream.average_rate == Fraction(30000, 1001)
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(stream)]
    assert levels == pytest.approx([10 * n for n in range(12)], abs=2)
    kinds = boxes(path)
    assert kinds.index(b"moov") < kinds.index(b"mdat")  # plays while it loads


def test_odd_sides_repeat_the_last_line(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [np.full((5, 7, 3), 200, np.uint8)] * 2)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.shape == (6, 8, 3)
    assert np.abs(frame.astype(int) - 200).max() <= 3


@pytest.mark.parametrize("color", [(200, 30, 40), (20, 160, 60), (30, 60, 220), (255, 255, 255)])
def test_colours_are_those_of_hd_video(tmp_path: Path, color: tuple[int, int, int]) -> None:
    """By the formula of ITU-R BT.709, limited range."""
    path = write_clip(tmp_path / "a.mp4", [np.full((32, 32, 3), color, np.uint8)] * 2)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        luma = frame.to_ndarray(format="yuv420p")[5, 5]
        assert container.streams.video[0].codec_context.colorspace == 1
    red, green, blue = (c / 255 for c in color)
    assert luma == pytest.approx(16 + 219 * (0.2126 * red + 0.7152 * green + 0.0722 * blue), abs=3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_own_videos_are_known(tmp_path: Path, suffix: str) -> None:
    assert is_ours(write_clip(tmp_path / f"a{suffix}", moving_square(3)))


def test_others_are_not(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", next(moving_square(1)))
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    assert not is_ours(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"text")
    assert not is_ours(tmp_path / "b.mp4")
    assert not is_ours(tmp_path / "none.mp4")


def test_full_disk_is_said(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which Linux has")
    (tmp_path / "a.mkv").symlink_to("/dev/full")
    rng = np.random.default_rng(0)

    def write() -> None:
        with VideoWriter(tmp_path / "a.mkv", (64, 64), Fraction(25), shown="shown") as writer:
            for n in range(50):
                writer.write(rng.integers(0, 256, (64, 64, 3), np.uint8), Fraction(n, 25))

    with pytest.raises(OutputError, match=r"shown: cannot be written .*free some space"):
        write()
