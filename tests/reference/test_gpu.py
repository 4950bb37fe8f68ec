"""On a GPU, in float32 without TF32, detections, losses and gradients of all models are the original's."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from golden import Batches, Models
from golden_loss import criterion_of, relative_error
from spatialflow import Predictor
from spatialflow.checkpoints.original import rename

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.parametrize("name", ["r50", "r101", "r101_dcn"]),
]


@pytest.fixture(autouse=True)
def _full_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cudnn.allow_tf32", False)


def test_detections_and_panoptic_map(models: Models, reference: Path, name: str) -> None:
    folder = reference / "public" / name
    golden = json.loads((folder / "detect_extra.json").read_text())
    model = models(name)
    data = model.config.data.model_copy(update={"test_scale": tuple(golden["img_scale"])})
    model.config = model.config.model_copy(update={"data": data})
    entry = golden["panoptic_using_bbox_True"]["images"][0]
    photo = reference / "public" / "images" / entry["file_name"].replace(".png", ".jpg")
    predictor = Predictor(model, "cuda", "fp32")
    (found,) = predictor.find([photo])
    expected = golden["images"][0]
    assert found.things.labels.tolist() == expected["labels"]
    assert np.abs(found.things.scores - np.array(expected["scores"])).max() <= 1e-4
    assert np.abs(found.things.boxes - np.array(expected["boxes"])).max() <= 0.05
    prediction = predictor.merge(found)
    index_map = cv2.imread(str(folder / entry["index_map"]), cv2.IMREAD_UNCHANGED)
    wanted = np.array([0] + [s["category_id"] for s in entry["segments"]])[index_map]
    ours = np.array([0] + [s.category.id for s in prediction.segments])[prediction.segment_ids.numpy()]
    assert (ours == wanted).mean() >= 0.999


def test_losses_and_gradients(models: Models, batches: Batches, reference: Path, name: str) -> None:
    golden = json.loads((reference / "public" / name / "loss.json").read_text())["cases"]["single1_flip"]
    batch = batches(golden["order"], golden["flip"] > 0.5).to("cuda")
    model = models(name).to("cuda").train()
    criterion = criterion_of(model, len(batch))
    outputs = model(batch.images)
    proposals = criterion.propose(outputs, batch)
    losses = criterion(outputs, model.segment(outputs.mask_features, proposals.boxes), proposals, batch)
    pairs = {"cls": "loss_cls", "box": "loss_bbox", "mask": "loss_mask", "stuff": "loss_stuff"}
    for part, theirs in pairs.items():
        assert relative_error(getattr(losses, part).cpu(), golden["losses"][theirs]) < 1e-3, part
    losses.total.backward()
    parameters = dict(model.named_parameters())
    for key, norm in golden["grad_norm"].items():
        gradient = parameters[rename(key)].grad
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=0.02), key
