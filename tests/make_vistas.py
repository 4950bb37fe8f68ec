"""A data set of one image as Mapillary Vistas lays it out, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.files import write_json
from spatialflow.image_io import write_id_png

LABELS: list[dict[str, Any]] = [
    {"name": "animal--bird", "readable": "Bird", "instances": True, "evaluate": True, "color": [165, 42, 42]},
    {"name": "nature--sky", "readable": "Sky", "instances": False, "evaluate": True, "color": [70, 130, 180]},
    {
        "name": "human--person--person-group",
        "readable": "Person Group",
        "instances": True,
        "evaluate": True,
        "color": [220, 20, 60],
    },
    {
        "name": "void--unlabeled",
        "readable": "Unlabeled",
        "instances": False,
        "evaluate": False,
        "color": [0, 0, 0],
    },
]
BIRD, SKY, GROUP, UNLABELED = range(4)
VALUES = 256 * np.array(
    [[BIRD, BIRD, SKY, SKY], [BIRD, SKY, SKY, GROUP], [UNLABELED, UNLABELED, SKY, GROUP]], np.uint16
) + np.array([[0, 0, 0, 0], [255, 0, 3, 1], [0, 0, 0, 1]], np.uint16)
IDS = np.array([[7, 7, 70000, 70000], [8, 70000, 70000, 9], [11, 11, 70000, 9]])
"""The same as a panoptic PNG, in which unlabeled, 11, may be a segment or 0."""
CATEGORY_OF = {7: 1, 8: 1, 70000: 2, 9: 3, 11: 4}
CATEGORIES = [
    {
        "supercategory": label["name"],
        "isthing": int(label["instances"]),
        "color": label["color"],
        "id": i,
        "name": label["readable"],
    }
    for i, label in enumerate(LABELS, 1)
]
NAME = "--jRsD9anHdGxv4ZOCQktA"


def save(path: Path, pixels: NDArray[np.integer]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_split(root: Path, version: str = "v1.2", folder: str = "training/v1.2", zoom: int = 1) -> None:
    """One image, with instances and panoptic."""
    block = np.ones((zoom, zoom), np.uint16)
    values, ids = np.kron(VALUES, block), np.kron(IDS, block)
    save(root / "training" / "images" / f"{NAME}.jpg", np.zeros((*ids.shape, 3), np.uint8))
    save(root / folder / "instances" / f"{NAME}.png", values)
    write_id_png(root / folder / "panoptic" / f"{NAME}.png", ids)
    infos = [
        {"id": i, "category_id": c, "iscrowd": int(c == 3), "area": 1, "bbox": [0, 0, 1, 1]}
        for i, c in CATEGORY_OF.items()
    ]
    name = {"v1.2": "panoptic_2018.json", "v2.0": "panoptic_2020.json"}[version]
    content = {
        "info": {"version": version},
        "images": [{"id": NAME, "file_name": f"{NAME}.jpg", "height": ids.shape[0], "width": ids.shape[1]}],
        "annotations": [{"image_id": NAME, "file_name": f"{NAME}.png", "segments_info": infos}],
        "categories": CATEGORIES,
    }
    write_json(root / folder / "panoptic" / name, content)


def write_config(path: Path, labels: Any = LABELS) -> None:
    write_json(path, {"labels": labels, "version": 1.1, "mapping": "public"})
