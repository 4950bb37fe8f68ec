"""Stages of a prediction: nothing is lost or counted twice, and every part of the network has its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from make_model import photo, tiny_model
from spatialflow.image_io import write_photo
from spatialflow.inference import Predictor
from spatialflow.models.backbone import Backbone
from spatialflow.profiling import operations
from spatialflow.profiling.measure import measure
from spatialflow.profiling.stages import NETWORK, OTHER, STAGES, Meter, measured


def test_time_belongs_to_the_innermost_stage() -> None:
    readings = iter([0, 1, 3, 6, 10, 15])
    meter = Meter(lambda: next(readings))
    meter.enter("a")  # 1 before it
    meter.enter("b")  # 2 in a
    meter.leave()  # 3 in b
    meter.leave()  # 4 in a again
    spent = meter.stop()  # 5 after it
    assert {name: value for name, value in spent.items() if value} == {"a": 6, "b": 3, OTHER: 6}
    assert list(spent)[: len(STAGES)] == list(STAGES)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pyramid_levels": 3, "class_agnostic_masks": True},
        {"deformable": {"subnets": True}},
        {"flows": {"reg_to_mask": False, "stuff_to_mask": False}, "head_norm": "group"},
    ],
)
def test_all_of_the_networks_work_is_in_its_stages(options: dict[str, object]) -> None:
    net = tiny_model(**options)
    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=CUSTOM) as alone:
        net(photo(64, 64))
    counter = operations.counter()
    with torch.inference_mode(), counter, measured(net, counter.get_total_flops) as meter:
        net(photo(64, 64))
    spent = meter.stop()
    assert spent[OTHER] == 0
    assert all(spent[name] > 0 for name in NETWORK)
    assert sum(spent.values()) == alone.get_total_flops()
    with torch.inference_mode():  # the hooks are gone
        before = dict(meter.spent)
        net(photo(64, 64))
    assert meter.spent == before


CUSTOM = {torch.ops.torchvision.deform_conv2d: operations._deformable_flops}


def test_convolutions_by_hand() -> None:
    with operations.counter() as counter:
        torch.nn.Conv2d(4, 6, 3, padding=1, stride=2)(torch.zeros(2, 4, 8, 10))
    # 2 images, 6 channels of 4 x 5 pixels, each the sum of 4 x 3 x 3 products
    assert counter.get_total_flops() == 2 * 2 * 6 * 4 * 5 * 4 * 9


def test_deformable_convolutions_count_as_ordinary_ones() -> None:
    from torchvision.ops import deform_conv2d

    images, offsets = torch.zeros(1, 4, 8, 10), torch.zeros(1, 18, 8, 10)
    with operations.counter() as counter:
        deform_conv2d(images, offsets, torch.zeros(6, 2, 3, 3), padding=1)  # in two groups
    assert counter.get_total_flops() == 2 * 6 * 8 * 10 * 2 * 9


def test_resnet50_has_its_published_operations() -> None:
    """4.09 G multiply-adds at 224 x 224 (torchvision's documentation), 2.05 M of them in the classifier."""
    body = Backbone("resnet50").body
    with torch.inference_mode(), operations.counter() as counter:
        body(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() == pytest.approx(2 * (4.089e9 - 2.048e6), rel=1e-3)


def test_mask_head_by_hand(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    predictor = Predictor(tiny_model(detection={"score_threshold": 0}), precision="fp32")
    result = measure(predictor, [tmp_path / "a.jpg"], tmp_path, runs=1, warm_up=0)
    assert result.detections == 100
    # one 3x3 convolution of 16 channels at 14 x 14, a 2x2 deconvolution, two class logits at 28 x 28
    box = 14 * 14 * 16 * 16 * 9 + 14 * 14 * 16 * 16 * 4 + 28 * 28 * 16 * 2
    assert result.flops["mask head"] == 2 * 100 * box
