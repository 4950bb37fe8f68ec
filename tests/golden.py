"""What the tests against the original's golden numbers share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.structures import Batch

Models = Callable[[str], SpatialFlow]
Batches = Callable[[list[int], bool], Batch]

OF_MODELS = [
    "r50",
    pytest.param("r101", marks=pytest.mark.slow),
    pytest.param("r101_dcn", marks=pytest.mark.slow),
]
"""For ``parametrize``."""
PHOTOS = ("000000142238.jpg", "000000439180.jpg")
"""What the golden files call images 0 and 1."""


def decode_rle(rle: dict[str, Any]) -> NDArray[np.bool_]:
    """A mask (H, W) from COCO's compressed run lengths.

    Runs go down the columns and alternate between false and true. Each length is a number in base 32, lowest
    digit first, five bits a character from '0' on, where 32 says that more follow and the last digit's 16 is
    the sign; from the fourth run on it is the difference from the run two before.
    """
    runs: list[int] = []
    value = shift = 0
    for character in rle["counts"]:
        digit = ord(character) - 48
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    height, width = rle["size"]
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T
