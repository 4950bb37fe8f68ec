"""Single operations equal the original's on the inputs recorded with them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from spatialflow.config import AnchorConfig, DetectionConfig
from spatialflow.criterion import mask_targets
from spatialflow.data.transforms import resized_size
from spatialflow.models.deformable import DeformableConv
from spatialflow.models.heads import roi_levels
from spatialflow.ops.anchors import cell_anchors, grid_anchors
from spatialflow.ops.assignment import IGNORED, assign
from spatialflow.ops.boxes import clip, decode, encode, pairwise_iou
from spatialflow.ops.losses import focal_loss, mask_loss, stuff_loss
from spatialflow.postprocess.detection import select
from spatialflow.postprocess.masks import paste_mask

Units = Mapping[str, Any]
STRIDES = (8, 16, 32, 64, 128)


def tensor(units: Units, key: str) -> Tensor:
    return torch.from_numpy(np.asarray(units[key]))


def grids(units: Units) -> list[Tensor]:
    sizes = [(int(h), int(w)) for h, w in units["anchors/featmap_sizes"]]
    return grid_anchors(sizes, STRIDES, AnchorConfig())


@torch.no_grad()
def test_deformable_convolution(units: Units) -> None:
    for name, stride in (("dcn1", 1), ("dcn2", 2)):
        conv = DeformableConv(6, 5, stride=stride)
        conv.weight.copy_(tensor(units, f"{name}/weight"))
        conv.bias.copy_(tensor(units, f"{name}/bias"))  # type: ignore[union-attr]
        result = conv(*(tensor(units, key) for key in ("dcn/x", f"{name}/offset", f"{name}/mask")))
        assert torch.allclose(result, tensor(units, f"{name}/out"), atol=1e-4)


def test_anchors(units: Units) -> None:
    for level, (stride, grid) in enumerate(zip(STRIDES, grids(units), strict=True)):
        base = tensor(units, f"anchors/base{level}")
        assert torch.allclose(cell_anchors(stride, AnchorConfig()), base, rtol=1e-6)
        assert len(grid) == units[f"anchors/count{level}"]
        expected = tensor(units, f"anchors/grid{level}_every37")
        assert torch.allclose(grid[::37], expected, rtol=1e-6, atol=1e-4)


def test_decode(units: Units) -> None:
    anchors, deltas = tensor(units, "coder/anchors"), tensor(units, "coder/deltas")
    clipped = tensor(units, "coder/decoded_max224x320")
    assert torch.allclose(decode(deltas, anchors, (224, 320)), clipped, rtol=1e-5, atol=1e-3)
    # far from the origin no border clips; in float64, as the distance would cost float32 its precision
    moved = decode(deltas.double(), anchors.double() + 10_000, (100_000, 100_000)) - 10_000
    assert torch.allclose(moved.float(), tensor(units, "coder/decoded_noclip"), rtol=1e-5, atol=1e-3)


def test_encode(units: Units) -> None:
    rows = tensor(units, "coder/encode_ok")
    deltas = encode(tensor(units, "coder/gt")[rows], tensor(units, "coder/anchors")[rows])
    assert torch.allclose(deltas, tensor(units, "coder/encoded")[rows], rtol=1e-5, atol=1e-5)


def test_multiclass_nms(units: Units) -> None:
    # the recorded scores end in the background's column
    boxes, scores = tensor(units, "nms/boxes"), tensor(units, "nms/scores")[:, :-1]
    expected = tensor(units, "nms/dets")
    found = select(boxes, scores, DetectionConfig())
    assert torch.equal(found.labels, tensor(units, "nms/labels"))
    assert torch.equal(found.boxes, expected[:, :4])
    assert torch.equal(found.scores, expected[:, 4])
    everything = select(boxes, scores, DetectionConfig(max_detections=10**6))
    assert len(everything.scores) == units["nms/dets_nolimit_count"]
    assert np.isclose(everything.scores.double().sum(), units["nms/dets_nolimit_score_sum"], rtol=1e-9)


def test_roi_align(units: Units) -> None:
    """The library's kernel, as the mask head calls it."""
    feature, rois = tensor(units, "roi_align/feat"), tensor(units, "roi_align/rois")
    pooled = roi_align(feature, rois, 14, 1 / 8, 0, aligned=True)
    assert torch.allclose(pooled, tensor(units, "roi_align/out14_scale1over8"), rtol=1e-5, atol=1e-5)


def test_roi_level(units: Units) -> None:
    sides = tensor(units, "roi_level/square_side")
    boxes = torch.stack([torch.zeros_like(sides), torch.zeros_like(sides), sides, sides], dim=1)
    assert torch.equal(roi_levels(boxes, 3), tensor(units, "roi_level/level"))


def test_mask_pasting(units: Units) -> None:
    height, width = (int(v) for v in units["paste/image_hw"])
    boxes, maps = units["paste/boxes"], units["paste/mask_prob"][:, 0]
    packed = np.unpackbits(units["paste/out_ge_half_packed"])
    expected = packed[: len(boxes) * height * width].reshape(len(boxes), height, width).astype(bool)
    assert expected.sum(axis=(1, 2)).tolist() == units["paste/area"].tolist()
    for box, probabilities, mask in zip(boxes, maps, expected, strict=True):
        window = paste_mask(probabilities, box, (height, width))
        pasted = np.zeros((height, width), bool)
        pasted[window.slices] = window.pixels
        assert np.array_equal(pasted, mask), box


def test_anchor_assignment(units: Units) -> None:
    truth = tensor(units, "assign_anchor/gt")
    anchors = torch.cat(grids(units))
    assert len(anchors) == units["assign_anchor/n"]
    owner = assign(pairwise_iou(truth, anchors), 0.5, 0.4)
    positive = (owner >= 0).nonzero().squeeze(1)
    assert torch.equal(positive, tensor(units, "assign_anchor/pos_idx"))
    assert torch.equal(owner[positive] + 1, tensor(units, "assign_anchor/pos_gt_1based"))
    assert torch.equal((owner == IGNORED).nonzero().squeeze(1), tensor(units, "assign_anchor/ignore_idx"))


def test_proposal_assignment(units: Units) -> None:
    truth, proposals = tensor(units, "assign_mask/gt"), tensor(units, "assign_mask/proposals")
    owner = assign(pairwise_iou(truth, proposals), 0.5, 0.5, min_best=0.5)
    assert not (owner == IGNORED).any()
    positive = owner >= 0
    # the original puts the ground truth itself in front, as the criterion does
    boxes = clip(torch.cat([truth, proposals[positive]]), (224, 328))  # the recorded ones went through that
    matched = torch.cat([torch.arange(len(truth)), owner[positive]])
    assert torch.equal(boxes, tensor(units, "assign_mask/pos_bboxes"))
    assert torch.equal(matched, tensor(units, "assign_mask/pos_gt_inds"))
    labels = tensor(units, "assign_mask/gt_labels")[matched]
    assert torch.equal(labels, tensor(units, "assign_mask/pos_labels"))


def test_mask_targets(units: Units) -> None:
    count, height, width = units["mask_target/bitmap_shape"]
    bitmaps = np.unpackbits(units["mask_target/gt_bitmaps_packed"])[: count * height * width]
    bitmaps = torch.from_numpy(bitmaps.reshape(count, height, width))
    shape = tuple(units["mask_target/out_shape"])
    expected = np.unpackbits(units["mask_target/out_packed"])[: np.prod(shape)].reshape(shape)
    boxes, matched = tensor(units, "assign_mask/pos_bboxes"), tensor(units, "assign_mask/pos_gt_inds")
    # The recorded bitmaps overlap, so each is an id map of its own here.
    for i, (box, row) in enumerate(zip(boxes, matched.tolist(), strict=True)):
        target = mask_targets(bitmaps[row].int() * 77, torch.tensor([77]), box[None])
        assert torch.equal(target[0], torch.from_numpy(expected[i]).float())


def test_iou(units: Units) -> None:
    iou = pairwise_iou(tensor(units, "iou/a"), tensor(units, "iou/b"))
    assert torch.allclose(iou, tensor(units, "iou/iou"), rtol=1e-5, atol=1e-7)


def test_focal_loss(units: Units) -> None:
    logits = tensor(units, "focal/logits").requires_grad_()
    labels = tensor(units, "focal/target").clone()
    labels[tensor(units, "focal/weight") == 0] = -1
    loss = focal_loss(logits, labels) / 7
    loss.backward()
    # the original takes log(max(1 - p, FLT_MIN)): less exact than ours for large logits
    assert torch.allclose(loss, tensor(units, "focal/loss_avg7"), rtol=1e-4)
    gradient = logits.grad
    assert gradient is not None
    assert torch.allclose(gradient, tensor(units, "focal/grad"), rtol=1e-3, atol=1e-5)


def test_stuff_loss(units: Units) -> None:
    """With the original's faults undone: one valid region for all images, weight times batch size."""
    logits = tensor(units, "stuff_loss/logits").requires_grad_()
    targets = tensor(units, "stuff_loss/target")[:, 0].long()
    height, width = (int(v) for v in units["stuff_loss/img_shapes"][0])
    targets[:, height:] = 255
    targets[:, :, width:] = 255
    loss = 0.25 * 3 * stuff_loss(logits, targets, [(height, width)] * 3)
    loss.backward()
    assert torch.allclose(loss, tensor(units, "stuff_loss/loss"), rtol=1e-5)
    gradient = logits.grad
    assert gradient is not None
    assert torch.allclose(gradient, tensor(units, "stuff_loss/grad"), rtol=1e-4, atol=1e-8)


def test_mask_loss(units: Units) -> None:
    own = tensor(units, "mask_loss/logits_own_class")
    labels = torch.tensor([2, 0, 1, 1, 0, 2])
    logits = torch.full((6, 3, 28, 28), 99.0)  # other classes' channels do not count
    logits[torch.arange(6), labels] = own
    for given in (logits, own[:, None]):
        loss = mask_loss(given, labels, tensor(units, "mask_loss/target"))
        assert torch.allclose(loss, tensor(units, "mask_loss/loss"), rtol=1e-5)
    # the recorded number is a plain binary cross-entropy
    plain = F.binary_cross_entropy(own.sigmoid(), tensor(units, "mask_loss/target"))
    assert torch.allclose(plain, tensor(units, "mask_loss/loss")[0], rtol=1e-5)


def test_resize_sizes(units: Units) -> None:
    for (width, height), row in zip(units["resize/in_wh"], units["resize/out_wh"], strict=True):
        for scale, (new_width, new_height) in zip(units["resize/scales"], row, strict=True):
            size = resized_size((int(height), int(width)), (int(scale[0]), int(scale[1])))
            assert size == (max(new_height, 1), max(new_width, 1))
