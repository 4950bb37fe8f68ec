"""Decoding and selection of detections, worked by hand."""

import pytest
import torch
from torch import Tensor

from spatialflow.config import AnchorConfig, DetectionConfig
from spatialflow.ops.anchors import grid_anchors
from spatialflow.ops.boxes import decode
from spatialflow.postprocess.detection import decode_candidates, level_sizes, per_anchor, select
from spatialflow.structures import DenseOutputs

ANCHORS = AnchorConfig(scales_per_octave=1, ratios=(0.5, 2.0))
STRIDES = (8, 16)
SIZES = [(4, 6), (2, 3)]
CLASSES = 3


def outputs(batch: int = 2, seed: int = 0) -> DenseOutputs:
    generator = torch.Generator().manual_seed(seed)

    def noise(channels: int) -> tuple[Tensor, ...]:
        return tuple(torch.randn(batch, channels, h, w, generator=generator) for h, w in SIZES)

    return DenseOutputs(noise(2 * CLASSES), noise(2 * 4), torch.zeros(batch, 3, 8, 12), ())


def test_per_anchor_order() -> None:
    dense = outputs(1).cls_logits[0]
    flat = per_anchor(dense, dense.shape[1] // CLASSES)
    assert flat.shape == (1, 4 * 6 * 2, CLASSES)
    for y, x, anchor, label in ((0, 0, 0, 0), (2, 5, 1, 2), (3, 1, 0, 1)):
        assert flat[0, (y * 6 + x) * 2 + anchor, label] == dense[0, anchor * CLASSES + label, y, x]


def test_level_sizes() -> None:
    assert level_sizes(outputs()) == SIZES


def test_all_anchors_are_decoded_in_order() -> None:
    out = outputs()
    found = decode_candidates(out, [(30, 44), (32, 48)], STRIDES, ANCHORS, top_k=1000)
    grids = grid_anchors(SIZES, STRIDES, ANCHORS)
    for i, size in enumerate([(30, 44), (32, 48)]):
        boxes, scores = [], []
        for level, (height, width) in enumerate(SIZES):
            for y in range(height):
                for x in range(width):
                    for a in range(2):
                        anchor = grids[level][(y * width + x) * 2 + a]
                        deltas = out.box_deltas[level][i, a * 4 : a * 4 + 4, y, x]
                        boxes.append(decode(deltas[None], anchor[None], size)[0])
                        scores.append(
                            out.cls_logits[level][i, a * CLASSES : (a + 1) * CLASSES, y, x].sigmoid()
                        )
        assert torch.allclose(found[i].boxes, torch.stack(boxes), atol=1e-4)
        assert torch.allclose(found[i].scores, torch.stack(scores))
        assert found[i].boxes[:, 2].max() <= size[1]
        assert found[i].boxes[:, 3].max() <= size[0]


def test_the_best_anchors_of_each_level() -> None:
    everything = decode_candidates(outputs(1), [(32, 48)], STRIDES, ANCHORS, top_k=1000)[0]
    best = decode_candidates(outputs(1), [(32, 48)], STRIDES, ANCHORS, top_k=20)[0]
    assert len(best.scores) == 20 + 12  # the coarse level has only 12, and keeps its order
    top = everything.scores[:48].amax(dim=1).sort(descending=True).indices[:20]
    assert torch.equal(best.scores[:20].amax(dim=1), everything.scores[top].amax(dim=1))
    assert {tuple(b) for b in best.boxes[:20].tolist()} == {tuple(b) for b in everything.boxes[top].tolist()}
    assert torch.equal(best.boxes[20:], everything.boxes[48:])


def test_half_precision_outputs_are_decoded_in_float32() -> None:
    out = outputs(1)
    half = DenseOutputs(*(tuple(t.bfloat16() for t in part) for part in out[:2]), *out[2:])
    found = decode_candidates(half, [(32, 48)], STRIDES, ANCHORS, top_k=5)[0]
    assert found.boxes.dtype == found.scores.dtype == torch.float32


def test_select_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    scores = torch.tensor([[0.90, 0.30], [0.80, 0.60], [0.05, 0.06]])
    # Class 0: the second box is put out by the first. Class 1: the first by the second. Each (box, class)
    # stands for itself; a score equal to the threshold is none.
    found = select(boxes, scores, DetectionConfig())
    assert found.labels.tolist() == [0, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6, 0.06])
    assert found.boxes.tolist() == [[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]
    assert select(boxes, scores, DetectionConfig(max_detections=2)).labels.tolist() == [0, 1]
    assert len(select(boxes, scores, DetectionConfig(nms_iou=0.9)).labels) == 5
    assert len(select(boxes, scores, DetectionConfig(score_threshold=0.7)).labels) == 1


def test_select_from_nothing() -> None:
    found = select(torch.zeros(3, 4), torch.zeros(3, 2), DetectionConfig())
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.labels.dtype == torch.int64
