"""The outline of a mask as COCO's polygons (cocodataset.org/#format-data): lists x, y, x, y, ... in pixels.

Outlines run along the edges of pixels, so that a polygon drawn by COCO's rule is the very mask. COCO takes
the union of an object's polygons and has none that are holes: a hole is cut in from the outline around it, by
a line to the hole, around it and back.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""(K, 2) corners x, y, without the first once more."""


def outline(mask: NDArray[np.bool_], tolerance: float = 0.0, holes: bool = True) -> list[list[float]]:
    """Polygons of a mask, one for each part (pixels that touch at a corner are one part).

    Args:
        mask: (H, W).
        tolerance: corners are left out as long as the outline stays within so many pixels of the true one;
            0 to be exact.
        holes: cut holes out; if not, they are filled.

    Returns:
        Each at least three corners; none of an empty mask.
    """
    twice = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    mode = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    found, tree = cv2.findContours(twice, mode, cv2.CHAIN_APPROX_NONE)
    outer: dict[int, Ring] = {}
    inner: dict[int, list[Ring]] = {}
    for i, contour in enumerate(found):
        parent = int(tree[0, i, 3])
        # halves of pixels, of which the left is at the pixel's left edge and the right at its right one
        ring = _simplify((contour[:, 0].astype(np.int64) + 1) // 2, tolerance)
        if parent < 0:
            outer[i] = ring
        else:
            inner.setdefault(parent, []).append(ring)
    joined = [_joined(ring, inner.get(i, [])) for i, ring in outer.items()]
    return [ring.ravel().astype(float).tolist() for ring in joined]


def _simplify(ring: Ring, tolerance: float) -> Ring:
    """Without corners that change nothing, or too little."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    ring = ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
    if tolerance > 0 and len(ring) > 3:
        fewer: NDArray[Any] = cv2.approxPolyDP(ring.astype(np.int32), tolerance, True)[:, 0]
        return fewer.astype(np.int64) if len(fewer) > 2 else ring
    return ring


def _joined(outer: Ring, holes: list[Ring]) -> Ring:
    """The outer ring, with each hole cut in from the outer corner that is nearest to the hole's first."""
    at: dict[int, list[Ring]] = {}
    for hole in holes:
        nearest = int(np.abs(outer - hole[0]).sum(axis=1).argmin())
        at.setdefault(nearest, []).append(hole)
    pieces, done = [], 0
    for corner in sorted(at):
        pieces.append(outer[done : corner + 1])
        for hole in at[corner]:
            pieces += [hole, hole[:1], outer[corner : corner + 1]]
        done = corner + 1
    return np.concatenate([*pieces, outer[done:]])
