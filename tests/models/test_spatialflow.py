"""The whole network: shapes, switches, sizes of the heads, gradients."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from make_model import TOY, categories, make_batch, make_target, photo, tiny_config, tiny_model
from spatialflow.criterion import Criterion
from spatialflow.errors import ConfigError
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.structures import DenseOutputs


def run(model: SpatialFlow, image: Tensor) -> DenseOutputs:
    with torch.inference_mode():
        return model(image)  # type: ignore[no-any-return]


def tensors(outputs: DenseOutputs) -> list[Tensor]:
    return [*outputs.cls_logits, *outputs.box_deltas, outputs.stuff_logits, *outputs.mask_features]


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"head_channels": 24, "pyramid_channels": 8, "head_convs": 1},
        {"pyramid_levels": 3, "segmentation_levels": 1},
        {"pyramid_levels": 7, "segmentation_levels": 2},
        {"head_norm": "group", "class_agnostic_masks": True, "mask_convs": 0},
        {"anchors": {"scales_per_octave": 1, "ratios": [1.0, 3.0]}},
        {"backbone": "mobilenetv3_small_100", "backbone_options": {}},
        {"backbone": "convnext_atto", "backbone_options": {}},
        {"backbone": "efficientnet_b0", "backbone_options": {}},
    ],
    ids=str,
)
@pytest.mark.parametrize(("things", "stuff"), [(2, 2), (5, 0), (1, 9)])
def test_shapes(model: dict[str, Any], things: int, stuff: int) -> None:
    net = tiny_model(categories(things, stuff), **model)
    m = net.config.model
    outputs = run(net, photo(64, 96, batch=2))
    levels, split, per_cell = m.pyramid_levels, m.segmentation_levels, m.anchors.per_cell
    assert net.config.model.strides == (8, 16, 32, 64, 128, 256, 512)[:levels]
    sizes = [(8, 12), (4, 6), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1)][:levels]
    assert [tuple(t.shape) for t in outputs.cls_logits] == [(2, per_cell * things, *s) for s in sizes]
    assert [tuple(t.shape) for t in outputs.box_deltas] == [(2, per_cell * 4, *s) for s in sizes]
    assert outputs.stuff_logits.shape == (2, stuff + 1, 16, 24)
    features = [(2, m.head_channels, *s) for s in sizes[:split]]
    assert [tuple(t.shape) for t in outputs.mask_features] == features
    with torch.inference_mode():
        masks = net.segment(outputs.mask_features, [torch.tensor([[0.0, 0, 30, 40]]), torch.zeros(0, 4)])
    assert masks.shape == (1, 1 if m.class_agnostic_masks else things, 28, 28)
    assert all(torch.isfinite(t).all() for t in tensors(outputs))


@pytest.mark.parametrize("flow", ["reg_to_cls", "reg_to_stuff", "reg_to_mask", "stuff_to_mask"])
def test_a_flow_switched_off(flow: str) -> None:
    """The parameters vanish; what it does not feed stays the same, what it feeds does not."""
    whole, without = tiny_model(), tiny_model(flows={flow: False})
    kept = without.state_dict()
    gone = whole.state_dict().keys() - kept.keys()
    assert gone
    assert all(".flow." in key or "stuff_to_mask" in key for key in gone)
    without.load_state_dict({k: v for k, v in whole.state_dict().items() if k in kept})
    a, b = run(whole, photo()), run(without, photo())
    changed = {
        name
        for name in a._fields
        for x, y in zip(_tuple(getattr(a, name)), _tuple(getattr(b, name)), strict=True)
        if not torch.equal(x, y)
    }
    expected = {
        "reg_to_cls": {"cls_logits"},
        "reg_to_stuff": {"stuff_logits", "mask_features"},
        "reg_to_mask": {"mask_features"},
        "stuff_to_mask": {"mask_features"},
    }
    assert changed == expected[flow]
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            if name in gone:
                parameter.zero_()
    for x, y in zip(tensors(run(whole, photo())), tensors(b), strict=True):
        assert torch.allclose(x, y, atol=1e-5)


def _tuple(value: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("frozen", [-1, 1])
@pytest.mark.parametrize("agnostic", [False, True])
def test_gradient_reaches_every_trainable_parameter(frozen: int, agnostic: bool) -> None:
    net = tiny_model(frozen_stages=frozen, class_agnostic_masks=agnostic).train()
    things = [(0, (0, 0, 60, 50), False), (1, (30, 20, 90, 60), False)]
    batch = make_batch(make_target((64, 96), (2, (0, 0, 96, 64), False), *things))
    criterion = Criterion(net.config.loss, net.config.model, net.categories)
    outputs = net(batch.images)
    proposals = criterion.propose(outputs, batch)
    losses = criterion(outputs, net.segment(outputs.mask_features, proposals.boxes), proposals, batch)
    losses.total.backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            # anchors of the coarsest levels are all the extra layers ever see
            assert parameter.grad.any(), name
        else:
            assert frozen == 1
            assert name.startswith(("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1"))
            assert parameter.grad is None


def test_mode_does_not_change_the_kind_of_output() -> None:
    net = tiny_model()
    evaluated = run(net, photo())
    trained = net.train()(photo())
    for x, y in zip(tensors(evaluated), tensors(trained), strict=True):
        assert torch.allclose(x, y, atol=1e-5)  # BatchNorm is frozen


def test_scores_start_low() -> None:
    torch.manual_seed(0)
    scores = torch.cat([t.flatten() for t in run(build_model(tiny_config(), TOY).eval(), photo()).cls_logits])
    assert scores.sigmoid().mean().item() == pytest.approx(0.01, rel=0.5)


def test_images_of_a_batch_do_not_mix() -> None:
    net = tiny_model()
    both = photo(batch=2)
    together = run(net, both)
    for i in range(2):
        alone = run(net, both[i : i + 1])
        for x, y in zip(tensors(together), tensors(alone), strict=True):
            assert torch.allclose(x[i], y[0], atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 3, 64, 95), (1, 3, 63, 96), (3, 64, 96)])
def test_sides_must_be_multiples_of_32(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        tiny_model()(torch.zeros(shape))


def test_default_model_has_the_originals_size() -> None:
    """50.80 M parameters with BatchNorm's two affine ones, as the golden files count them."""
    with torch.device("meta"):
        net = build_model(tiny_config().model_validate({}))
    assert net.categories.num_things == 80
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(50.80e6, abs=5e3)
    names = {name.split(".")[0] for name, _ in net.named_children()}
    assert names == {
        "backbone", "pyramid", "subnets", "cls_predictor", "box_predictor", "stuff_head", "mask_head"
    }  # fmt: skip
    frozen = [n for n, p in net.named_parameters() if not p.requires_grad]
    assert len(frozen) == 33


def test_unknown_backbone() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone=resnet34b"):
        build_model(tiny_config(backbone="resnet34b"), TOY)


def test_initial_convolutions_keep_the_size_of_their_input() -> None:
    """A chain of stuff and mask layers neither blows up nor dies."""
    torch.manual_seed(0)
    net = build_model(tiny_config(head_channels=64, pyramid_channels=64), TOY).eval()
    stds = []
    with torch.inference_mode():
        x = torch.randn(1, 64, 16, 16)
        for layer in net.mask_head.convs:
            stds.append(x.std().item())
            x = layer(x)
        stds.append(x.std().item())
    assert all(0.3 < math.fabs(after / before) < 3 for before, after in pairwise(stds))
    assert isinstance(net.mask_head.logits, nn.Conv2d)
