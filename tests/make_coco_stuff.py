"""Small COCO files of things and of stuff, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from spatialflow.files import write_json

PERSON, DOG = 1, 18
BANNER, BRANCH, TREE, CLOTH, OTHER = 92, 94, 169, 104, 183
TREE_MERGED = 184


def rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def annotation(category_id: int, mask: NDArray[np.bool_], **more: Any) -> dict[str, Any]:
    return {"image_id": 5, "category_id": category_id, "iscrowd": 0, "segmentation": rle(mask), **more}


def box(x1: int, y1: int, x2: int, y2: int, zoom: int = 1) -> NDArray[np.bool_]:
    mask = np.zeros((4, 6), np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask.repeat(zoom, 0).repeat(zoom, 1)


IMAGES = [{"id": 5, "file_name": "000000000005.jpg", "height": 4, "width": 6, "license": 3}]


def write(path: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    write_json(path, {"info": {"year": 2017}, "images": IMAGES, "annotations": annotations} | changes)
    return path


def write_map(folder: Path, values: NDArray[np.uint8], name: str = "000000000005.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(values).save(folder / name)
    return folder


def toy_things(zoom: int = 1) -> list[dict[str, Any]]:
    return [
        annotation(DOG, box(1, 1, 3, 3, zoom)),  # 4 pixels, over the person though listed first
        annotation(PERSON, box(0, 0, 4, 3, zoom)),  # 12
        annotation(PERSON, box(4, 0, 6, 1, zoom), iscrowd=1),
    ]


def toy_stuff(zoom: int = 1) -> list[dict[str, Any]]:
    return [
        annotation(BRANCH, box(0, 2, 6, 3, zoom)),
        annotation(TREE, box(0, 3, 3, 4, zoom)),
        annotation(CLOTH, box(3, 3, 6, 4, zoom)),
        annotation(BANNER, box(4, 0, 6, 2, zoom)),
        annotation(OTHER, box(0, 0, 4, 2, zoom)),
    ]
