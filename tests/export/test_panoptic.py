"""The merge in the graph against the one outside, on made-up things and stuff."""

import numpy as np
import pytest
import torch

from make_model import categories
from spatialflow.config import MergeConfig
from spatialflow.export.outputs import FoundOutputs
from spatialflow.export.panoptic import merge_in_graph
from spatialflow.postprocess.panoptic import Instances, as_prediction, merge

CLASSES = categories(3, 4)
SIZE = (40, 56)
LIMIT = 12


def made_up(seed: int, number: int) -> FoundOutputs:
    """Boxes over and beyond the picture, now and then without width or height, with round masks."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-6, 50, (number, 2, 2)) * (1, 0.8)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    boxes[rng.random(number) < 0.1, 2] = boxes[rng.random(number) < 0.1, 2].max(initial=3)
    thin = rng.random(number) < 0.15
    boxes[thin, 2] = boxes[thin, 0]
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    masks = np.clip(rng.uniform(0.3, 1.4, (number, 1, 1)) - 0.5 * (x**2 + y**2), 0, 1).astype(np.float32)
    filled = [
        torch.zeros(LIMIT, 4),
        torch.zeros(LIMIT),
        torch.zeros(LIMIT).long(),
        torch.zeros(LIMIT, 28, 28),
    ]
    values = [boxes, np.sort(rng.random(number).astype(np.float32))[::-1], rng.integers(0, 3, number), masks]
    for target, value in zip(filled, values, strict=True):
        target[:number] = torch.from_numpy(value.copy())
    stuff = rng.integers(0, 5, (5, 7), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    scores = torch.from_numpy(rng.random(5).astype(np.float32))
    boxes_, scores_, labels, masks_ = filled
    count = torch.tensor(number)
    return FoundOutputs(boxes_, scores_, labels, count, masks_, torch.from_numpy(stuff), scores)


@pytest.mark.parametrize("using_bbox", [False, True])
@pytest.mark.parametrize("number", [0, 1, 12])
@pytest.mark.parametrize("seed", range(8))
def test_same_map_and_segments(seed: int, number: int, using_bbox: bool) -> None:
    found = made_up(seed, number)
    config = MergeConfig(
        score_threshold=0.2, overlap_threshold=0.5, stuff_area=100, using_bbox=using_bbox, bbox_threshold=0.1
    )
    things = Instances(*(v[:number].numpy() for v in (found.boxes, found.scores, found.labels, found.masks)))
    expected = merge(things, found.stuff.numpy(), found.stuff_scores.numpy(), CLASSES, config)
    with torch.no_grad():
        ids, labels, scores = merge_in_graph(found, CLASSES, config)
    count = int((labels >= 0).sum())
    actual = as_prediction(ids.numpy(), labels[:count].tolist(), scores[:count].tolist(), CLASSES)
    assert torch.equal(actual.segment_ids, expected.segment_ids)
    assert actual.segments == expected.segments
    assert (labels[count:] == -1).all()
    assert (scores[count:] == 0).all()


def test_every_branch_is_met() -> None:
    """Else the test above would not show them right: refused things, filled boxes, segments by box alone."""
    config = MergeConfig(score_threshold=0.2, overlap_threshold=0.5, stuff_area=100, bbox_threshold=0.1)
    counts = {"refused": 0, "filled": 0, "by box alone": 0, "small stuff": 0}
    for seed in range(8):
        found = made_up(seed, 12)
        things = Instances(*(v.numpy() for v in (found.boxes, found.scores, found.labels, found.masks)))
        args = things, found.stuff.numpy(), found.stuff_scores.numpy(), CLASSES
        plain = merge(*args, config.model_copy(update={"using_bbox": False}))
        boxed = merge(*args, config)
        painted = sum(s.is_thing for s in plain.segments)
        counts["refused"] += int((things.scores >= 0.2).sum()) - painted
        counts["filled"] += int(((plain.segment_ids == 0) & (boxed.segment_ids > 0)).sum())
        counts["by box alone"] += len(boxed.segments) - len(plain.segments)
        counts["small stuff"] += CLASSES.num_stuff - sum(not s.is_thing for s in plain.segments)
    assert all(counts.values()), counts
