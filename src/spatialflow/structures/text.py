"""A panoptic result in a few words."""

from collections import Counter
from collections.abc import Sequence

from spatialflow.structures.segment import Segment

_NAMES = 6
"""Categories of a kind that are named; of more, the number."""


def summary(size: Sequence[int], segments: Sequence[Segment], device: str) -> str:
    """Size, what there is how often, and how much is void.

    Such as ``PanopticPrediction(480x640, 3 things: 2 person, 1 dog; 1 stuff: sky; 3 % void)``.

    Args:
        size: (H, W).
        segments: of the result.
        device: where its map is; told unless it is the CPU.
    """
    things = Counter(s.category.name for s in segments if s.is_thing)
    stuff = Counter(s.category.name for s in segments if not s.is_thing)
    named = [f"{count} {name}" for name, count in things.most_common()]
    parts = [
        _listed(f"{things.total()} thing{'s' if things.total() != 1 else ''}", named),
        _listed(f"{stuff.total()} stuff", list(stuff)),
    ]
    pixels = size[0] * size[1]
    void = pixels - sum(segment.area for segment in segments)
    if void > 0:
        percent = 100 * void / pixels
        parts.append(f"{percent:.0f} % void" if percent >= 1 else "< 1 % void")
    where = "" if device == "cpu" else f" on {device}"
    return f"PanopticPrediction({size[0]}x{size[1]}{where}, {'; '.join(parts)})"


def _listed(head: str, names: list[str]) -> str:
    if not names:
        return head
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{head}: {', '.join(names[:_NAMES])}{more}"
