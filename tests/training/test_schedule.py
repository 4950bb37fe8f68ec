import pytest
import torch
from torch import nn

from spatialflow.config import TrainConfig
from spatialflow.training.schedule import build_optimizer, lr_factor, scaled_lr, total_steps


def config(**values: object) -> TrainConfig:
    return TrainConfig.model_validate(values)


def test_rate_grows_with_the_batch() -> None:
    assert scaled_lr(config(lr=0.005, base_batch=8), 2) == pytest.approx(0.00125)
    assert scaled_lr(config(lr=0.005, base_batch=8), 16) == pytest.approx(0.01)
    assert scaled_lr(config(lr=0.005, base_batch=8, scale_lr=False), 2) == 0.005


def test_total_steps_end_with_the_epochs_or_earlier() -> None:
    assert total_steps(config(epochs=3), 10) == 30
    assert total_steps(config(epochs=3, max_steps=12), 10) == 12
    assert total_steps(config(epochs=3, max_steps=99), 10) == 30


def test_original_schedule_by_hand() -> None:
    """20 epochs of 1000 steps, 500 steps of warm-up from 1/1000, a tenth after epochs 16 and 19."""
    factor = lr_factor(config(), 1000)
    # mmcv: rate * (1 - (1 - step / 500) * (1 - 0.001))
    assert factor(0) == pytest.approx(0.001)
    assert factor(1) == pytest.approx(0.001 + 0.999 / 500)
    assert factor(250) == pytest.approx(0.5005)
    assert factor(499) == pytest.approx(1 - 0.999 / 500)
    assert factor(500) == 1
    assert factor(15_999) == 1
    assert factor(16_000) == pytest.approx(0.1)
    assert factor(18_999) == pytest.approx(0.1)
    assert factor(19_000) == pytest.approx(0.01)
    assert factor(19_999) == pytest.approx(0.01)


def test_warm_up_multiplies_what_comes_after_it() -> None:
    factor = lr_factor(config(milestones=[1], warmup_steps=20, warmup_ratio=0.0), 10)
    assert factor(5) == pytest.approx(0.25)
    assert factor(15) == pytest.approx(0.75 * 0.1)


def test_a_milestone_within_an_epoch() -> None:
    factor = lr_factor(config(milestones=[0.5, 1.7], warmup_steps=0), 10)
    assert [factor(step) for step in (4, 5, 16, 17)] == pytest.approx([1, 0.1, 0.1, 0.01])


def test_cosine_ends_at_zero_after_the_last_step() -> None:
    factor = lr_factor(config(schedule="cosine", epochs=4, warmup_steps=0), 25)
    assert factor(0) == 1
    assert factor(50) == pytest.approx(0.5)
    assert factor(25) == pytest.approx((1 + 2**-0.5) / 2)
    assert 0 < factor(99) < 1e-3
    assert factor(100) == pytest.approx(0)
    assert factor(101) == pytest.approx(0), "never rises again"


def test_cosine_is_as_long_as_max_steps() -> None:
    factor = lr_factor(config(schedule="cosine", epochs=4, max_steps=10, warmup_steps=0), 25)
    assert factor(5) == pytest.approx(0.5)


def model() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    net[2].requires_grad_(False)
    return net


def test_sgd_decays_all_that_trains_and_nothing_frozen() -> None:
    optimizer = build_optimizer(model(), config(momentum=0.9, weight_decay=1e-4), 0.1)
    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    assert len(group["params"]) == 4
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 1e-4)


def test_adamw_spares_biases_and_norms_the_decay() -> None:
    optimizer = build_optimizer(model(), config(optimizer="adamw", weight_decay=0.05), 0.1)
    assert isinstance(optimizer, torch.optim.AdamW)
    decayed, spared = optimizer.param_groups
    assert [p.ndim for p in decayed["params"]] == [4]
    assert [p.ndim for p in spared["params"]] == [1, 1, 1]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
