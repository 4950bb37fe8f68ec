"""Label Studio's brush: bits written by hand, and by an encoder of the tests."""

from typing import Any

import numpy as np
import pytest

from make_exports import encode_brush, pack_bits
from spatialflow.data.converters.brush_rle import decode_brush


def test_by_hand() -> None:
    """Two pixels: black and opaque, then three bytes and a transparent end."""
    header = f"{8:032b} {7:05b} 0010 0011 0111 1111"
    blocks = "1 00 010 00000000" + "0 01 0000 11111111" + "1 10 00000010 10101010" + "0 00 000 00000000"
    assert decode_brush(pack_bits(header + blocks), (1, 2)).tolist() == [[True, False]]
    assert decode_brush(pack_bits(header + blocks), (2, 1)).tolist() == [[True], [False]]


@pytest.mark.parametrize("seed", range(12))
def test_round_trip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 20)), int(rng.integers(1, 20)))
    mask = rng.random(size) < (0.1, 0.5, 0.97)[seed % 3]
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), size), mask)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ([], "ends too early"),
        (None, "a list of bytes"),
        ([256], "a list of bytes"),
        ([1.5], "a list of bytes"),
        (encode_brush(np.ones((2, 3), np.bool_)), r"it has 24 values, 2x2 pixels need 16"),
        (encode_brush(np.eye(2, dtype=np.bool_))[:12], "ends too early"),
        (
            pack_bits(f"{16:032b} {7:05b} 0010 0011 0111 1111 1 10 11111111 00000000"),
            "more values than it says",
        ),
        ([255] * 40, r"it has 4294967295 values"),
    ],
)
def test_faults(rle: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_brush(rle, (2, 2))
