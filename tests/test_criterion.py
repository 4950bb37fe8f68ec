"""Losses of odd batches, and targets worked by hand."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from make_model import TOY, make_batch, make_target, tiny_config, tiny_model
from spatialflow.config import LossConfig
from spatialflow.criterion import Criterion, Losses, instances, mask_targets
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.ops.assignment import IGNORED, NEGATIVE
from spatialflow.structures import Batch, DenseOutputs, Target

CAT, DOG, GRASS, SKY = range(4)
THINGS_CHANNEL = 2
SIZE = (64, 96)
WHOLE = (0, 0, 96, 64)

ODD = {
    "stuff only": [(GRASS, WHOLE, False)],
    "things only": [(CAT, (0, 0, 40, 64), False), (DOG, (40, 0, 96, 64), False)],
    "no annotation": [],
    "crowd only": [(CAT, WHOLE, True)],
    "crowd and stuff": [(SKY, WHOLE, False), (CAT, (10, 10, 50, 50), True)],
    "one pixel": [(SKY, WHOLE, False), (CAT, (50, 20, 51, 21), False)],
    "hidden thing": [(CAT, (10, 10, 30, 30), False), (SKY, WHOLE, False)],
    "corner": [(DOG, (90, 60, 96, 64), False)],
    "two of one box": [(CAT, (10, 10, 50, 50), False), (DOG, (10, 10, 50, 50), False)],
}


def criterion_for(**model: Any) -> Criterion:
    config = tiny_config(**model)
    return Criterion(config.loss, config.model, TOY)


def losses_of(net: SpatialFlow, batch: Batch) -> Losses:
    criterion = Criterion(net.config.loss, net.config.model, net.categories)
    outputs = net(batch.images)
    proposals = criterion.propose(outputs, batch)
    return criterion(outputs, net.segment(outputs.mask_features, proposals.boxes), proposals, batch)


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_images(name: str, agnostic: bool) -> None:
    net = tiny_model(class_agnostic_masks=agnostic).train()
    losses = losses_of(net, make_batch(make_target(SIZE, *ODD[name])))
    assert losses.cls.shape == losses.box.shape == (5,)
    assert losses.mask.shape == losses.stuff.shape == losses.total.shape == ()
    every = torch.cat([losses.cls, losses.box, losses.mask[None], losses.stuff[None]])
    assert torch.isfinite(every).all()
    assert (every >= 0).all()
    assert losses.total.item() == pytest.approx(every.sum().item(), rel=1e-5)
    learns = any(label < 2 and not crowd for label, _, crowd in ODD[name])
    assert (losses.box.sum().item() > 0) is learns
    assert (losses.mask.item() > 0) is learns
    assert (losses.stuff.item() > 0) is (name != "no annotation")
    assert losses.cls.sum().item() > 0
    losses.total.backward()
    for key, parameter in net.named_parameters():  # as distributed training needs it
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


def test_odd_images_in_one_batch() -> None:
    targets = [make_target(SIZE, *segments) for segments in ODD.values()]
    losses = losses_of(tiny_model().train(), make_batch(*targets, make_target((40, 50))))
    assert torch.isfinite(losses.total)


def test_weights_multiply() -> None:
    net = tiny_model()
    batch = make_batch(make_target(SIZE, *ODD["things only"]))
    plain = losses_of(net, batch)
    weights = {"cls_weight": 2.0, "box_weight": 3.0, "mask_weight": 5.0, "stuff_weight": 3.5}
    net.config = net.config.model_copy(update={"loss": LossConfig(**weights)})
    weighted = losses_of(net, batch)
    for name, factor in (("cls", 2), ("box", 3), ("mask", 5), ("stuff", 3.5 / 0.5)):
        assert torch.allclose(getattr(weighted, name), factor * getattr(plain, name))


def test_instances_are_things_that_are_no_crowd() -> None:
    target = make_target(
        SIZE,
        (SKY, WHOLE, False),
        (DOG, (1, 2, 3, 4), False),
        (CAT, (5, 6, 9, 9), True),
        (CAT, (7, 8, 9, 10), False),
    )
    truth = instances(target, 2)
    assert truth.ids.tolist() == [12, 14]
    assert truth.labels.tolist() == [DOG, CAT]
    assert truth.boxes.tolist() == [[1, 2, 3, 4], [7, 8, 9, 10]]


# Outputs made by hand: strides 8, 16, 32, one square anchor of side 4 strides a cell, whose deltas are 0.
SINGLE: dict[str, Any] = {
    "pyramid_levels": 3,
    "anchors": {"scales_per_octave": 1, "ratios": [1.0]},
}


def outputs_like(batch: Batch, stuff: Tensor | None = None) -> DenseOutputs:
    count, height, width = len(batch), *batch.images.shape[-2:]
    sizes = [(height // s, width // s) for s in (8, 16, 32)]
    return DenseOutputs(
        cls_logits=tuple(torch.full((count, 2, h, w), -9.0) for h, w in sizes),
        box_deltas=tuple(torch.zeros(count, 4, h, w) for h, w in sizes),
        stuff_logits=torch.zeros(count, 3, height // 4, width // 4) if stuff is None else stuff,
        mask_features=tuple(torch.zeros(count, 16, h, w) for h, w in sizes),
    )


def test_dense_losses_by_hand() -> None:
    # The box is the anchor of cell (4, 6) of stride 8: 32 by 32 around (48, 32).
    box = (32, 16, 64, 48)
    batch = make_batch(make_target(SIZE, (DOG, box, False)), make_target(SIZE))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    outputs.box_deltas[0][0, :, 4, 6] = torch.tensor([0.5, -0.25, 1.0, 0.0])
    outputs.cls_logits[0][0, DOG, 4, 6] = 1.0
    truths = [instances(target, 2) for target in batch.targets]
    anchors, matches = criterion.assign_anchors(outputs, truths, batch)
    assert anchors[4 * 12 + 6].tolist() == list(box)
    positive = (matches[0] >= 0).nonzero().squeeze(1).tolist()
    # one cell beside: 24 * 32 of 2 * 1024 - 768, 0.6; diagonal: 24 * 24 of 1472, 0.39
    assert positive == [3 * 12 + 6, 4 * 12 + 5, 4 * 12 + 6, 4 * 12 + 7, 5 * 12 + 6]
    assert not (matches[1] >= 0).any()
    cls, l1 = criterion.dense_losses(outputs, truths, batch)

    normaliser = 5 + 1  # an image without positives counts as one
    # neighbours are one quarter of their side away: |delta| 0.25 each
    assert l1.tolist() == pytest.approx([(4 * 0.25 + 1.75) / normaliser, 0, 0])

    def focal(x: float, is_positive: bool) -> float:
        p = 1 / (1 + math.exp(-x))
        if is_positive:
            return -0.25 * (1 - p) ** 2 * math.log(p)
        return -0.75 * p**2 * math.log(1 - p)

    ignored = int(sum((m == IGNORED).sum() for m in matches))
    assert ignored == 0
    background = 2 * 8 * 12 * 2 - 5
    expected = focal(1, True) + 4 * focal(-9, True) + background * focal(-9, False)
    assert cls[0].item() == pytest.approx(expected / normaliser, rel=1e-4)
    assert cls[2].item() == pytest.approx(2 * 2 * 3 * 2 * focal(-9, False) / normaliser, rel=1e-4)


def test_anchors_between_the_thresholds_cost_nothing() -> None:
    # 2 pixels off the anchor of cell (4, 6) of stride 8; (5, 7) is 6 off: 26 * 26 of 2 * 1024 - 676, 0.49
    batch = make_batch(make_target(SIZE, (DOG, (34, 18, 66, 50), False)))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    truths = [instances(batch.targets[0], 2)]
    _, (match,) = criterion.assign_anchors(outputs, truths, batch)
    assert match[5 * 12 + 7] == IGNORED
    before = criterion.dense_losses(outputs, truths, batch)[0]
    outputs.cls_logits[0][0, :, 5, 7] = 5.0
    assert torch.equal(criterion.dense_losses(outputs, truths, batch)[0], before)
    outputs.cls_logits[0][0, :, 7, 11] = 5.0  # background
    assert criterion.dense_losses(outputs, truths, batch)[0][0] > before[0]


def test_anchors_in_the_padding_of_the_batch_are_ignored() -> None:
    batch = make_batch(make_target((40, 50)), make_target((96, 128)))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    truths = [instances(target, 2) for target in batch.targets]
    _, (small, large) = criterion.assign_anchors(outputs, truths, batch)
    assert (large == NEGATIVE).all()
    # 40 x 50 is padded to 64 x 64 of its own: 8 x 8, 4 x 4 and 2 x 2 cells
    grids = [
        m.reshape(h, w)
        for m, (h, w) in zip(small.split([192, 48, 12]), ((12, 16), (6, 8), (3, 4)), strict=True)
    ]
    for grid, side in zip(grids, (8, 4, 2), strict=True):
        assert (grid[:side, :side] == NEGATIVE).all()
        assert (grid[side:] == IGNORED).all()
        assert (grid[:, side:] == IGNORED).all()


def test_crowds_are_background_to_the_detector() -> None:
    batch = make_batch(make_target(SIZE, (CAT, (32, 16, 64, 48), True)))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    _, (match,) = criterion.assign_anchors(outputs, [instances(batch.targets[0], 2)], batch)
    assert (match == NEGATIVE).all()
    assert criterion.stuff_targets(batch)[0, 30, 40] == THINGS_CHANNEL


def test_proposals_are_the_truth_and_the_detections_that_meet_it() -> None:
    truth = (34, 16, 66, 48)
    batch = make_batch(make_target(SIZE, (SKY, WHOLE, False), (DOG, truth, False)))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    logits = outputs.cls_logits[0].requires_grad_()
    with torch.no_grad():
        logits[0, CAT, 4, 6] = 2.0  # 32..64: IoU 30 / 34, though of another class
        logits[0, DOG, 4, 8] = 3.0  # 48..80: IoU 18 / 46, too little
    proposals = criterion.propose(outputs, batch)
    assert proposals.boxes[0].tolist() == [list(truth), [32, 16, 64, 48]]
    assert proposals.matched[0].tolist() == [0, 0]  # rows of the instances, not of all segments
    assert not proposals.boxes[0].requires_grad


def test_a_detection_that_meets_too_little_of_the_truth_is_not_forced_on_it() -> None:
    batch = make_batch(make_target(SIZE, (DOG, (34, 16, 66, 48), False)))
    outputs = outputs_like(batch)
    outputs.cls_logits[0][0, DOG, 4, 8] = 3.0  # IoU 18 / 46, the best there is
    assert len(criterion_for(**SINGLE).propose(outputs, batch).boxes[0]) == 1


def test_number_of_detections_whose_masks_train() -> None:
    batch = make_batch(make_target(SIZE, (DOG, (34, 16, 66, 48), False)))
    outputs = outputs_like(batch)
    outputs.cls_logits[0][0, CAT, 4, 6] = 2.0
    outputs.cls_logits[0][0, DOG, 4, 6] = 3.0
    config = tiny_config(**SINGLE)
    counts = []
    for limit in (0, 1, 2):
        criterion = Criterion(LossConfig(mask_detections=limit), config.model, TOY)
        counts.append(len(criterion.propose(outputs, batch).boxes[0]))
    assert counts == [1, 2, 3]


def test_stuff_targets_leave_padding_and_void_out() -> None:
    batch = make_batch(
        make_target((40, 50), (GRASS, (0, 0, 50, 20), False), (CAT, (5, 5, 9, 9), False)),
        make_target((64, 96), (SKY, (0, 0, 96, 64), False)),
    )
    targets = criterion_for().stuff_targets(batch)
    expected = torch.full((2, 64, 96), 255)
    expected[0, :20, :50] = 0
    expected[0, 5:9, 5:9] = THINGS_CHANNEL
    expected[1] = 1
    assert torch.equal(targets, expected)


def flat_logits(values: list[list[float]], height: int, width: int) -> Tensor:
    """The same logits at every pixel of an image."""
    return torch.tensor(values)[:, :, None, None].expand(-1, -1, height // 4, width // 4)


def stuff_only(batch: Batch, logits: list[list[float]]) -> float:
    criterion = criterion_for(**SINGLE)
    outputs = outputs_like(batch, flat_logits(logits, *batch.images.shape[-2:]))
    proposals = criterion.propose(outputs, batch)
    count = sum(len(b) for b in proposals.boxes)
    return criterion(outputs, torch.zeros(count, 2, 28, 28), proposals, batch).stuff.item()


def test_padding_does_not_change_the_stuff_loss() -> None:
    targets: list[Target] = [
        make_target((40, 50), (GRASS, (0, 0, 50, 20), False)),
        make_target((64, 96), (SKY, (0, 0, 96, 64), False), (DOG, (0, 0, 48, 64), False)),
    ]
    logits = [[0.3, -1.0, 0.5], [2.0, 0.1, -0.4]]
    p = torch.tensor(logits).softmax(dim=1).tolist()
    # half of image 0 is void, which counts in its mean; image 1 is half sky, half things
    first = -math.log(p[0][0]) / 2
    second = -(math.log(p[1][1]) + math.log(p[1][2])) / 2
    alone = [stuff_only(make_batch(t), [row]) for t, row in zip(targets, logits, strict=True)]
    assert alone == pytest.approx([0.5 * first, 0.5 * second], rel=1e-5)
    for height, width in ((0, 0), (128, 160)):
        batch = make_batch(*targets, height=height, width=width)
        assert stuff_only(batch, logits) == pytest.approx(0.5 * (first + second) / 2, rel=1e-5)


def test_mask_targets_by_hand() -> None:
    id_map = torch.zeros(100, 120, dtype=torch.int32)
    id_map[20:40, 30:58] = 7
    id_map[25:30, 40:50] = 9
    boxes = torch.tensor([[30.0, 20, 58, 48], [30, 20, 58, 48], [2, 0, 114, 112], [30, 20, 58, 48]])
    ids = torch.tensor([7, 9, 7, 5])
    targets = mask_targets(id_map, ids, boxes)
    assert targets.dtype == torch.float32
    crop = id_map[20:48, 30:58]
    assert torch.equal(targets[0], (crop == 7).float())  # a box of 28 pixels: one a cell
    assert torch.equal(targets[1], (crop == 9).float())
    # Clipped to the map's 100 rows: cells of 4 columns and 100 / 28 rows. Segment 7 without 9 fills cells
    # 7..13 across; which rows it fills at least half is worked out at quarters of a cell.
    column = F.pad((id_map[:, 31] == 7).float(), (1, 1))
    rows = []
    for cell in range(28):
        samples = [(cell + (k + 0.5) / 4) * 100 / 28 - 0.5 for k in range(4)]
        value = sum(
            column[int(s) + 1] * (1 - s % 1) + column[int(s) + 2] * (s % 1) if s >= 0 else column[1]
            for s in samples
        )
        rows.append(float(value / 4 >= 0.5))
    assert targets[2][:, 7].tolist() == rows
    assert targets[2][6, :].tolist() == [0.0] * 7 + [1.0] * 7 + [0.0] * 14
    assert not targets[3].any()  # an instance without pixels
    # half a pixel to the left, every sample is the mean of two columns, and one half is in
    (shifted,) = mask_targets(
        id_map, torch.tensor([7]), torch.tensor([[29.5, 50, 57.5, 78]]) - torch.tensor([0, 30, 0, 30])
    )
    assert torch.equal(shifted, torch.maximum(crop == 7, id_map[20:48, 29:57] == 7).float())


def test_mask_targets_of_no_box() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    assert mask_targets(torch.zeros(8, 8, dtype=torch.int32), empty, torch.zeros(0, 4)).shape == (0, 28, 28)


def test_mask_loss_takes_the_label_of_the_matched_instance() -> None:
    """Of two instances of different classes each is compared in its own channel."""
    batch = make_batch(make_target(SIZE, (DOG, (0, 0, 28, 28), False), (CAT, (40, 0, 68, 28), False)))
    criterion, outputs = criterion_for(**SINGLE), outputs_like(batch)
    proposals = criterion.propose(outputs, batch)
    logits = torch.full((2, 2, 28, 28), -50.0)
    logits[0, DOG] = logits[1, CAT] = 50.0
    assert criterion(outputs, logits, proposals, batch).mask.item() == pytest.approx(0, abs=1e-6)
