"""Losses against their formulas in float64, and what counts in them."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spatialflow.ops.losses import focal_loss, l1_loss, mask_loss, stuff_loss


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def focal_by_loop(logits: Tensor, labels: Tensor, gamma: float, alpha: float) -> float:
    total = 0.0
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        for channel, x in enumerate(row):
            p = 1 / (1 + math.exp(-x))
            if label == channel:
                total -= alpha * (1 - p) ** gamma * math.log(p)
            elif label >= 0:
                total -= (1 - alpha) * p**gamma * math.log(1 - p)
    return total


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (1.5, 0.75)])
def test_focal_loss_equals_its_formula(gamma: float, alpha: float) -> None:
    logits = normal(30, 4) * 3
    labels = torch.arange(30) % 6 - 1  # -1 ignored, 0..3 classes, 4 background
    expected = focal_by_loop(logits, labels, gamma, alpha)
    assert focal_loss(logits, labels, gamma, alpha).item() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_by_hand() -> None:
    # p = 1/2 everywhere: a positive costs 1/4 1/4 ln 2, a negative 3/4 1/4 ln 2
    loss = focal_loss(torch.zeros(1, 3), torch.tensor([1]))
    assert loss.item() == pytest.approx((0.25 + 2 * 0.75) * 0.25 * math.log(2))
    assert focal_loss(torch.zeros(1, 3), torch.tensor([-1])).item() == 0


def test_focal_loss_of_sure_predictions_is_finite_with_gradients() -> None:
    logits = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([1, 1]))
    loss.backward()
    # row 0 is wrong twice: 0.75 * 100 and 0.25 * 100
    assert loss.item() == pytest.approx(100)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_focal_gradient() -> None:
    logits = (normal(6, 3) * 2).double().requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, -1, 3])
    focal_loss(logits, labels).backward()
    assert logits.grad is not None
    step = 1e-3
    for row, channel in ((0, 0), (0, 1), (3, 2), (4, 0)):
        moved = logits.detach().clone()
        moved[row, channel] += step
        above = focal_by_loop(moved, labels, 2.0, 0.25)
        moved[row, channel] -= 2 * step
        slope = (above - focal_by_loop(moved, labels, 2.0, 0.25)) / (2 * step)
        assert logits.grad[row, channel].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_focal_loss_of_no_anchor() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = focal_loss(logits, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0


def test_l1_loss() -> None:
    assert l1_loss(torch.tensor([[1.0, -2, 3, 0]]), torch.tensor([[0.0, 1, 3, 0.5]])).item() == 4.5
    empty = torch.zeros(0, 4, requires_grad=True)
    loss = l1_loss(empty, torch.zeros(0, 4))
    loss.backward()
    assert loss.item() == 0
    assert empty.grad is not None


def test_mask_loss_reads_each_boxs_own_channel() -> None:
    logits, labels = normal(4, 3, 5, 5), torch.tensor([2, 0, 0, 1])
    targets = (normal(4, 5, 5, seed=1) > 0).float()
    p = logits.double().sigmoid()
    terms = [
        -(t * p[i, c].log() + (1 - t) * (1 - p[i, c]).log())
        for i, (c, t) in enumerate(zip(labels.tolist(), targets.double(), strict=True))
    ]
    loss = mask_loss(logits, labels, targets)
    assert loss.item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)


def test_class_agnostic_mask_loss() -> None:
    logits = normal(4, 1, 5, 5)
    targets = (normal(4, 5, 5, seed=1) > 0).float()
    expected = F.binary_cross_entropy(logits[:, 0].sigmoid(), targets)
    loss = mask_loss(logits, torch.tensor([2, 0, 0, 1]), targets)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_mask_loss_of_no_box_has_a_gradient_path() -> None:
    logits = torch.zeros(0, 3, 28, 28, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 28, 28))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None


def test_stuff_loss_by_hand() -> None:
    # equal logits: every labelled pixel costs ln 4; of image 0 one of 8 pixels is void, of image 1 none of 2
    targets = torch.full((2, 4, 4), 255)
    targets[0, :2, :4] = 1
    targets[0, 0, 0] = 255
    targets[1, :1, :2] = 3
    loss = stuff_loss(torch.zeros(2, 4, 1, 1), targets, [(2, 4), (1, 2)])
    assert loss.item() == pytest.approx(math.log(4) * (7 / 8 + 1) / 2)


def test_stuff_loss_upsamples_with_aligned_corners() -> None:
    logits = normal(1, 3, 2, 3)
    targets = torch.randint(0, 3, (1, 8, 12), generator=torch.Generator().manual_seed(2))
    total = 0.0
    for y in range(8):
        for x in range(12):
            v, u = y * (2 - 1) / (8 - 1), x * (3 - 1) / (12 - 1)
            top, left = min(int(v), 0), min(int(u), 1)
            b, a = v - top, u - left
            corners = logits[0, :, top : top + 2, left : left + 2].double()
            row = corners[:, 0] * (1 - b) + corners[:, 1] * b
            fine = row[:, 0] * (1 - a) + row[:, 1] * a
            total -= fine.log_softmax(dim=0)[targets[0, y, x]].item()
    loss = stuff_loss(logits, targets, [(8, 12)])
    assert loss.item() == pytest.approx(total / 96, rel=1e-5)


def test_stuff_loss_of_void_only() -> None:
    logits = normal(1, 3, 2, 2).requires_grad_()
    loss = stuff_loss(logits, torch.full((1, 8, 8), 255), [(8, 8)])
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_losses_compute_in_float32() -> None:
    half = normal(3, 2, 4, 4).bfloat16()
    labels = torch.tensor([0, 1, 0])
    assert focal_loss(half[:, :, 0, 0], labels).dtype == torch.float32
    assert l1_loss(half[0, 0], torch.zeros(4, 4)).dtype == torch.float32
    assert mask_loss(half, labels, torch.zeros(3, 4, 4)).dtype == torch.float32
    assert stuff_loss(half, torch.zeros(3, 16, 16, dtype=torch.int64), [(16, 16)] * 3).dtype == torch.float32
