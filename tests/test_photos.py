"""Photos that other programs wrote carelessly."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialflow.image_io import read_photo

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
