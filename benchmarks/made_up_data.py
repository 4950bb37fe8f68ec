"""Made-up photos and truth for the benchmarks of the data pipeline, as costly to read as COCO's.

COCO's photos have 640x480 pixels, mostly, and as JPEGs of quality 95 without chroma subsampling 160 kB on
average; its panoptic truth has 11 segments an image.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spatialflow.categories import coco_panoptic
from spatialflow.files import write_json
from spatialflow.image_io import write_id_png
from spatialflow.masks.extents import measure

Entry = dict[str, Any]
WIDTH, HEIGHT, SEGMENTS, STUFF = 640, 480, 11, 4


def write_set(folder: Path, count: int) -> Path:
    """Write ``images/`` and ``annotations/panoptic/``, 0.jpg and 0.png and so on, and the JSON; its path."""
    path = folder / "annotations" / "panoptic.json"
    path.with_suffix("").mkdir(parents=True)
    (folder / "images").mkdir()
    images, annotations = [], []
    for i in range(count):
        infos = write_image(folder / "images" / f"{i}.jpg", path.with_suffix("") / f"{i}.png", i)
        images.append({"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH})
        annotations.append({"image_id": i, "file_name": f"{i}.png", "segments_info": infos})
    categories = coco_panoptic().to_json()
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})
    return path


def write_image(photo: Path, png: Path, seed: int, segments: int = SEGMENTS) -> list[Entry]:
    """Draw one photo and its PNG; returns its ``segments_info``, of things but for the last four."""
    rng = np.random.default_rng(seed)
    index = np.stack([noise(rng, 6) for _ in range(segments)]).argmax(axis=0)
    ids = rng.choice(2**24 - 1, segments, replace=False) + 1
    id_map = ids[index].astype(np.int32)
    colours = 0.6 * rng.integers(0, 256, (segments, 3)) + 50
    light = 15 * noise(rng, 2.8)[..., None] + 8 * np.stack([noise(rng, 3) for _ in range(3)], axis=-1)
    pixels = (colours[index] + light).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(photo, quality=95, subsampling=0)
    write_id_png(png, id_map)
    categories = coco_panoptic()
    labels = [*range(segments - STUFF), *range(len(categories) - STUFF, len(categories))]
    category_ids = {i: categories[label].id for i, label in zip(ids.tolist(), labels, strict=True)}
    found = measure(id_map)
    extents = {i: (area, box) for i, area, box in zip(*(column.tolist() for column in found), strict=True)}
    return [
        {"id": i, "category_id": category, "iscrowd": 0, "area": extents[i][0], "bbox": extents[i][1]}
        for i, category in category_ids.items()
        if i in extents
    ]


def noise(rng: np.random.Generator, exponent: float) -> np.ndarray:
    """(H, W) noise of mean 0 and deviation 1 with power 1 / frequency^exponent; about 2 in photos."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)) + 1 / WIDTH
    spectrum = np.fft.rfft2(rng.normal(size=(HEIGHT, WIDTH))) / frequency ** (exponent / 2)
    field = np.fft.irfft2(spectrum, (HEIGHT, WIDTH))
    return (field - field.mean()) / field.std()
