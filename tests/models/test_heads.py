"""Stuff head and mask head against their definitions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from spatialflow.models.heads import MaskHead, StuffHead, pool_boxes, roi_levels


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_stuff_head_equals_its_definition(levels: int) -> None:
    torch.manual_seed(0)
    head = StuffHead(6, 4, 5, levels)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    features = [noise(2, 6, 8 // 2**i, 12 // 2**i, seed=i) for i in range(levels)]
    total = torch.zeros(2, 4, 16, 24)
    for i, x in enumerate(features):
        assert len(head.lateral[i]) == i + 1  # stride 8 doubles once, 16 twice, 32 three times
        for layer in head.lateral[i]:
            assert layer.conv.bias is None
            x = F.conv2d(x, layer.conv.weight, padding=1)
            x = F.group_norm(x, layer.norm.num_groups, layer.norm.weight, layer.norm.bias).relu()
            size = (x.shape[2] * 2, x.shape[3] * 2)
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        total = total + x
    expected = F.conv2d(total, head.logits.weight, head.logits.bias)
    got = head(features)
    assert got.shape == (2, 5, 16, 24)
    assert torch.allclose(got, expected, atol=1e-4)


def test_groups_of_the_originals_stuff_head() -> None:
    norms = [m for m in StuffHead().modules() if isinstance(m, nn.GroupNorm)]
    assert [(n.num_groups, n.num_channels) for n in norms] == [(32, 128)] * 6


@pytest.mark.parametrize("num_convs", [0, 2])
def test_mask_head_equals_its_definition(num_convs: int) -> None:
    torch.manual_seed(0)
    head = MaskHead(6, 4, 3, num_convs)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.3)
    features = (noise(2, 6, 32, 32), noise(2, 6, 16, 16, seed=1))
    boxes = [torch.tensor([[10.0, 20, 90, 120]]), torch.tensor([[0.0, 0, 200, 250], [30, 30, 40, 45]])]
    x = pool_boxes(features, boxes)
    for layer in head.convs:
        x = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1).relu()
    x = F.conv_transpose2d(x, head.upsample.weight, head.upsample.bias, stride=2).relu()
    expected = F.conv2d(x, head.logits.weight, head.logits.bias)
    got = head(features, boxes)
    assert got.shape == (3, 3, 28, 28)
    assert torch.allclose(got, expected, atol=1e-4)


def test_no_box_gives_no_mask() -> None:
    head = MaskHead(6, 4, 3, 1)
    features = (noise(1, 6, 8, 8).requires_grad_(),)
    masks = head(features, [torch.zeros(0, 4)])
    assert masks.shape == (0, 3, 28, 28)
    masks.sum().backward()
    assert all(p.grad is not None for p in head.parameters())


def test_levels_by_size() -> None:
    sides = [0, 1, 111.9, 112, 223.9, 224, 447.9, 448, 5000]
    boxes = torch.tensor([[3.0, 4, 3 + side, 4 + side] for side in sides])
    assert roi_levels(boxes, 3).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert roi_levels(boxes, 2).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert roi_levels(boxes, 1).tolist() == [0] * 9
    long = torch.tensor([[0.0, 0, 448, 28], [0, 0, 0, 900]])  # sqrt(448 * 28) = 112; no width
    assert roi_levels(long, 3).tolist() == [1, 0]


def test_pooling_reads_the_right_image_and_level_in_the_order_of_the_boxes() -> None:
    features = (noise(2, 3, 40, 40), noise(2, 3, 20, 20, seed=1), noise(2, 3, 10, 10, seed=2))
    boxes = [
        torch.tensor([[0.0, 0, 300, 300], [5.5, 7, 60, 80]]),
        torch.tensor([[-30.0, -10, 100, 170], [9, 9, 9, 40], [250, 250, 330, 320]]),
    ]
    pooled = pool_boxes(features, boxes)
    rows = [(0, boxes[0][0], 2), (0, boxes[0][1], 0), (1, boxes[1][0], 1), (1, boxes[1][1], 0)]
    rows.append((1, boxes[1][2], 0))
    for got, (image, box, level) in zip(pooled, rows, strict=True):
        feature = features[level][image : image + 1]
        expected = roi_align(feature, [box[None]], 14, 1 / (8 * 2**level), -1, aligned=True)
        assert torch.allclose(got, expected[0], atol=1e-5)
    assert not pooled[3].any()  # no width


def test_pooling_by_hand() -> None:
    # A ramp: bilinear samples are exact, and average to the value at the bin's centre.
    ramp = torch.arange(20.0).repeat(20, 1)[None, None]
    pooled = pool_boxes((ramp,), [torch.tensor([[16.0, 16, 128, 128]])])
    # 14 bins of one cell from x = 16/8 - 1/2 on: centres at 2, 3, ..., 15
    assert torch.allclose(pooled[0, 0], torch.arange(2.0, 16.0).repeat(14, 1), atol=1e-5)


def test_pooling_keeps_the_features_type() -> None:
    assert (
        pool_boxes((noise(1, 3, 8, 8).bfloat16(),), [torch.tensor([[0.0, 0, 9, 9]])]).dtype == torch.bfloat16
    )
