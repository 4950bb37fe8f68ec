"""Id maps as tensors: which ids there are, and other values in their places."""

from collections.abc import Sequence

import torch
from torch import Tensor

_SMALL = 1 << 16
"""Ids below this are looked up in a table; above, a search takes less memory."""


def ids_of(id_map: Tensor) -> list[int]:
    """Distinct values, ascending.

    Args:
        id_map: integers of any shape, on any device.
    """
    if id_map.numel() == 0:
        return []
    lowest, highest = (int(bound) for bound in id_map.aminmax())
    # counted where they are small, as nearly always: sorting takes ten times as long
    if lowest >= 0 and highest < _SMALL:
        return id_map.flatten().bincount().nonzero().flatten().tolist()
    return id_map.unique().tolist()


def replace_ids(id_map: Tensor, ids: Sequence[int], values: Sequence[int], fill: int) -> Tensor:
    """A map with another value in the place of each id.

    Args:
        id_map: (H, W) with none but these ids and 0.
        ids: N distinct ones, from 1.
        values: N, of int32.
        fill: value in the place of 0.

    Returns:
        (H, W) int32 on the same device.
    """
    device = id_map.device
    if max(ids, default=0) < _SMALL:
        table = torch.full((max(ids, default=0) + 1,), fill, dtype=torch.int32)
        table[list(ids)] = torch.tensor(list(values), dtype=torch.int32)
        return table.to(device)[id_map.long()]
    keys, order = torch.tensor([0, *ids]).sort()
    ordered = torch.tensor([fill, *values], dtype=torch.int32)[order]
    return ordered.to(device)[torch.searchsorted(keys.to(device), id_map.long())]
