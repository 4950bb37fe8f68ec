"""Optimiser and learning rate of a recipe."""

import bisect
import math
from collections.abc import Callable

from torch import nn, optim

from spatialflow.config import TrainConfig


def scaled_lr(config: TrainConfig, batch: int) -> float:
    """The rate for ``batch`` images a step: linear in the batch (Goyal et al. 2017), unless turned off."""
    return config.lr * batch / config.base_batch if config.scale_lr else config.lr


def total_steps(config: TrainConfig, steps_per_epoch: int) -> int:
    """Optimiser steps of the whole training, however often it is interrupted."""
    steps = config.epochs * steps_per_epoch
    return steps if config.max_steps is None else min(steps, config.max_steps)


def build_optimizer(model: nn.Module, config: TrainConfig, lr: float) -> optim.Optimizer:
    """SGD with momentum over everything that trains, or AdamW that spares biases and norms the decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "sgd":
        return optim.SGD(parameters, lr, momentum=config.momentum, weight_decay=config.weight_decay)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr)


def lr_factor(config: TrainConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """Share of the full rate at each optimiser step, counted from 0: linear warm-up times steps or cosine.

    During warm-up the share rises from ``warmup_ratio`` to 1, as mmcv's linear warm-up does. The cosine ends
    at 0 after the last step of the whole training.
    """
    milestones = [round(epoch * steps_per_epoch) for epoch in config.milestones]
    end = total_steps(config, steps_per_epoch)

    def factor(step: int) -> float:
        if config.schedule == "steps":
            share = config.gamma ** bisect.bisect_right(milestones, step)
        else:
            share = 0.5 * (1 + math.cos(math.pi * min(step / end, 1)))
        if step < config.warmup_steps:
            share *= 1 - (1 - step / config.warmup_steps) * (1 - config.warmup_ratio)
        return share

    return factor
