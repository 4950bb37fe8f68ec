"""Targets, losses and gradients of the two photos equal those of the original's ``forward_train``.

The golden stuff losses are of weight 0.25 times the batch size (see golden_loss.py).
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from golden import Batches, Models
from golden_loss import criterion_of, relative_error, restore_padding_fault
from spatialflow.checkpoints.original import rename
from spatialflow.criterion import Criterion, Losses, Proposals, instances, mask_targets
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.ops.assignment import IGNORED, NEGATIVE
from spatialflow.ops.boxes import encode
from spatialflow.postprocess.detection import level_sizes
from spatialflow.structures import Batch, DenseOutputs

MODELS = ("r50", "r101", "r101_dcn")


def of_models(*cases: str) -> list[Any]:
    """Each case with each model, the quick model's first."""
    return [
        pytest.param(f"{model}-{case}", marks=() if model == "r50" else pytest.mark.slow)
        for model in MODELS
        for case in cases
    ]


CASES = of_models("single0", "single1_flip", "pair", "pair_swapped")
WITH_GRADIENTS = of_models("single1_flip", "pair")
TOLERANCE = 1e-3


class Step(NamedTuple):
    golden: dict[str, Any]
    batch: Batch
    model: SpatialFlow
    criterion: Criterion
    outputs: DenseOutputs
    proposals: Proposals
    mask_logits: Tensor
    losses: Losses

    @property
    def targets(self) -> dict[str, Any]:
        return self.golden["targets"]  # type: ignore[no-any-return]


def for_cases(cases: list[Any]) -> pytest.MarkDecorator:
    """Run a test once a case; the scope lets pytest run all tests of a case one after the other."""
    return pytest.mark.parametrize("step", cases, indirect=True, scope="module")


@pytest.fixture(scope="module")
def step(request: pytest.FixtureRequest, models: Models, batches: Batches, reference: Path) -> Step:
    name, _, case = request.param.partition("-")
    golden = json.loads((reference / "public" / name / "loss.json").read_text())["cases"][case]
    batch = batches(golden["order"], golden["flip"] > 0.5)
    model = models(name).train()
    criterion = criterion_of(model, len(batch))
    with torch.set_grad_enabled("grad_norm" in golden):
        outputs = model(batch.images)
        proposals = criterion.propose(outputs, batch)
        mask_logits = model.segment(outputs.mask_features, proposals.boxes)
        losses = criterion(outputs, mask_logits, proposals, batch)
    return Step(golden, batch, model, criterion, outputs, proposals, mask_logits, losses)


@for_cases(CASES)
def test_the_batch_is_the_same(step: Step) -> None:
    assert list(step.batch.images.shape) == step.golden["img_batch_shape"]
    for i, meta in enumerate(step.golden["metas"]):
        assert step.batch.targets[i].file_name == meta["file"]
        assert list(step.batch.image_sizes[i]) == meta["img_shape"][:2]
        norm = step.batch.images[i].double().norm().item()
        assert norm == pytest.approx(step.golden["img_norm_f64"][i], rel=1e-6)
        truth = instances(step.batch.targets[i], 80)
        assert truth.labels.tolist() == step.golden["gt"][i]["labels"]
        assert np.allclose(truth.boxes, step.golden["gt"][i]["boxes"], atol=1e-3)


@for_cases(CASES)
def test_losses(step: Step) -> None:
    golden = step.golden["losses"]
    assert relative_error(step.losses.cls, golden["loss_cls"]) < TOLERANCE
    assert relative_error(step.losses.box, golden["loss_bbox"]) < TOLERANCE
    for ours, theirs in zip(step.losses.cls.tolist(), golden["loss_cls"], strict=True):
        assert ours == pytest.approx(theirs, rel=TOLERANCE)  # the tiny ones of the coarse levels, too
    assert relative_error(step.losses.mask, golden["loss_mask"]) < TOLERANCE
    if len(step.batch) == 1:
        assert relative_error(step.losses.stuff, golden["loss_stuff"]) < TOLERANCE
        assert relative_error(step.losses.total, step.golden["total"]) < TOLERANCE


@for_cases(of_models("pair", "pair_swapped"))
def test_stuff_loss_of_two_images_with_the_original_faults(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The padding is all that differs."""
    golden = step.golden["losses"]["loss_stuff"]
    assert relative_error(step.losses.stuff, golden) > TOLERANCE
    restore_padding_fault(monkeypatch)
    losses = step.criterion(step.outputs, step.mask_logits, step.proposals, step.batch)
    assert relative_error(losses.stuff, golden) < TOLERANCE
    assert relative_error(losses.total, step.golden["total"]) < TOLERANCE


@for_cases(of_models("pair", "pair_swapped"))
def test_stuff_loss_of_two_images_by_hand(step: Step) -> None:
    """The mean over the images of each one's own mean over its own region, times the weight."""
    logits = step.outputs.stuff_logits.detach()
    fine = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=True).double()
    means = []
    for i, target in enumerate(step.batch.targets):
        height, width = step.batch.image_sizes[i]
        log_p = fine[i, :, :height, :width].log_softmax(dim=0)
        total = 0.0
        for segment, label in zip(target.ids.tolist(), target.labels.tolist(), strict=True):
            channel = 36 if label < 80 else label - 80 + (label - 80 >= 36)
            total -= log_p[channel][target.id_map == segment].sum().item()
        means.append(total / (height * width))
    assert step.losses.stuff.item() == pytest.approx(0.5 * (means[0] + means[1]) / 2, rel=1e-4)


@for_cases(CASES)
def test_anchor_targets(step: Step) -> None:
    truths = [instances(target, 80) for target in step.batch.targets]
    anchors, matches = step.criterion.assign_anchors(step.outputs, truths, step.batch)
    counts = [h * w * 9 for h, w in level_sizes(step.outputs)]
    levels = [torch.stack(part) for part in zip(*(m.split(counts) for m in matches), strict=True)]
    golden = step.targets
    assert sum((m >= 0).sum().item() for m in matches) == golden["num_total_pos"]
    assert [(m >= 0).sum().item() for m in levels] == golden["pos_per_level"]
    assert [(m == IGNORED).sum().item() for m in levels] == golden["ignored_per_level"]
    assert [(m == NEGATIVE).sum().item() for m in levels] == golden["neg_per_level"]
    sums = torch.zeros(len(counts), dtype=torch.float64)
    for truth, match in zip(truths, matches, strict=True):
        deltas = torch.zeros(len(anchors))
        rows = match >= 0
        deltas[rows] = encode(truth.boxes[match[rows]], anchors[rows]).abs().sum(dim=1)
        sums += torch.tensor([part.double().sum() for part in deltas.split(counts)])
    assert sums.tolist() == pytest.approx(golden["bbox_target_abs_sum_per_level"], rel=1e-5)


@for_cases(CASES)
def test_mask_targets(step: Step) -> None:
    golden = step.targets
    assert [len(b) for b in step.proposals.boxes] == golden["mask_pos_per_image"]
    assert [m.tolist() for m in step.proposals.matched] == golden["mask_pos_assigned_gt"]
    cut = []
    for target, boxes, matched, expected in zip(
        step.batch.targets, *step.proposals, golden["mask_pos_bboxes"], strict=True
    ):
        assert np.abs(boxes.numpy() - np.array(expected)).max() < 0.02
        cut.append(mask_targets(target.id_map, instances(target, 80).ids[matched], boxes))
    sums = torch.cat(cut).sum(dim=(1, 2)).tolist()
    assert np.abs(np.array(sums) - golden["mask_target_sum_per_roi"]).max() <= 1  # a pixel at one half


@for_cases(WITH_GRADIENTS)
def test_gradients(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    if len(step.batch) > 1:
        restore_padding_fault(monkeypatch)
    step.criterion(step.outputs, step.mask_logits, step.proposals, step.batch).total.backward()
    parameters = dict(step.model.named_parameters())
    golden = step.golden["grad_norm"]
    ours = {key: parameters[rename(key)].grad.norm().item() for key in golden}  # type: ignore[union-attr]
    for key, norm in golden.items():  # those that steer deformable convolutions are the noisiest
        assert ours[key] == pytest.approx(norm, rel=0.02 if "offset" in key else 0.01), key
    total = torch.stack([p.grad.norm() for p in parameters.values() if p.grad is not None]).norm().item()
    assert total == pytest.approx(step.golden["total_grad_norm"], rel=0.01)

    trained = {name for name, parameter in parameters.items() if parameter.grad is not None}
    assert trained == {name for name, parameter in parameters.items() if parameter.requires_grad}
    assert set(parameters) - trained == {rename(key) for key in step.golden["no_grad_params"]}
    assert len(trained) == step.golden["n_params_with_grad"]
