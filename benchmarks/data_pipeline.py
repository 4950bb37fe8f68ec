"""Speed of loading and transforming photos for training: the original's steps, written plainly, against ours.

Both read 640x480 photos with 11 segments, 7 of them things, and bring them to recipe size: 1333x800, mirrored
with probability 0.5, in batches of 2. The original's steps are those of its configuration: decode the JPEG,
make a bitmap of each thing (here from the panoptic PNG), decode the semantic PNG, resize the photo bilinearly
and each bitmap and the semantic map nearest, mirror, normalise and pad them, stack them. Ours is the training
loader; its batches have the id map, of which the losses make masks and semantic map on the device. First both
are seen to give the same pixels.

    python benchmarks/data_pipeline.py [--images 96] [--rounds 5]

Each runs on one core in processes of its own, in turn. What is counted is the processor's time, which others
on the machine disturb least. The exit code is 1 if ours does not give twice the images a second.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from made_up_data import HEIGHT, SEGMENTS, WIDTH, write_set
from measure import report, run_variants
from spatialflow.categories import coco_panoptic
from spatialflow.config import Config
from spatialflow.data.datamodule import PanopticData
from spatialflow.files import read_json
from spatialflow.structures import Batch

LEAST_RATIO = 2.0
BATCH = 2
PHOTOS = 16
"""Drawn ones; they are read again and again."""
DIVISOR = 32


class PlainBatch(NamedTuple):
    """What the original trains on."""

    images: torch.Tensor
    """(B, 3, H, W)."""
    semantic: torch.Tensor
    """(B, 1, H, W) uint8."""
    masks: list[np.ndarray]
    """B x (N, H, W) uint8."""
    boxes: list[np.ndarray]
    """B x (N, 4) xyxy."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=96, help="timed in each process, after a batch before")
    parser.add_argument("--rounds", type=int, default=5, help="processes a variant; the median counts")
    parser.add_argument("--variant", choices=("plain", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        measure(arguments.variant, arguments.data, arguments.images)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_set(folder, PHOTOS)
        write_semantic(folder)
        check(folder)
        options = ["--data", name, "--images", str(arguments.images)]
        found = run_variants(__file__, ("plain", "ours"), arguments.rounds, options)
    seconds = {variant: numbers["seconds"] for variant, numbers in found.items()}
    table = Table(title=f"{WIDTH}x{HEIGHT} with {SEGMENTS} segments to 1333x800, on one core")
    for column in ("pipeline", "ms an image", "images/s", "times faster"):
        table.add_column(column, justify="left" if column == "pipeline" else "right")
    for variant, label in (("plain", "the original's steps"), ("ours", "spatialflow")):
        numbers = (1e3 * seconds[variant], 1 / seconds[variant], seconds["plain"] / seconds[variant])
        table.add_row(label, *(f"{number:.1f}" for number in numbers))
    Console().print(table)
    if seconds["plain"] < LEAST_RATIO * seconds["ours"]:
        sys.exit(f"less than {LEAST_RATIO:g} times the images a second")


def measure(variant: str, folder: Path, images: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    batches: Iterator[PlainBatch | Batch] = ours(folder) if variant == "ours" else plain(folder)
    next(batches)  # loads what is loaded at first use
    start = time.process_time()
    for batch in itertools.islice(batches, -(-images // BATCH)):
        assert batch.images.shape == (BATCH, 3, 800, 1088)
    report({"seconds": (time.process_time() - start) / (-(-images // BATCH) * BATCH)})


def configuration(folder: Path, *more: str) -> Config:
    path = folder / "annotations" / "panoptic.json"
    overrides = [f"data.train={path}", f"data.val={path}", f"data.batch_size={BATCH}", "data.workers=0"]
    return sf.load_config("spatialflow_r50_fpn_20e_coco", [*overrides, *more])


def ours(folder: Path, *overrides: str) -> Iterator[Batch]:
    """Batches of our training loader, epoch after epoch."""
    loader = PanopticData(configuration(folder, *overrides).data, coco_panoptic()).train_dataloader()
    while True:
        yield from loader


def plain(folder: Path, flip: float = 0.5) -> Iterator[PlainBatch]:
    """Batches of the original's steps, in the order of the file."""
    content = read_json(folder / "annotations" / "panoptic.json")
    things = {category.id for category in coco_panoptic() if category.is_thing}
    entries = list(zip(content["images"], content["annotations"], strict=True))
    config = configuration(folder).data
    rng = np.random.default_rng(0)
    while True:
        for start in range(0, len(entries), BATCH):
            examples = []
            for image, annotation in entries[start : start + BATCH]:
                infos = [info for info in annotation["segments_info"] if info["category_id"] in things]
                example = load(folder, image["file_name"], infos, config.train_scales[0])
                if rng.random() < flip:
                    example = mirror(*example)
                examples.append(finish(*example, config.mean, config.std))
            images, semantic, masks, boxes = zip(*examples, strict=True)
            yield PlainBatch(torch.stack(images), torch.stack(semantic), list(masks), list(boxes))


def load(
    folder: Path, file_name: str, infos: list[dict[str, Any]], scale: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Photo (BGR), semantic map, bitmaps and boxes, resized."""
    photo = cv2.imread(str(folder / "images" / file_name), cv2.IMREAD_COLOR)
    png = Path(file_name).with_suffix(".png")
    with Image.open(folder / "annotations" / "panoptic" / png) as image:
        channels = np.array(image, np.uint32)
    ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
    masks = [(ids == info["id"]).astype(np.uint8) for info in infos]
    semantic = cv2.imread(str(folder / "semantic" / png), cv2.IMREAD_UNCHANGED)
    height, width = photo.shape[:2]
    factor = min(max(scale) / max(height, width), min(scale) / min(height, width))
    size = int(width * factor + 0.5), int(height * factor + 0.5)
    photo = cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR)
    masks = [cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) for mask in masks]
    semantic = cv2.resize(semantic, size, interpolation=cv2.INTER_NEAREST)
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in (info["bbox"] for info in infos)], np.float32)
    boxes = boxes * np.array([size[0] / width, size[1] / height] * 2, np.float32)
    return photo, semantic, np.stack(masks), boxes.clip(0, [*size, *size])


def mirror(
    photo: np.ndarray, semantic: np.ndarray, masks: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x1, y1, x2, y2 = boxes.T
    boxes = np.stack([photo.shape[1] - x2, y1, photo.shape[1] - x1, y2], axis=1)
    return cv2.flip(photo, 1), cv2.flip(semantic, 1), np.stack([cv2.flip(mask, 1) for mask in masks]), boxes


def finish(
    photo: np.ndarray,
    semantic: np.ndarray,
    masks: np.ndarray,
    boxes: np.ndarray,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    """Normalise, pad, and make tensors."""
    pixels = cv2.cvtColor(photo.astype(np.float32), cv2.COLOR_BGR2RGB)
    pixels = cv2.subtract(pixels, np.array(mean, np.float64).reshape(1, -1))
    pixels = cv2.multiply(pixels, 1 / np.array(std, np.float64).reshape(1, -1))
    bottom, right = (-side % DIVISOR for side in pixels.shape[:2])
    pixels, semantic, *padded = (
        cv2.copyMakeBorder(array, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=0)
        for array in (pixels, semantic, *masks)
    )
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return image, torch.from_numpy(semantic)[None], np.stack(padded), boxes


def write_semantic(folder: Path) -> None:
    """The semantic PNGs of the original: a category's id in each pixel; 0 is void."""
    (folder / "semantic").mkdir()
    for annotation in read_json(folder / "annotations" / "panoptic.json")["annotations"]:
        with Image.open(folder / "annotations" / "panoptic" / annotation["file_name"]) as image:
            channels = np.array(image, np.uint32)
        ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
        semantic = np.zeros(ids.shape, np.uint8)
        for info in annotation["segments_info"]:
            semantic[ids == info["id"]] = info["category_id"]
        Image.fromarray(semantic).save(folder / "semantic" / annotation["file_name"])


def check(folder: Path) -> None:
    """See that both ways give the same pixels, masks, labels and boxes."""
    wanted = {f"{i}.jpg": example for i, example in enumerate(_examples(plain(folder, flip=0)))}
    data = PanopticData(configuration(folder, "data.flip=0").data, coco_panoptic())
    for batch in data.train_dataloader():
        for image, target in zip(batch.images, batch.targets, strict=True):
            plain_image, semantic, masks, boxes = wanted.pop(target.file_name)
            torch.testing.assert_close(image, plain_image, rtol=0, atol=1e-5)
            height, width = target.id_map.shape
            is_thing = target.labels < data.categories.num_things
            for segment_id, mask in zip(target.ids[is_thing], masks, strict=True):
                assert np.array_equal((target.id_map == segment_id).numpy(), mask[:height, :width])
            np.testing.assert_allclose(target.boxes[is_thing].numpy(), boxes)
            for segment_id, label in zip(target.ids, target.labels, strict=True):
                found = semantic[0, :height, :width][target.id_map == segment_id]
                assert (found == data.categories[int(label)].id).all()
    assert not wanted


def _examples(batches: Iterator[PlainBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in itertools.islice(batches, PHOTOS // BATCH):
        yield from zip(*batch, strict=True)


if __name__ == "__main__":
    main()
