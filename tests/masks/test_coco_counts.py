"""COCO's compressed run lengths against pycocotools, and against a decoder of the format's description."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from golden import decode_rle
from spatialflow.masks.coco_counts import decode, encode

RNG = np.random.default_rng(0)
MASKS = [
    *(RNG.random((h, w)) < share for h, w in ((1, 1), (5, 3), (40, 60)) for share in (0, 0.1, 0.5, 0.9, 1)),
    np.kron(RNG.random((4, 5)) < 0.5, np.ones((50, 70))) > 0,  # long runs: several digits, and negative ones
]


def counts_of(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths, counted pixel by pixel."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def test_encode() -> None:
    counts = [counts_of(mask) for mask in MASKS]
    offsets = np.append(0, np.cumsum([len(c) for c in counts]))
    texts = encode(np.concatenate(counts), offsets)
    for text, mask in zip(texts, MASKS, strict=True):
        assert text == coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        np.testing.assert_array_equal(decode_rle({"size": mask.shape, "counts": text}), mask)
    assert encode(np.zeros(0, np.int64), np.zeros(1, np.int64)) == []


def test_decode() -> None:
    for mask in MASKS:
        text = coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        assert decode(text).tolist() == counts_of(mask)


@pytest.mark.parametrize(
    "counts", [[0, 1], [2**31, 5, 2**33, 0, 1], [7], [15, 16, 31, 32, 511, 512, 0, 16383]]
)
def test_round_trip_of_large_numbers(counts: list[int]) -> None:
    (text,) = encode(np.array(counts), np.array([0, len(counts)]))
    assert decode(text).tolist() == counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12 3", "characters"),
        ("1é", "characters"),
        ("1\x80", "characters"),
        ("/", "characters"),
        ("1" + chr(48 + 32), "middle of a number"),
        (chr(48 + 32) * 7 + "0", "too large"),
    ],
)
def test_no_run_lengths(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(text)


def test_empty_text() -> None:
    assert decode("").tolist() == []
