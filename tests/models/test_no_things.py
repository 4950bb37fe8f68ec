"""A data set of stuff only: the detector has nothing to do, the rest works."""

import numpy as np
import pytest
import torch

import spatialflow as sf
from spatialflow.criterion import Criterion
from spatialflow.structures import Batch, Target

STUFF = sf.Categories([sf.Category(i, f"stuff {i}", False, (i, i, i)) for i in (1, 2)])
CONFIG = sf.load_config("spatialflow_tiny")


@pytest.mark.filterwarnings("error")
def test_trains_and_predicts() -> None:
    model = sf.build_model(CONFIG, STUFF).train()
    outputs = model(torch.randn(1, 3, 64, 96))
    assert [x.shape[1] for x in outputs.cls_logits] == [0, 0, 0]
    ids = torch.ones(64, 96, dtype=torch.int32)
    box = torch.tensor([[0.0, 0, 96, 64]])
    target = Target(
        ids, torch.tensor([1]), torch.tensor([0]), torch.tensor([False]), box, 1, "a.jpg", (64, 96)
    )
    batch = Batch(torch.randn(1, 3, 64, 96), ((64, 96),), (target,))
    criterion = Criterion(CONFIG.loss, CONFIG.model, STUFF)
    proposals = criterion.propose(outputs, batch)
    losses = criterion(outputs, model.segment(outputs.mask_features, proposals.boxes), proposals, batch)
    losses.total.backward()
    assert losses.cls.sum() == losses.box.sum() == losses.mask == 0
    assert losses.stuff > 0
    assert all(p.grad is not None for p in model.parameters())  # else DDP would wait for them
    prediction = sf.Predictor(model, "cpu", "fp32").predict(np.zeros((64, 96, 3), np.uint8))
    assert all(not segment.is_thing for segment in prediction.segments)


def test_too_many_stuff_classes_are_refused() -> None:
    many = sf.Categories([sf.Category(i, str(i), False, (0, 0, 0)) for i in range(255)])
    with pytest.raises(sf.SpatialFlowError, match=r"data\.categories: 255 stuff classes"):
        sf.build_model(CONFIG, many)
