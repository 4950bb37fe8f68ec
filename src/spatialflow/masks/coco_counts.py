"""COCO's compressed run lengths (``counts`` of a segmentation), written and read many at a time.

Format: each length from the fourth on is stored as its difference from the one two before, and each number in
base 32, lowest digit first: one character a digit, ``chr(48 + digit)``, with 32 added where more follow; the
highest digit's 16 is the sign (pycocotools, maskApi.c, rleToString).
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIGITS = 7
"""Of 5 bits each; more than the pixels of any image need."""


def encode(counts: NDArray[np.int64], offsets: NDArray[np.int64]) -> list[str]:
    """Text of each mask's run lengths.

    Args:
        counts: those of all N masks after each other, each below 2^34.
        offsets: (N + 1,) where those of each begin.
    """
    numbers = counts.copy()
    place = np.arange(len(counts)) - np.repeat(offsets[:-1], np.diff(offsets))
    later = np.flatnonzero(place > 2)
    numbers[later] -= counts[later - 2]
    magnitude = np.where(numbers < 0, ~numbers, numbers)  # one bit more is the sign
    digits = np.ones(len(numbers), np.int64)
    for more in range(1, _DIGITS):
        digits += magnitude >= 1 << (5 * more - 1)
    ends = np.cumsum(digits)
    characters = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    left = np.arange(len(numbers))
    for digit in range(_DIGITS):
        left = left[digits[left] > digit]
        goes_on = digits[left] > digit + 1
        value = (numbers[left] >> 5 * digit) & 31
        characters[ends[left] - digits[left] + digit] = value + 32 * goes_on + 48
    text = characters.tobytes().decode("ascii")
    cuts = np.append(0, ends)[offsets].tolist()
    return [text[first:last] for first, last in itertools.pairwise(cuts)]


def decode(text: str) -> NDArray[np.int64]:
    """Run lengths of one mask; whether they fit the image is for the caller to see.

    Raises:
        ValueError: it is no such text.
    """
    codes: NDArray[Any] = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").astype(np.int64) - 48
    if codes.size == 0:
        return np.zeros(0, np.int64)
    if int(codes.min()) < 0 or int(codes.max()) > 63:
        raise ValueError("it has characters that compressed run lengths never have")
    last = np.flatnonzero(codes < 32)
    if not len(last) or last[-1] != len(codes) - 1:
        raise ValueError("it ends in the middle of a number")
    first = np.append(0, last[:-1] + 1)
    if int((last - first).max()) >= _DIGITS:
        raise ValueError("it has a number too large for any image")
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    numbers = np.add.reduceat((codes & 31) << 5 * place, first)
    negative = (codes[last] & 16) != 0
    numbers[negative] -= np.int64(1) << 5 * (last - first + 1)[negative]
    for kind in (1, 2):  # of those that are inside and outside; the first stands alone
        numbers[kind::2] = np.cumsum(numbers[kind::2])
    return numbers
