"""What tests of annotation tools' exports share: classes, photos, and how results are read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.files import read_json
from spatialflow.image_io import read_id_png

CAT, DOG, GRASS, SKY = 1, 2, 3, 4
CLASSES = "things: [cat, dog]\nstuff: [grass, sky]\n"


def write_classes(folder: Path, text: str = CLASSES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "classes.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def write_photo(path: Path, size: tuple[int, int] = (4, 6), orientation: int = 1) -> None:
    """A black photo of (H, W) as it is stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size[::-1]).save(path, exif=exif)


def write_mask(path: Path, rows: Any, dtype: Any = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, dtype)).save(path)


def category_map(out: Path, place: int = 0) -> list[list[int]]:
    """Category of each pixel of an image; 0 is void."""
    annotation = read_json(out)["annotations"][place]
    ids = read_id_png(out.with_suffix("") / annotation["file_name"])
    categories = np.zeros_like(ids)
    for info in annotation["segments_info"]:
        categories[ids == info["id"]] = info["category_id"]
    return categories.tolist()


def id_map(out: Path, place: int = 0) -> list[list[int]]:
    """Segment of each pixel of an image; 0 is void."""
    annotation = read_json(out)["annotations"][place]
    return read_id_png(out.with_suffix("") / annotation["file_name"]).tolist()


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def pack_bits(bits: str) -> list[int]:
    """Bytes of a text of bits, in which blanks say nothing."""
    bits = bits.replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def encode_brush(mask: NDArray[np.bool_], lengths: tuple[int, int, int, int] = (3, 4, 8, 16)) -> list[int]:
    """Label Studio's run lengths of an (H, W) mask: of repeated values, and where they are few of a list."""
    values = np.repeat(mask.ravel() * 255, 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{length - 1:04b}" for length in lengths)
    place = 0
    while place < len(values):
        end = place
        while end < len(values) and values[end] == values[place] and end - place < 1 << lengths[3]:
            end += 1
        is_run = end - place > 4
        end = end if is_run else min(place + 1 << lengths[0], place + 5, len(values))
        kind = next(i for i, length in enumerate(lengths) if end - place - 1 < 1 << length)
        bits += f"{int(is_run)}{kind:02b}{end - place - 1:0{lengths[kind]}b}"
        for value in values[place : place + 1 if is_run else end]:
            bits += f"{value:08b}"
        place = end
    return pack_bits(bits)
