"""A data set that a tiny network learns in seconds, and the recipe for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from make_data import CAT, DOG, GRASS, SKY, ToyImage, ToySegment, write_panoptic_set

COLORS = {CAT: (220, 20, 60), DOG: (240, 200, 40), GRASS: (40, 160, 40), SKY: (70, 130, 220)}


@dataclass(frozen=True)
class EasyImage(ToyImage):
    """Every category has a colour of its own, so that telling them apart takes no depth."""

    def pixels(self) -> NDArray[np.uint8]:
        noise = super().pixels() // 16
        painted = np.zeros_like(noise)
        for segment in self.segments:
            x1, y1, x2, y2 = segment.box
            painted[y1:y2, x1:x2] = COLORS[segment.category_id]
        return np.where(painted > 0, painted // 16 * 15 + noise, noise).astype(np.uint8)


def easy_image(name: str, seed: int, size: tuple[int, int] = (64, 64)) -> EasyImage:
    """Sky over grass, and a cat or a dog about half as wide as the photo."""
    rng = np.random.default_rng(seed)
    h, w = size
    horizon = int(rng.integers(h // 3, h // 2))
    side = min(h, w) // 2
    x, y = int(rng.integers(0, w - side + 1)), int(rng.integers(0, h - side + 1))
    pet = ToySegment(CAT if seed % 2 else DOG, (x, y, x + side, y + side))
    return EasyImage(
        name, size, (ToySegment(SKY, (0, 0, w, horizon)), ToySegment(GRASS, (0, horizon, w, h)), pet)
    )


def write_easy_set(folder: Path, train: int = 8, val: int = 4) -> None:
    """Write ``annotations/train.json`` and ``annotations/val.json``; not all photos of val have one size."""
    write_panoptic_set(folder, [easy_image(f"t{i}", i) for i in range(train)], "train")
    sizes = [(64, 64), (64, 64), (48, 64), (64, 40)]
    write_panoptic_set(folder, [easy_image(f"v{i}", 100 + i, sizes[i % 4]) for i in range(val)], "val")


def write_easy_recipe(path: Path, data: Path, **train: Any) -> Path:
    """A recipe for the easy set; ``train`` changes that section. Results go beside the recipe."""
    annotations = data / "annotations"
    recipe = {
        "base": "spatialflow_tiny",
        "model": {
            "backbone_options": {"channels": [8, 16, 16, 24]},
            "pyramid_channels": 16,
            "pyramid_levels": 3,
            "head_channels": 16,
            "head_convs": 1,
            "stuff_channels": 32,
            "mask_convs": 1,
            "anchors": {"base_scale": 4.0},
            "merge": {"stuff_area": 16},
        },
        "data": {
            "train": str(annotations / "train.json"),
            "val": str(annotations / "val.json"),
            "categories": str(annotations / "train.json"),
            "train_scales": [[64, 64]],
            "test_scale": [64, 64],
            "batch_size": 4,
            "eval_batch_size": 1,
            "workers": 0,
        },
        "train": {
            "epochs": 2,
            "base_batch": 4,
            "lr": 0.004,
            "warmup_steps": 2,
            "log_every": 1,
            "precision": "fp32",
            "accelerator": "cpu",
            "out": str(path.parent / "runs"),
            **train,
        },
    }
    path.write_text(yaml.safe_dump(recipe))
    return path
