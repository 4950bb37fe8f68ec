"""A synthetic panoptic data set on disk, in COCO-panoptic format, for the demo and for trials.

Things are told apart by their shape and stuff by its texture; colours are random and tell nothing. Things
cover one another, come in all sizes and sometimes huddle; now and then there is a crowd segment or a void
region.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories, Category
from spatialflow.data.synthetic_scene import draw_scene
from spatialflow.files import check_writable_folder, write_bytes, write_json
from spatialflow.image_io import encode_id_png
from spatialflow.workers import number_of_cores

SIZE = (128, 160)
"""Height and width of the photos."""

CATEGORIES = Categories(
    [  # as in COCO, ids have gaps, and things and stuff are mixed
        Category(2, "stripes", False, (121, 158, 178)),
        Category(3, "square", True, (226, 120, 70)),
        Category(5, "ring", True, (155, 89, 182)),
        Category(7, "disc", True, (46, 134, 222)),
        Category(9, "dots", False, (169, 186, 128)),
        Category(12, "star", True, (241, 184, 45)),
        Category(14, "clouds", False, (196, 188, 205)),
        Category(21, "triangle", True, (38, 166, 124)),
        Category(30, "checks", False, (203, 171, 138)),
    ],
    "synthetic",
)
"""Five things by shape, four stuff classes by texture."""

_ID_OF = {category.name: category.id for category in CATEGORIES}
_COLOR_OF = {category.name: category.color for category in CATEGORIES}
_IMAGES_A_TASK = 64
_JPEG_QUALITY = 92


def generate(
    folder: str | os.PathLike[str],
    num_images: int,
    seed: int,
    split: str = "train",
    size: tuple[int, int] = SIZE,
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write ``num_images`` photos with their truth, laid out as COCO is.

    ``folder`` receives ``<split>/NNNNNN.jpg``, ``annotations/panoptic_<split>/NNNNNN.png`` and, when all of
    these are there, ``annotations/panoptic_<split>.json``. The same seed, split and size give the same bytes,
    whatever the number of workers; the first images do not depend on ``num_images``.

    Args:
        folder: made if need be; an earlier data set of the same split is replaced.
        num_images: 1 or more.
        seed: 0 or more.
        split: name of the part; parts of different names share no image.
        size: (H, W) of the photos, 64 or more each.
        workers: processes; by default one for every CPU, but no more than the work is worth. More than one
            needs a main module that can be imported, as ``multiprocessing`` with spawn always does.
        progress: called with the number of images finished so far, about every 64 images.

    Returns:
        The annotation file.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    if num_images < 1 or seed < 0 or min(size) < 64:
        raise ValueError(
            f"num_images >= 1, seed >= 0 and sides >= 64 expected, got {num_images}, {seed}, {size}"
        )
    folder = Path(folder)
    annotations = check_writable_folder(folder / "annotations") / f"panoptic_{split}.json"
    _remove_earlier(folder, split)
    tasks = [range(i, min(i + _IMAGES_A_TASK, num_images)) for i in range(0, num_images, _IMAGES_A_TASK)]
    entries: list[dict[str, Any]] = []
    for part in _run(partial(_write_images, folder, split, seed, size), tasks, workers):
        entries += part
        if progress is not None:
            progress(len(entries))
    images = [
        {"id": e["image_id"], "file_name": f"{e['image_id']:06d}.jpg", "width": size[1], "height": size[0]}
        for e in entries
    ]
    content = {"images": images, "annotations": entries, "categories": CATEGORIES.to_json()}
    write_json(annotations, content)
    return annotations


def draw_dataset(
    folder: str | os.PathLike[str],
    num_images: int = 16,
    seed: int = 0,
    split: str = "train",
    size: tuple[int, int] = SIZE,
) -> Path:
    """Draw pictures of the kind that the shipped model ``tiny`` knows, with their truth, as a data set.

    ``folder`` receives the pictures, ``<split>/NNNNNN.jpg``, and the truth in COCO's panoptic format,
    ``annotations/panoptic_<split>.json`` with its PNGs. The same arguments draw the same pictures.

    Args:
        folder: made if need be; what was drawn into the same split earlier is replaced.
        num_images: 1 or more; a hundred take about a second.
        seed: 0 or more.
        split: name of the part; parts of different names share no picture.
        size: (H, W) of the pictures, 64 or more each.

    Returns:
        The annotation file.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.

    Example:
        >>> sf.draw_dataset("pictures", 16, split="val")
    """
    return generate(folder, num_images, seed, split, size, workers=1)


def _run(
    write: "partial[list[dict[str, Any]]]", tasks: list[range], workers: int | None
) -> Iterator[list[dict[str, Any]]]:
    """Do the tasks in order, in this process or in several."""
    if workers is None:  # a process takes seconds to start: worth it for some thousand images
        workers = min(number_of_cores(), len(tasks) // 20)
    if workers <= 1:
        yield from map(write, tasks)
        return
    # not forked: the caller may have threads of PyTorch or OpenCV, which a fork would leave dead
    with ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(write, tasks)


def _write_images(
    folder: Path, split: str, seed: int, size: tuple[int, int], indices: range
) -> list[dict[str, Any]]:
    """Write photos and id PNGs; the ``annotations`` entries of the JSON."""
    return [_write_image(folder, split, seed, size, index) for index in indices]


def _write_image(folder: Path, split: str, seed: int, size: tuple[int, int], index: int) -> dict[str, Any]:
    rng = np.random.default_rng((seed, zlib.crc32(split.encode()), index))
    scene = draw_scene(rng, size)
    ids = _segment_ids([layer.name for layer in scene.layers], rng)
    name = f"{index + 1:06d}"
    ok, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(scene.photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not ok:  # OpenCV reports no reason
        raise ValueError("OpenCV could not encode the photo")
    write_bytes(folder / split / f"{name}.jpg", jpeg.tobytes())
    # the last id stands for index -1, void
    id_map = np.array([*ids, 0], np.int32)[scene.layer_map]
    write_bytes(folder / "annotations" / f"panoptic_{split}" / f"{name}.png", encode_id_png(id_map))
    segments = [
        {
            "id": segment_id,
            "category_id": _ID_OF[layer.name],
            "iscrowd": int(layer.is_crowd),
            **_extent(scene.layer_map == i),
        }
        for i, (segment_id, layer) in enumerate(zip(ids, scene.layers, strict=True))
    ]
    return {"image_id": index + 1, "file_name": f"{name}.png", "segments_info": segments}


def _segment_ids(names: list[str], rng: np.random.Generator) -> list[int]:
    """Unique ids near the class's colour, so that the PNG can be looked at."""
    ids: list[int] = []
    for name in names:
        while True:
            red, green, blue = np.clip(np.array(_COLOR_OF[name]) + rng.integers(-25, 26, 3), 1, 255).tolist()
            segment_id = red + 256 * green + 65536 * blue
            if segment_id not in ids:
                ids.append(segment_id)
                break
    return ids


def _extent(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Area and COCO box (x, y, width, height) of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return {
        "area": int(np.count_nonzero(mask)),
        "bbox": [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
    }


def _remove_earlier(folder: Path, split: str) -> None:
    """Delete an earlier data set of this name: first the file that lists the others."""
    (folder / "annotations" / f"panoptic_{split}.json").unlink(missing_ok=True)
    for part, suffix in ((folder / split, ".jpg"), (folder / "annotations" / f"panoptic_{split}", ".png")):
        for path in part.glob("[0-9]" * 6 + suffix):
            path.unlink()
