"""PNGs of labels: values as they are stored, whatever the colour type."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.image_io import check_png, read_image_size
from spatialflow.label_png import encode_label_png, read_label_png

RNG = np.random.default_rng(0)


def write(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 256), (np.uint16, 65536)])
def test_round_trip(tmp_path: Path, dtype: type[np.uint8] | type[np.uint16], top: int) -> None:
    labels = RNG.integers(0, top, (13, 7)).astype(dtype)
    (tmp_path / "a.png").write_bytes(encode_label_png(labels))
    read = read_label_png(tmp_path / "a.png")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, labels)
    with Image.open(tmp_path / "a.png") as image:  # what others read
        np.testing.assert_array_equal(np.asarray(image), labels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_channels(tmp_path: Path, mode: str) -> None:
    pixels = RNG.integers(0, 256, (5, 6, len(mode)), np.uint8)
    read = read_label_png(write(tmp_path / "a.png", Image.fromarray(pixels, mode)))
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_gives_its_indices(tmp_path: Path, bits: int) -> None:
    indices = RNG.integers(0, min(2**bits, 200), (9, 11), np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(RNG.integers(0, 256, 768, np.uint8).tobytes())
    np.testing.assert_array_equal(read_label_png(write(tmp_path / "a.png", image, bits=bits)), indices)


def grey_png(values: NDArray[np.uint8], bits: int) -> bytes:
    """A grey PNG of few bits, written by hand: Pillow writes none."""
    height, width = values.shape
    rows = b""
    for row in values:
        text = "".join(f"{v:0{bits}b}" for v in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_not_spread(tmp_path: Path, bits: int) -> None:
    values = RNG.integers(0, 2**bits, (4, 7), np.uint8)
    (tmp_path / "a.png").write_bytes(grey_png(values, bits))
    np.testing.assert_array_equal(read_label_png(tmp_path / "a.png"), values)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "LA"])
def test_broken(tmp_path: Path, mode: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).convert(mode).save(stream, "PNG")
    encoded, path = stream.getvalue(), tmp_path / "a.png"
    for broken, message in (
        (encoded[:-20], "truncated"),
        (encoded[: len(encoded) // 2] + encoded[-12:], "cannot be decoded"),
        (encoded[:16] + b"\xff" * 8 + encoded[24:], "cannot be decoded"),
        (encoded[:16] + b"\0" * 8 + encoded[24:], "cannot be decoded"),
        (b"GIF89a" + encoded, "is not a PNG"),
        (b"", "is not a PNG"),
    ):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=rf"a\.png: .*{message}"):
            read_label_png(path)
    with pytest.raises(DataError, match=r"b\.png: no such PNG of labels"):
        read_label_png(tmp_path / "b.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_label_png(tmp_path)


def test_only_labels_are_encoded() -> None:
    with pytest.raises(ValueError, match="uint8 or uint16"):
        encode_label_png(np.zeros((2, 2), np.uint32))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        encode_label_png(np.zeros((2, 2, 3), np.uint8))
    check_png(encode_label_png(np.zeros((2, 2), np.uint8)), "a.png")


def test_size_from_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", Image.new("RGB", (70, 30)))
    assert read_image_size(path) == (30, 70)
    path.write_bytes(path.read_bytes()[:-20])  # the pixels are not looked at
    assert read_image_size(path) == (30, 70)
    (tmp_path / "b.jpg").write_text("text")
    for name, message in (("b.jpg", "is not an image"), ("c.jpg", "no such image"), ("", "is a folder")):
        with pytest.raises(DataError, match=message):
            read_image_size(tmp_path / name)
