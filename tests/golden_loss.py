"""The original's stuff loss with its two faults, to compare the rest like with like.

Faults (MANIFEST of the golden numbers, quirks 1 and 2): the loss grows with the batch size, and the first
image's size is taken for the valid region of the whole batch, inside which the padding of the other images is
trained as class 0. With one image neither shows but in the weight, which is 0.25 for it and 0.5 for two.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from spatialflow import criterion
from spatialflow.criterion import Criterion
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.ops.losses import stuff_loss
from spatialflow.ops.masks import IGNORED
from spatialflow.structures import Batch

ORIGINAL_WEIGHT = 0.25


def criterion_of(model: SpatialFlow, batch_size: int) -> Criterion:
    """Ours, with the weight that the original's comes to at this batch size."""
    weights = model.config.loss.model_copy(update={"stuff_weight": ORIGINAL_WEIGHT * batch_size})
    return Criterion(weights, model.config.model, model.categories)


def restore_padding_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stuff targets and the valid region be the original's."""
    mended = Criterion.stuff_targets

    def targets(self: Criterion, batch: Batch) -> Tensor:
        result = mended(self, batch)
        for image, (height, width) in zip(result, batch.image_sizes, strict=True):
            image[height:] = 0
            image[:, width:] = 0
        height, width = batch.image_sizes[0]
        result[:, height:] = IGNORED
        result[:, :, width:] = IGNORED
        return result

    def loss(logits: Tensor, targets: Tensor, image_sizes: Sequence[tuple[int, int]]) -> Tensor:
        return stuff_loss(logits, targets, [image_sizes[0]] * len(image_sizes))

    monkeypatch.setattr(Criterion, "stuff_targets", targets)
    monkeypatch.setattr(criterion, "stuff_loss", loss)


def relative_error(ours: Tensor, golden: float | list[float]) -> float:
    """Largest difference of the entries, over the largest golden one."""
    expected = torch.tensor(golden, dtype=torch.float64)
    return float((ours.detach().double() - expected).abs().max() / expected.abs().max())
