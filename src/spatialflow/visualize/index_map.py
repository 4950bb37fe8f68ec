"""Maps of places in a list of segments, and their size in the picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spatialflow.structures import Segment

Index = NDArray[np.unsignedinteger[Any]]
"""(H, W) place in the list plus 1 of each pixel's segment, 0 where there is none."""


def index_map(ids: NDArray[np.integer[Any]], segments: "Sequence[Segment]") -> Index:
    """The place in ``segments``, plus 1, of each pixel's segment.

    Args:
        ids: (H, W); those that are not listed count as void.
        segments: of which ``id`` is used.
    """
    listed = [segment.id for segment in segments]
    top = max(listed, default=0)
    table = np.zeros(top + 2, np.uint16 if len(listed) < 1 << 16 else np.uint32)
    table[listed] = np.arange(1, len(listed) + 1)
    table[0] = 0
    return table[np.clip(ids, 0, top + 1)]  # the table ends with one entry for any larger id


def enlargement(height: int, width: int, min_side: int) -> int:
    """Whole factor that brings the shorter side near ``min_side`` without a longer side out of proportion."""
    return max(1, min(round(min_side / min(height, width)), 4 * min_side // max(height, width)))


def enlarge_smoothly(index: Index, factor: int) -> Index:
    """Enlarge a map of labels with smooth borders: everywhere the locally strongest label wins."""
    height, width = index.shape
    target = width * factor, height * factor
    strongest = np.zeros(target[::-1], np.float32)
    enlarged = np.zeros(target[::-1], index.dtype)
    for value in np.unique(index):
        share = cv2.resize((index == value).astype(np.float32), target, interpolation=cv2.INTER_CUBIC)
        wins = share > strongest
        np.copyto(strongest, share, where=wins)
        enlarged[wins] = value
    return enlarged
