"""Which anchor or proposal answers for which ground-truth box (RetinaNet's rule)."""

import torch
from torch import Tensor

NEGATIVE = -1
IGNORED = -2


def assign(
    iou: Tensor, positive: float, negative: float, *, min_best: float = 0.0, valid: Tensor | None = None
) -> Tensor:
    """Match boxes with ground truth by overlap.

    A box whose best IoU is at least ``positive`` takes that ground truth; below ``negative`` it is a
    negative; between the two it is ignored. Then every ground truth also takes the boxes that reach its own
    best IoU, all of them where several tie, provided it is at least ``min_best`` and not zero; where two
    claim one box the later ground truth has it. This is the order of events in the original (mmdetection's
    MaxIoUAssigner).

    Args:
        iou: (G, N).
        positive: threshold.
        negative: threshold, at most ``positive``.
        min_best: see above.
        valid: (N,) bool; the others are ignored and take no part.

    Returns:
        (N,) int64: index of the ground truth, ``NEGATIVE`` or ``IGNORED``.
    """
    count, boxes = iou.shape
    result = iou.new_full((boxes,), NEGATIVE, dtype=torch.int64)
    if count and boxes:
        if valid is not None:
            iou = iou.masked_fill(~valid, -1)
        best, which = iou.max(dim=0)
        result[best >= negative] = IGNORED
        result = torch.where(best >= positive, which, result)
        result = _claim(iou, min_best, result)
    if valid is not None:
        result[~valid] = IGNORED
    return result


def _claim(iou: Tensor, min_best: float, result: Tensor) -> Tensor:
    """Let every ground truth take the boxes that tie for its best IoU; the later ground truth wins."""
    own_best = iou.max(dim=1).values
    can_claim = (own_best >= min_best) & (own_best > 0)
    ties = (iou == own_best[:, None]) & can_claim[:, None]
    claimants, claimed = ties.nonzero(as_tuple=True)
    latest = torch.full_like(result, -1).scatter_reduce(0, claimed, claimants, "amax")
    return torch.where(latest >= 0, latest, result)
