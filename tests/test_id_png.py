"""Id PNGs give the ids that were written, and what is not an id PNG is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.image_io import decode_id_png, encode_id_png, read_id_png


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (33, 5), (64, 48)])
def test_ids_survive(size: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, 2**24, size).astype(np.int32)
    decoded = decode_id_png(encode_id_png(ids), "a.png")
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, ids)


def test_channels_by_the_format() -> None:
    pixels = np.array([[[1, 2, 3], [255, 255, 255], [0, 0, 0]]], np.uint8)
    expected = [[1 + 2 * 256 + 3 * 65536, 2**24 - 1, 0]]
    assert decode_id_png(png(pixels), "a.png").tolist() == expected
    assert decode_id_png(png(pixels, "RGBA"), "a.png").tolist() == expected  # alpha says nothing


def test_real_files_as_pillow_reads_them(shared_data: Path) -> None:
    for path in sorted((shared_data / "coco/annotations/panoptic_mini_val").glob("*.png")):
        pixels = np.asarray(Image.open(path)).astype(np.int32)
        np.testing.assert_array_equal(read_id_png(path), pixels @ [1, 256, 65536])


def test_colours_of_a_palette_are_ids_too() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8)).convert("P")
    image.putdata([0, 1, 1, 1])
    image.putpalette([0, 0, 0, 7, 1, 0])
    stream = io.BytesIO()
    image.save(stream, "png")
    assert decode_id_png(stream.getvalue(), "a.png").tolist() == [[0, 263], [263, 263]]


def test_bytes_after_the_end_do_no_harm() -> None:
    ids = np.random.default_rng(0).integers(0, 2**24, (9, 7)).astype(np.int32)
    np.testing.assert_array_equal(decode_id_png(encode_id_png(ids) + b"more" * 50, "a.png"), ids)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pixels_are_refused(dtype: type) -> None:
    with pytest.raises(DataError, match="not an 8-bit RGB PNG"):
        decode_id_png(png(np.ones((4, 5), dtype)), "a.png")


@pytest.mark.parametrize(
    "fault", ["flipped bit", "cut in the middle", "cut at the end", "no PNG", "only a head", "too large"]
)
def test_broken_files(fault: str) -> None:
    encoded = encode_id_png(np.random.default_rng(0).integers(0, 2**24, (40, 40)))
    middle = len(encoded) // 2
    broken = {
        "flipped bit": encoded[:middle] + bytes([encoded[middle] ^ 4]) + encoded[middle + 1 :],
        "cut in the middle": encoded[:middle] + encoded[-12:],
        "cut at the end": encoded[:-12],
        "no PNG": b"x" * 100,
        "only a head": encoded[:8] + b"IEND",
        "too large": encoded[:16] + (40000).to_bytes(4, "big") * 2 + encoded[24:],
    }[fault]
    with pytest.raises(DataError, match=r"^a\.png: [^\n]+$"):
        decode_id_png(broken, "a.png")
