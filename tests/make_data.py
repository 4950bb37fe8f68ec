"""Small COCO-panoptic data sets on disk, for tests."""

import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.files import write_json
from spatialflow.image_io import write_id_png

CATEGORIES: list[dict[str, Any]] = [
    {"id": 3, "name": "cat", "isthing": 1, "color": [220, 20, 60]},
    {"id": 7, "name": "dog", "isthing": 1, "color": [0, 0, 142]},
    {"id": 20, "name": "grass", "isthing": 0, "color": [96, 196, 96]},
    {"id": 21, "name": "sky", "isthing": 0, "color": [70, 130, 180]},
]
"""Labels 0..3; stuff channels: grass 0, sky 1, things 2."""
CAT, DOG, GRASS, SKY = 3, 7, 20, 21


@dataclass(frozen=True)
class ToySegment:
    """A rectangle of one category; the box is x1, y1, x2, y2 with x2 and y2 exclusive."""

    category_id: int
    box: tuple[int, int, int, int]
    is_crowd: bool = False


@dataclass(frozen=True)
class ToyImage:
    """A photo of noise and its segments, painted in order, so later ones hide earlier ones.

    Segment ids are 1001, 1002, ...; pixels that no segment covers are void.
    """

    name: str
    size: tuple[int, int] = (48, 64)
    """(H, W) of the PNG, and of the photo when it is looked at upright."""
    segments: Sequence[ToySegment] = (ToySegment(SKY, (0, 0, 64, 20)), ToySegment(CAT, (10, 8, 40, 30)))
    mode: str = "RGB"
    """Pillow mode of the photo: RGB, L, CMYK, RGBA, ..."""
    suffix: str = ".png"
    """Of the photo; .png keeps its pixels exactly."""
    orientation: int = 1
    """EXIF orientation written into the photo, whose stored pixels are turned so that it looks upright."""

    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB noise, the same for the same name."""
        rng = np.random.default_rng(list(self.name.encode()))
        return rng.integers(0, 256, (*self.size, 3), np.uint8)

    def id_map(self) -> NDArray[np.int32]:
        """(H, W) segment ids."""
        ids = np.zeros(self.size, np.int32)
        for segment_id, segment in enumerate(self.segments, 1001):
            x1, y1, x2, y2 = segment.box
            ids[y1:y2, x1:x2] = segment_id
        return ids


_UNDO = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def write_photo(path: Path, image: ToyImage) -> None:
    """Write the photo of ``image`` in its mode and orientation."""
    photo = Image.fromarray(image.pixels())
    if image.orientation != 1:
        photo = photo.transpose(_UNDO[image.orientation])
    exif = Image.Exif()
    exif[0x0112] = image.orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    photo.convert(image.mode).save(path, exif=exif)


def write_panoptic_set(
    folder: Path,
    images: Sequence[ToyImage] = (ToyImage("first"), ToyImage("second", size=(64, 48))),
    name: str = "panoptic_toy",
    categories: Sequence[dict[str, Any]] = CATEGORIES,
) -> Path:
    """Write photos, PNGs and JSON as COCO lays them out; return the path of the JSON.

    The files are ``annotations/NAME.json``, ``annotations/NAME/*.png``, ``images/*``; image ids count from 1.
    A segment that others hide completely is left out of the JSON, as the format asks.
    """
    annotations = []
    for image_id, image in enumerate(images, 1):
        ids = image.id_map()
        write_photo(folder / "images" / f"{image.name}{image.suffix}", image)
        write_id_png(folder / "annotations" / name / f"{image.name}.png", ids)
        numbered = enumerate(image.segments, 1001)
        infos = [_describe(ids, i, segment) for i, segment in numbered if (ids == i).any()]
        annotations.append({"image_id": image_id, "file_name": f"{image.name}.png", "segments_info": infos})
    content = {
        "images": [
            {"id": i, "file_name": f"{m.name}{m.suffix}", "height": m.size[0], "width": m.size[1]}
            for i, m in enumerate(images, 1)
        ],
        "annotations": annotations,
        "categories": list(categories),
    }
    path = folder / "annotations" / f"{name}.json"
    write_json(path, content)
    return path


def _describe(ids: NDArray[np.int32], segment_id: int, segment: ToySegment) -> dict[str, Any]:
    rows, columns = np.nonzero(ids == segment_id)
    x, y = int(columns.min()), int(rows.min())
    return {
        "id": segment_id,
        "category_id": segment.category_id,
        "iscrowd": int(segment.is_crowd),
        "area": len(rows),
        "bbox": [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1],
    }


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Let ``change`` alter the content of a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def pack_folder(folder: Path, archive: Path, top: str | None = None, keep: bool = False) -> Path:
    """Move a folder's files into ``archive``, below ``top``, by default the folder's name; return it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, PurePosixPath(folder.name if top is None else top, path.relative_to(folder)))
    if not keep:
        shutil.rmtree(folder)
    return archive
