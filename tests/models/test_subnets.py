"""The flow equations, and what switching a flow off does."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spatialflow.config import FlowsConfig
from spatialflow.models.subnets import FlowSubnets

FLOWS = ("reg_to_cls", "reg_to_stuff", "reg_to_mask", "stuff_to_mask")


def make(in_channels: int = 6, channels: int = 4, num_convs: int = 3, **flows: bool) -> FlowSubnets:
    torch.manual_seed(0)
    subnets = FlowSubnets(in_channels, channels, num_convs, flows=FlowsConfig(**flows))
    for parameter in subnets.parameters():
        nn.init.normal_(parameter, std=0.3)
    return subnets


def level(channels: int = 6) -> Tensor:
    return torch.randn(2, channels, 5, 7, generator=torch.Generator().manual_seed(1))


def flow_modules(subnets: FlowSubnets) -> dict[str, list[nn.Conv2d | None]]:
    return {
        "reg_to_cls": [step.flow for step in subnets.cls],
        "reg_to_stuff": [step.flow for step in subnets.stuff],
        "reg_to_mask": [subnets.mask.flow],
        "stuff_to_mask": [subnets.stuff_to_mask],
    }


def conv(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, padding=1)


@pytest.mark.parametrize("switches", list(product([True, False], repeat=4)))
def test_the_equations_of_the_paper(switches: tuple[bool, ...]) -> None:
    on = dict(zip(FLOWS, switches, strict=True))
    subnets, x = make(**on), level()
    cls = reg = stuff = x
    for i in range(3):
        reg = conv(reg, subnets.reg[i].conv).relu()  # first, and its new value flows
        cls_in = cls + conv(reg, subnets.cls[i].flow) if on["reg_to_cls"] else cls
        stuff_in = stuff + conv(reg, subnets.stuff[i].flow) if on["reg_to_stuff"] else stuff
        cls = conv(cls_in, subnets.cls[i].layer.conv).relu()
        stuff = conv(stuff_in, subnets.stuff[i].layer.conv).relu()
    mask_in = x
    if on["reg_to_mask"]:
        mask_in = mask_in + conv(reg, subnets.mask.flow)
    if on["stuff_to_mask"]:
        mask_in = mask_in + conv(stuff, subnets.stuff_to_mask)
    mask = conv(mask_in, subnets.mask.layer.conv).relu()
    got = subnets(x)
    for ours, expected in zip(got, (cls, reg, stuff, mask), strict=True):
        assert torch.allclose(ours, expected, atol=1e-4)
    coarse = subnets.detect(x)
    assert torch.equal(coarse.cls, got.cls)
    assert torch.equal(coarse.reg, got.reg)


@pytest.mark.parametrize("off", FLOWS)
def test_a_flow_switched_off_is_a_flow_of_zeros(off: str) -> None:
    whole, without = make(), make(**{off: False})
    kept = without.state_dict()
    gone = whole.state_dict().keys() - kept.keys()
    assert kept.keys() < whole.state_dict().keys()
    flows = flow_modules(whole)[off]
    names = {id(p): name for name, p in whole.named_parameters()}
    assert gone == {names[id(p)] for flow in flows if flow is not None for p in flow.parameters()}

    without.load_state_dict({k: v for k, v in whole.state_dict().items() if k in kept})
    with torch.no_grad():
        before, reduced = whole(level()), without(level())
        for flow in flows:
            assert flow is not None
            flow.weight.zero_()
            assert flow.bias is not None
            flow.bias.zero_()
        zeroed = whole(level())
    for a, b in zip(zeroed, reduced, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    # and it does change what it flows into: the mask sub-network also feels what the stuff lacks
    affected = {
        "reg_to_cls": {"cls"},
        "reg_to_stuff": {"stuff", "mask"},
        "reg_to_mask": {"mask"},
        "stuff_to_mask": {"mask"},
    }[off]
    changed = {
        name for name in before._fields if not torch.equal(getattr(before, name), getattr(reduced, name))
    }
    assert changed == affected


def test_other_widths_and_depths() -> None:
    features = make(in_channels=8, channels=12, num_convs=1)(level(8))
    assert all(f.shape == (2, 12, 5, 7) for f in features)


def test_input_is_left_as_it_is() -> None:
    x = level()
    make()(x)
    make().detect(x)
    assert torch.equal(x, level())


def test_group_norm() -> None:
    subnets = FlowSubnets(6, 4, 2, norm="group")
    # one a layer: reg 2, cls 2, stuff 2, mask 1; flows have none
    assert sum(isinstance(m, nn.GroupNorm) for m in subnets.modules()) == 7
    assert all(torch.isfinite(f).all() for f in subnets(level()))
