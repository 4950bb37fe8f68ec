"""Box geometry against hand-worked numbers and loops."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from spatialflow.ops.boxes import MAX_LOG_RATIO, area, class_nms, clip, decode, encode, pairwise_iou


def random_boxes(n: int, seed: int, extent: float = 100) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator) * extent
    return torch.cat([corner, corner + torch.rand(n, 2, generator=generator) * extent / 2 + 5], dim=1)


def iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inner = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / max(union, 1e-6)


def test_area() -> None:
    boxes = torch.tensor([[1.0, 2, 4, 7], [1, 1, 1, 5], [5, 5, 3, 3]])
    assert area(boxes).tolist() == [15, 0, 0]


def test_iou_by_hand() -> None:
    a = torch.tensor([[0.0, 0, 4, 4]])
    b = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4], [1, 1, 3, 3], [1, 1, 1, 1]])
    assert pairwise_iou(a, b)[0].tolist() == pytest.approx([1, 8 / 24, 0, 4 / 16, 0])
    assert pairwise_iou(b[-1:], b[-1:]).item() == 0  # nothing over nothing
    small = torch.tensor([[0.0, 0, 0.1, 0.2]])
    assert pairwise_iou(small, small).item() == pytest.approx(1)
    assert pairwise_iou(a, torch.zeros(0, 4)).shape == (1, 0)


def test_iou_equals_a_loop() -> None:
    a, b = random_boxes(7, 1), random_boxes(9, 2)
    expected = [[iou(x, y) for y in b.tolist()] for x in a.tolist()]
    assert torch.allclose(pairwise_iou(a, b), torch.tensor(expected), atol=1e-6)


def test_encode_by_hand() -> None:
    deltas = encode(torch.tensor([[10.0, 10, 30, 20]]), torch.tensor([[0.0, 0, 10, 20]]))
    assert deltas[0].tolist() == pytest.approx([1.5, 0.25, math.log(2), math.log(0.5)])


def test_decode_undoes_encode() -> None:
    boxes, anchors = random_boxes(50, 3), random_boxes(50, 4)
    assert torch.allclose(decode(encode(boxes, anchors), anchors, (1000, 1000)), boxes, atol=1e-3)


def test_decode_limits_the_size_and_clips() -> None:
    anchor = torch.tensor([[490.0, 490, 500, 500]])
    wide = decode(torch.tensor([[0.0, 0, 99, -99]]), anchor, (10_000, 10_000))
    width, height = 10 * 1000 / 16, 10 * 16 / 1000
    expected = [495 - width / 2, 495 - height / 2, 495 + width / 2, 495 + height / 2]
    assert wide[0].tolist() == pytest.approx(expected, rel=1e-5)
    assert pytest.approx(math.log(1000 / 16)) == MAX_LOG_RATIO
    clipped = decode(torch.tensor([[0.0, 0, 99, 99]]), anchor, (510, 600))
    assert clipped[0].tolist() == pytest.approx([182.5, 182.5, 600, 510])


def test_clip_knows_width_from_height() -> None:
    box = torch.tensor([[-5.0, -6, 50, 60], [40, 40, 45, 45]])
    assert clip(box, (30, 20)).tolist() == [[0, 0, 20, 30], [20, 30, 20, 30]]


def brute_force_nms(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i].item()):
        rivals = (j for j in kept if labels[j] == labels[i])
        if all(iou(boxes[i].tolist(), boxes[j].tolist()) <= threshold for j in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.1, 0.4, 0.7])
def test_nms_equals_a_loop(threshold: float) -> None:
    rng = np.random.default_rng(5)
    boxes = random_boxes(150, 6)
    scores = torch.from_numpy(rng.permutation(150).astype(np.float32)) / 150
    labels = torch.from_numpy(rng.integers(0, 4, 150))
    expected = brute_force_nms(boxes, scores, labels, threshold)
    assert len(expected) < 150
    assert class_nms(boxes, scores, labels, threshold, 1000).tolist() == expected
    assert class_nms(boxes, scores, labels, threshold, 7).tolist() == expected[:7]


def test_nms_keeps_equal_boxes_of_other_classes() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10]] * 3)
    scores = torch.tensor([0.3, 0.9, 0.5])
    assert class_nms(boxes, scores, torch.tensor([0, 1, 1]), 0.5, 10).tolist() == [1, 0]
    assert class_nms(boxes, scores, torch.tensor([0, 1, 2]), 0.5, 10).tolist() == [1, 2, 0]


def test_nms_removes_only_above_the_threshold() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 2, 4, 4]])  # IoU exactly one half
    scores, labels = torch.tensor([0.9, 0.8]), torch.zeros(2, dtype=torch.int64)
    assert class_nms(boxes, scores, labels, 0.5, 10).tolist() == [0, 1]
    assert class_nms(boxes, scores, labels, 0.49, 10).tolist() == [0]


def test_nms_of_nothing() -> None:
    kept = class_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5, 10)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64
