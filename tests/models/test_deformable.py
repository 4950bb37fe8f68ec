"""Deformable convolution against plain convolution, a written-out sum, and finite differences."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spatialflow.config import FlowsConfig
from spatialflow.errors import ConfigError
from spatialflow.models.backbone import Backbone
from spatialflow.models.deformable import DeformableConv, SelfGuidedDeformableConv
from spatialflow.models.subnets import FlowSubnets


def pixel(image: Tensor, y: float, x: float) -> Tensor:
    """Bilinear sample of (C, H, W) at a point, zero outside; (C,)."""
    total = torch.zeros(image.shape[0], dtype=image.dtype)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * image[:, row, column]
    return total


def by_hand(conv: DeformableConv, x: Tensor, offset: Tensor, modulation: Tensor) -> Tensor:
    """One image, (C, H, W), tap by tap."""
    _, height, width = offset.shape
    result = torch.zeros(conv.weight.shape[0], height, width, dtype=x.dtype)
    for y in range(height):
        for x_ in range(width):
            for tap in range(9):
                dy, dx = offset[2 * tap : 2 * tap + 2, y, x_].tolist()
                row = y * conv.stride - 1 + tap // 3 + dy
                column = x_ * conv.stride - 1 + tap % 3 + dx
                sample = modulation[tap, y, x_] * pixel(x, row, column)
                result[:, y, x_] += conv.weight[:, :, tap // 3, tap % 3] @ sample
    return result if conv.bias is None else result + conv.bias[:, None, None]


def inputs(stride: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(stride)
    height, width = -(-5 // stride), -(-6 // stride)
    return (
        torch.randn(1, 3, 5, 6, generator=generator, dtype=dtype),
        2 * torch.randn(1, 18, height, width, generator=generator, dtype=dtype),
        torch.rand(1, 9, height, width, generator=generator, dtype=dtype),
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_equals_the_written_out_sum(stride: int, bias: bool) -> None:
    conv = DeformableConv(3, 4, stride=stride, bias=bias).double()
    if conv.bias is not None:
        nn.init.normal_(conv.bias)
    x, offset, modulation = inputs(stride)
    expected = by_hand(conv, x[0], offset[0], modulation[0])
    assert torch.allclose(conv(x, offset, modulation)[0], expected, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
def test_without_offset_it_is_a_convolution(stride: int) -> None:
    conv = DeformableConv(3, 4, stride=stride)
    x, offset, modulation = inputs(stride, torch.float32)
    plain = F.conv2d(x, conv.weight, conv.bias, stride=stride, padding=1)
    result = conv(x, torch.zeros_like(offset), torch.ones_like(modulation))
    assert torch.allclose(result, plain, atol=1e-5)


def test_gradients() -> None:
    conv = DeformableConv(3, 2).double()
    given = [t.requires_grad_() for t in inputs(1)]
    names = [name for name, _ in conv.named_parameters()]

    def run(*tensors: Tensor) -> Tensor:
        parameters = dict(zip(names, tensors[3:], strict=True))
        return torch.func.functional_call(conv, parameters, tensors[:3])

    assert torch.autograd.gradcheck(run, (*given, *conv.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_type_follows_the_input(dtype: torch.dtype) -> None:
    conv = DeformableConv(3, 2).to(dtype)
    given = inputs(1, torch.float32)
    exact = conv.float()(*given)
    conv.to(dtype)
    with torch.no_grad():
        result = conv(*(t.to(dtype) for t in given))
    assert result.dtype == dtype
    assert torch.allclose(result.float(), exact, atol=0.1)


def test_self_guided_starts_as_half_a_convolution() -> None:
    plain = nn.Conv2d(3, 4, 3, 2, 1)
    deformable = SelfGuidedDeformableConv.replacing(plain)
    x = torch.randn(2, 3, 8, 10)
    half = F.conv2d(x, plain.weight, None, 2, 1) / 2 + plain.bias[:, None, None]  # type: ignore[index]
    assert torch.allclose(deformable(x), half, atol=1e-5)
    deformable(x).sum().backward()
    assert deformable.conv_offset.weight.grad.abs().sum() > 0  # type: ignore[union-attr]


def test_backbone_stages() -> None:
    backbone = Backbone("resnet18", deformable_stages=(3, 4), frozen_stages=1)
    deformable = [n for n, m in backbone.named_modules() if isinstance(m, SelfGuidedDeformableConv)]
    assert deformable == [f"body.layer{stage}.{block}.conv2" for stage in (3, 4) for block in (0, 1)]
    assert [tuple(f.shape) for f in backbone(torch.zeros(1, 3, 64, 96))] == [
        (1, 128, 8, 12),
        (1, 256, 4, 6),
        (1, 512, 2, 3),
    ]


@pytest.mark.parametrize("name", ["convnext_atto", "mobilenetv3_small_050", "resnext50_32x4d"])
def test_backbones_without_such_stages_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"deformable.backbone_stages: {name} has no plain"):
        Backbone(name, deformable_stages=(2,))


@torch.no_grad()
def test_the_deformable_flow_equations() -> None:
    """MANIFEST of the golden numbers: o = flow(f + reg); f = relu(dconv(f, o[:18], sigmoid(o[18:])))."""
    torch.manual_seed(0)
    subnets = FlowSubnets(4, 4, 2, deformable=True)
    for parameter in subnets.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, 4, 5, 7)

    def conv(feature: Tensor, layer: nn.Conv2d) -> Tensor:
        return F.conv2d(feature, layer.weight, layer.bias, padding=1)

    def steered(step: nn.Module, feature: Tensor, locations: Tensor) -> Tensor:
        args = (feature[0], locations[0, :18], locations[0, 18:].sigmoid())
        return by_hand(step.layer.conv, *args)[None].relu()  # type: ignore[union-attr,arg-type]

    cls = reg = stuff = x
    for i in range(2):
        reg = conv(reg, subnets.reg[i].conv).relu()
        cls = steered(subnets.cls[i], cls, conv(cls + reg, subnets.cls[i].flow))
        stuff = steered(subnets.stuff[i], stuff, conv(stuff + reg, subnets.stuff[i].flow))
    locations = conv(x + reg, subnets.mask.flow)  # of the pyramid's feature, before the stuff flow
    mask = steered(subnets.mask, x + conv(stuff, subnets.stuff_to_mask), locations)  # type: ignore[arg-type]
    for ours, expected in zip(subnets(x), (cls, reg, stuff, mask), strict=True):
        assert torch.allclose(ours, expected, atol=1e-4)
    coarse = subnets.detect(x)
    assert torch.allclose(coarse.cls, cls, atol=1e-4)


def test_without_a_flow_a_step_is_plain() -> None:
    subnets = FlowSubnets(4, 4, 2, flows=FlowsConfig(reg_to_cls=False), deformable=True)
    kinds = [isinstance(m, DeformableConv) for m in (s.layer.conv for s in (*subnets.cls, *subnets.stuff))]
    assert kinds == [False, False, True, True]
