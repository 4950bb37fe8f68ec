"""Matching of boxes with ground truth: worked by hand, and against the rules written as a loop."""

import pytest
import torch
from torch import Tensor

from spatialflow.ops.assignment import IGNORED, NEGATIVE, assign


def loop(iou: Tensor, positive: float, negative: float, min_best: float, valid: list[bool]) -> list[int]:
    """The rules in the order in which they are told."""
    count, boxes = iou.shape
    result = [IGNORED] * boxes
    usable = [i for i in range(boxes) if valid[i]]
    for i in usable:
        column = iou[:, i].tolist()
        best = max(column, default=0.0)
        if best < negative or not column:
            result[i] = NEGATIVE
        elif best >= positive:
            result[i] = column.index(best)
    for g in range(count):
        own_best = max((iou[g, i].item() for i in usable), default=0.0)
        if own_best >= min_best and own_best > 0:
            for i in usable:
                if iou[g, i].item() == own_best:
                    result[i] = g
    return result


def test_by_hand() -> None:
    iou = torch.tensor(
        [
            [0.60, 0.45, 0.10, 0.50, 0.39, 0.00],
            [0.55, 0.00, 0.20, 0.00, 0.00, 0.00],
            [0.00, 0.00, 0.30, 0.00, 0.30, 0.00],
        ]
    )
    # box 0: both claim it; the second ground truth's best box it is, too, and it comes later
    # boxes 2 and 4: low, but tie for the best of ground truth 2
    # box 1: between the thresholds; box 3: exactly at the threshold; box 5: background
    assert assign(iou, 0.5, 0.4).tolist() == [1, IGNORED, 2, 0, 2, NEGATIVE]


def test_best_below_the_limit_is_not_forced() -> None:
    iou = torch.tensor([[0.3, 0.2], [0.0, 0.45]])
    assert assign(iou, 0.5, 0.5, min_best=0.5).tolist() == [NEGATIVE, NEGATIVE]
    assert assign(iou, 0.5, 0.5, min_best=0.45).tolist() == [NEGATIVE, 1]
    assert assign(iou, 0.5, 0.4, min_best=0.45).tolist() == [NEGATIVE, 1]


def test_ground_truth_that_meets_no_box_claims_none() -> None:
    assert assign(torch.zeros(2, 3), 0.5, 0.4).tolist() == [NEGATIVE] * 3


def test_nothing_to_match() -> None:
    assert assign(torch.zeros(0, 3), 0.5, 0.4).tolist() == [NEGATIVE] * 3
    assert assign(torch.zeros(2, 0), 0.5, 0.4).shape == (0,)
    valid = torch.tensor([True, False, True])
    assert assign(torch.zeros(0, 3), 0.5, 0.4, valid=valid).tolist() == [NEGATIVE, IGNORED, NEGATIVE]


def test_boxes_that_take_no_part() -> None:
    iou = torch.tensor([[0.9, 0.3, 0.2]])
    valid = torch.tensor([False, True, True])
    # the best box is out, so the next best is claimed
    assert assign(iou, 0.5, 0.4, valid=valid).tolist() == [IGNORED, 0, NEGATIVE]
    none = torch.zeros(3, dtype=torch.bool)
    assert assign(iou, 0.5, 0.4, valid=none).tolist() == [IGNORED] * 3


def test_input_stays_as_it_is() -> None:
    iou = torch.tensor([[0.9, 0.3]])
    assign(iou, 0.5, 0.4, valid=torch.tensor([False, True]))
    assert iou.tolist() == torch.tensor([[0.9, 0.3]]).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_rules_as_a_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    count = int(torch.randint(0, 6, (), generator=generator))
    # few distinct values make ties; eighths are exact
    iou = torch.randint(0, 9, (count, 40), generator=generator) / 8
    valid = torch.rand(40, generator=generator) < (0.0, 0.5, 0.9, 1.0)[seed % 4]
    for positive, negative, min_best in ((0.5, 0.375, 0.0), (0.5, 0.5, 0.5), (0.75, 0.25, 0.25)):
        got = assign(iou, positive, negative, min_best=min_best, valid=valid)
        assert got.tolist() == loop(iou, positive, negative, min_best, valid.tolist())
        assert got.dtype == torch.int64
