"""The pyramid worked by hand from its own weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spatialflow.models.fpn import FeaturePyramid


def features() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    # odd sizes: the coarse level does not double to the fine one
    return [torch.randn(2, c, h, w, generator=generator) for c, h, w in ((3, 13, 9), (4, 7, 5), (5, 4, 3))]


def test_equals_the_definition() -> None:
    torch.manual_seed(1)
    pyramid = FeaturePyramid((3, 4, 5), 6)
    for parameter in pyramid.parameters():
        torch.nn.init.normal_(parameter)
    c3, c4, c5 = features()
    lateral = [layer.conv for layer in pyramid.lateral]
    m5 = F.conv2d(c5, lateral[2].weight, lateral[2].bias)
    m4 = (
        F.conv2d(c4, lateral[1].weight, lateral[1].bias)
        + m5[:, :, [0, 0, 1, 1, 2, 2, 3]][..., [0, 0, 1, 1, 2]]
    )
    rows = [y * 7 // 13 for y in range(13)]
    columns = [x * 5 // 9 for x in range(9)]
    m3 = F.conv2d(c3, lateral[0].weight, lateral[0].bias) + m4[:, :, rows][..., columns]
    expected = [
        F.conv2d(m, layer.conv.weight, layer.conv.bias, padding=1)
        for m, layer in zip((m3, m4, m5), pyramid.output, strict=True)
    ]
    p6 = F.conv2d(c5, pyramid.extra[0].conv.weight, pyramid.extra[0].conv.bias, stride=2, padding=1)
    p7 = F.conv2d(p6, pyramid.extra[1].conv.weight, pyramid.extra[1].conv.bias, stride=2, padding=1)
    levels = pyramid(features())
    assert len(levels) == 5
    for got, want in zip(levels, [*expected, p6, p7], strict=True):
        assert torch.allclose(got, want, atol=1e-4)
    assert levels[3].min() < 0  # no ReLU anywhere


@pytest.mark.parametrize("num_levels", [3, 4, 6])
def test_number_of_levels(num_levels: int) -> None:
    levels = FeaturePyramid((3, 4, 5), 8, num_levels)(features())
    sizes = [(13, 9), (7, 5), (4, 3), (2, 2), (1, 1), (1, 1)]
    assert [tuple(level.shape[1:]) for level in levels] == [(8, *size) for size in sizes[:num_levels]]


def test_inputs_are_left_as_they_are() -> None:
    inputs = features()
    FeaturePyramid((3, 4, 5), 8)(inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, features(), strict=True))


def test_group_norm() -> None:
    pyramid = FeaturePyramid((3, 4, 5), 24, norm="group")
    norms = [m for m in pyramid.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert len(norms) == 8
    assert all(norm.num_groups == 2 for norm in norms)  # at least 4 channels each, a divisor of 32
    assert all(torch.isfinite(level).all() for level in pyramid(features()))
