"""Models small enough to be built and run many times, for tests."""

from typing import Any

import torch
from torch import Tensor

from make_data import CATEGORIES
from spatialflow.categories import Categories, Category
from spatialflow.config import Config
from spatialflow.models.spatialflow import SpatialFlow, build_model
from spatialflow.structures import Batch, Target

TOY = Categories.from_json(CATEGORIES)
"""Two things (labels 0, 1), two kinds of stuff (2, 3)."""


def categories(things: int, stuff: int) -> Categories:
    return Categories(Category(i + 1, f"class {i}", i < things, (i, 0, 0)) for i in range(things + stuff))


def tiny_config(**model: Any) -> Config:
    """A few thousand weights; arguments change section ``model``."""
    settings = {
        "backbone": "resnet18",
        "backbone_options": {"channels": [8, 8, 16, 16]},
        "pyramid_channels": 16,
        "head_channels": 16,
        "head_convs": 2,
        "stuff_channels": 8,
        "mask_convs": 1,
        "frozen_stages": -1,
    }
    return Config.model_validate({"name": "toy", "model": settings | model})


def tiny_model(classes: Categories = TOY, seed: int = 0, **model: Any) -> SpatialFlow:
    """Random weights, none of them zero, so that every part of the network matters; evaluation mode."""
    torch.manual_seed(seed)
    net = build_model(tiny_config(**model), classes)
    for name, parameter in net.named_parameters():
        if not name.startswith("backbone"):
            torch.nn.init.normal_(parameter, std=0.1)
    for module in net.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.normal_(module.running_mean, std=0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def photo(height: int = 64, width: int = 96, batch: int = 1, seed: int = 0) -> Tensor:
    """(B, 3, H, W) noise."""
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def make_target(size: tuple[int, int], *segments: tuple[int, tuple[int, int, int, int], bool]) -> Target:
    """Rectangles (label, (x1, y1, x2, y2), is_crowd), later ones over earlier ones; ids 11, 12, ..."""
    id_map = torch.zeros(size, dtype=torch.int32)
    for i, (_, (x1, y1, x2, y2), _) in enumerate(segments):
        id_map[y1:y2, x1:x2] = 11 + i
    return Target(
        id_map=id_map,
        ids=torch.arange(len(segments)) + 11,
        labels=torch.tensor([label for label, _, _ in segments], dtype=torch.int64),
        is_crowd=torch.tensor([crowd for _, _, crowd in segments], dtype=torch.bool),
        boxes=torch.tensor([box for _, box, _ in segments], dtype=torch.float32).reshape(-1, 4),
        image_id=1,
        file_name="toy.png",
        original_size=size,
    )


def make_batch(*targets: Target, height: int = 0, width: int = 0, seed: int = 0) -> Batch:
    """Noise of the targets' sizes, padded with 0 to multiples of 32, at least ``height`` x ``width``."""
    sizes = tuple((t.id_map.shape[0], t.id_map.shape[1]) for t in targets)
    height = -(-max(height, *(h for h, _ in sizes)) // 32) * 32
    width = -(-max(width, *(w for _, w in sizes)) // 32) * 32
    images = torch.zeros(len(targets), 3, height, width)
    for i, (image, (h, w)) in enumerate(zip(images, sizes, strict=True)):
        image[:, :h, :w] = photo(h, w, seed=seed + i)[0]
    return Batch(images, sizes, targets)
