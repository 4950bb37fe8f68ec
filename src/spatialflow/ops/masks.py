"""Masks and semantic maps from an id map; pure tensor functions that run on any device."""

import torch
from torch import Tensor

from spatialflow.categories import Categories
from spatialflow.structures import Target

IGNORED = 255
"""Value of semantic pixels without a label; no loss, no score."""


def binary_masks(id_map: Tensor, ids: Tensor) -> Tensor:
    """Mask of each segment.

    Args:
        id_map: (H, W) integer segment ids.
        ids: (N,) integer, the segments asked for.

    Returns:
        (N, H, W) bool; all false for an id that has no pixel.
    """
    return id_map[None] == ids[:, None, None]


def semantic_from_ids(id_map: Tensor, ids: Tensor, channels: Tensor) -> Tensor:
    """Replace each pixel's segment id by that segment's channel.

    Args:
        id_map: (H, W) integer segment ids, 0 = void.
        ids: (N,) integer, unique.
        channels: (N,) integer, one a segment.

    Returns:
        (H, W) int64; ``IGNORED`` where ``ids`` does not name the pixel's segment.
    """
    if len(ids) == 0:
        return torch.full_like(id_map, IGNORED, dtype=torch.int64)
    # Everything in the map's own type: a copy of the few ids is cheaper than one of the map.
    known, order = ids.to(id_map.dtype).sort()
    position = torch.searchsorted(known, id_map.contiguous(), out_int32=True).clamp_(max=len(ids) - 1)
    channel = channels.to(torch.int64)[order][position]
    return channel.masked_fill_(known[position] != id_map, IGNORED)


def semantic_map(target: Target, categories: Categories) -> Tensor:
    """Stuff target of an image: the stuff head's channel of each pixel.

    Things, crowds of things included, are the one ``things_channel``; void is ``IGNORED``.

    Returns:
        (H, W) int64 on the target's device.
    """
    if categories.num_stuff_channels > IGNORED:
        raise ValueError(f"{categories.num_stuff} stuff classes leave no value for ignored pixels")
    table = torch.tensor([categories.stuff_channel(label) for label in range(len(categories))])
    return semantic_from_ids(target.id_map, target.ids, table.to(target.labels.device)[target.labels])
