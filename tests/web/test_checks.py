"""What is refused before it costs anything."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_video import write_clip
from make_web import write_huge_header
from spatialflow.errors import DataError
from spatialflow.web.checks import check_clip, check_photo
from spatialflow.web.limits import Limits


def test_pixels_are_counted_from_the_header(tmp_path: Path) -> None:
    write_huge_header(tmp_path / "a.png", 5000, 4001)
    with pytest.raises(DataError, match=r"a\.png: has 5000x4001 = 20\.0 megapixels .* takes 20; scale"):
        check_photo(tmp_path / "a.png", Limits(megapixels=20))
    check_photo(tmp_path / "a.png", Limits(megapixels=21))


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no photo")
    with pytest.raises(DataError, match=r"a\.jpg: is not an image"):
        check_photo(tmp_path / "a.jpg", Limits())


def test_length_and_size_of_a_clip(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [np.zeros((48, 64, 3), np.uint8)] * 30, Fraction(10))
    check_clip(tmp_path / "a.mp4", Limits(clip_seconds=3))
    with pytest.raises(DataError, match=r"a\.mp4: is 3 seconds long .* takes 2; cut it"):
        check_clip(tmp_path / "a.mp4", Limits(clip_seconds=2))
    with pytest.raises(DataError, match=r"64x48 = 0\.0 megapixels"):
        check_clip(tmp_path / "a.mp4", Limits(megapixels=0))


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no clip")
    with pytest.raises(DataError, match=r"a\.mp4: is not a video"):
        check_clip(tmp_path / "a.mp4", Limits())


def test_a_picture_is_no_clip(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: "):
        check_clip(tmp_path / "a.png", Limits())


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "other.mp4", [np.zeros((48, 64, 3), np.uint8)] * 3, Fraction(10))
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n"
    for name, content in (
        ("a.m3u8", hls),
        ("a.mp4", hls),
        ("a.txt", "ffconcat version 1.0\nfile other.mp4\n"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=f"{name}: is not a video"):
            check_clip(tmp_path / name, Limits())
