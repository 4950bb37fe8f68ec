"""What becomes of pixels that several masks of one image claim: a panoptic map gives each to one segment."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from spatialflow.errors import ConfigError
from spatialflow.masks.mask_runs import MaskRuns

OverlapPolicy = Literal["error", "smaller-on-top", "order"]
"""``error`` refuses them; ``smaller-on-top`` gives a pixel to the mask with fewer pixels, as COCO does for
things; ``order`` to the one listed last."""
OVERLAP_POLICIES: tuple[str, ...] = get_args(OverlapPolicy)


class OverlapError(ValueError):
    """Masks overlap though none may."""

    def __init__(self, pixels: int, first: int, second: int) -> None:
        super().__init__(f"{pixels} pixels are in more than one mask, such as in masks {first} and {second}")
        self.pixels = pixels
        self.first = first
        """Place in the list, from 0, of a mask that overlaps ..."""
        self.second = second
        """... this one, which comes later."""


class FlatMap(NamedTuple):
    """Masks laid flat."""

    index_map: NDArray[np.int32]
    """(H, W): the mask each pixel belongs to, counted from 1; 0 belongs to none (void)."""
    overlapping: int
    """Pixels that more than one mask claims."""


def check_policy(name: str) -> OverlapPolicy:
    """The policy of this name.

    Raises:
        ConfigError: there is none.
    """
    for policy in get_args(OverlapPolicy):
        if name == policy:
            return policy
    raise ConfigError(f"overlap: {name!r} is unknown; choose among {', '.join(OVERLAP_POLICIES)}")


def flatten(masks: MaskRuns, policy: OverlapPolicy) -> FlatMap:
    """Give each pixel to one mask. Of masks of equal area the one listed last is on top.

    Raises:
        OverlapError: masks overlap and ``policy`` is ``error``.
    """
    overlapping = masks.overlapping()
    if not overlapping:
        return FlatMap(masks.paint(), 0)
    if policy == "error":
        raise OverlapError(overlapping, *_first_pair(masks))
    order = np.arange(len(masks))
    if policy == "smaller-on-top":
        order = np.argsort(-masks.areas(), kind="stable")
    return FlatMap(masks.paint_over(order), overlapping)


def _first_pair(masks: MaskRuns) -> tuple[int, int]:
    """Two masks that overlap, where the first overlap is."""
    of_run = np.repeat(np.arange(len(masks)), np.diff(masks.bounds))
    order = np.argsort(masks.starts, kind="stable")
    hit = int(np.flatnonzero(masks.starts[order][1:] < masks.ends[order][:-1])[0])
    first, second = sorted(of_run[order[hit : hit + 2]].tolist())
    return first, second
