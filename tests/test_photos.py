"""Photos that other programs wrote carelessly."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spatialflow.errors import DataError
from spatialflow.image_io import pixels_of, read_photo, read_stored_photo

EXIF_HEAD = b"Exif\0\0"


@pytest.mark.parametrize(
    "exif",
    [
        b"II*\0\x08\0\0\0\x05\0",  # the directory is announced and cut off
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\0\0\0\xff\0\0\0\0\0\0\0",  # a value outside of the block
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03",
        b"II*\0",
        b"",
        b"garbage",
    ],
)
def test_a_damaged_exif_block_is_passed_over_in_silence(exif: bytes, tmp_path: Path) -> None:
    pixels = np.full((8, 16, 3), 128, np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", exif=EXIF_HEAD + exif)
    path = tmp_path / "a.jpg"
    path.write_bytes(stream.getvalue())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        photo = read_photo(path)
    assert photo.shape == pixels.shape
    assert [str(w.message) for w in caught] == []


def rotated(path: Path, exif: bytes) -> NDArray[np.uint8]:
    """Write a photo that is black above and white below, with an EXIF block; its pixels as stored."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[8:] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", exif=EXIF_HEAD + exif, quality=100)
    path.write_bytes(stream.getvalue())
    return pixels


SIX = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
"""Orientation 6 as an entry of a little-endian directory."""


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"\0\x01\x0b\0\x01\0\0\0\0\0\x80?",  # ImageWidth as a float, which Pillow cannot write again
        b"\0\x01\x07\0\x04\0\0\0abcd",  # and as bytes
    ],
)
def test_a_photo_beside_whose_orientation_another_tag_is_wrong(other: bytes, tmp_path: Path) -> None:
    count = bytes([1 + bool(other), 0])
    stored = rotated(tmp_path / "a.jpg", b"II*\0\x08\0\0\0" + count + other + SIX + b"\0\0\0\0")
    photo = read_photo(tmp_path / "a.jpg")
    assert np.abs(photo.astype(int) - np.rot90(stored, -1)).max() < 8


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(
    orientation: int, suffix: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    image.save(path, exif=exif)
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    with Image.open(path) as opened:
        assert np.array_equal(pixels_of(opened), expected)
    assert np.array_equal(read_photo(path), expected)


def test_an_open_picture_is_read_as_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 65536, (5, 7), np.uint16)).save(tmp_path / "16.png")
    Image.fromarray(rng.integers(0, 256, (5, 7, 4), np.uint8)).save(tmp_path / "rgba.png")
    for name in ("16.png", "rgba.png"):
        with Image.open(tmp_path / name) as opened:
            assert np.array_equal(pixels_of(opened), read_photo(tmp_path / name))


def test_an_open_picture_that_is_truncated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.png"
    Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as opened, pytest.raises(DataError, match="cannot be decoded"):
        pixels_of(opened)


@pytest.mark.parametrize(
    ("mode", "suffix", "kind"), [("RGB", "jpg", "JPEG"), ("L", "png", "PNG"), ("CMYK", "jpg", "JPEG")]
)
def test_how_a_photo_is_stored(mode: str, suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (24, 16), (200, 100, 50)).convert(mode).save(path)
    photo = read_stored_photo(path)
    assert (photo.format, photo.mode, photo.orientation) == (kind, mode, 1)
    assert np.array_equal(photo.pixels, read_photo(path))


def test_a_stored_photo_is_not_turned(tmp_path: Path) -> None:
    pixels = rotated(tmp_path / "a.jpg", b"II*\0\x08\0\0\0\x01\0" + SIX + b"\0\0\0\0")
    photo = read_stored_photo(tmp_path / "a.jpg")
    assert photo.orientation == 6
    assert photo.pixels.shape == pixels.shape
    assert np.abs(photo.pixels.astype(int) - pixels).max() < 8
    assert read_photo(tmp_path / "a.jpg").shape == (24, 16, 3)
    with pytest.raises(DataError, match="no such image"):
        read_stored_photo(tmp_path / "none.jpg")
