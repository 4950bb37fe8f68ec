"""Steps without a finite loss: the end of a training, but for single ones in fp16."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spatialflow.errors import SpatialFlowError

MOST_IN_A_ROW = 20
"""Steps without a finite loss that a training in fp16 survives."""


class OverflowGuard:
    """Watches the losses of a model in training.

    In fp16 a step may overflow. The loss scale then skips it, since its gradients are no numbers; but what
    overflowed has already entered the statistics of BatchNorm layers that train, which this puts back.
    """

    def __init__(self, model: nn.Module, is_fp16: bool) -> None:
        self._layers = [m for m in model.modules() if isinstance(m, _BatchNorm)] if is_fp16 else []
        self._most = MOST_IN_A_ROW if is_fp16 else 0
        self._in_a_row = 0
        self._before: list[dict[str, Tensor]] = []

    def before_step(self) -> None:
        """Remember the statistics that a step may spoil."""
        self._before = [
            {name: buffer.clone() for name, buffer in layer.named_buffers()} if layer.training else {}
            for layer in self._layers
        ]

    def check(self, total: Tensor, step: int, rate: float) -> None:
        """Look at a step's loss.

        Raises:
            SpatialFlowError: such steps are too many in a row: the training diverges.
        """
        if torch.isfinite(total):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row > self._most:
            raise SpatialFlowError(
                f"training diverged: the loss is {total.item()} at step {step}; lower train.lr (the rate now "
                f"is {rate:.2g}), warm up longer, or set train.clip_norm"
            )

    @torch.no_grad()
    def restore(self) -> None:
        """Once gradients are computed, put back what the last step has spoilt, if it has."""
        if self._in_a_row:
            for layer, buffers in zip(self._layers, self._before, strict=True):
                for name, buffer in buffers.items():
                    layer.get_buffer(name).copy_(buffer)
