"""Speed of the converters: the usual way against ours, on generated images, in one run.

The usual way is that of COCO's own tools: PNGs read and written by PIL, a mask of the whole image for each
segment, masks encoded and decoded by pycocotools one by one, processes that share the images. The start of
the processes is not counted. Both ways must give the same pixels.

    python benchmarks/converters.py [--images 200] [--workers 2]
"""

import argparse
import functools
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco
from rich.console import Console
from rich.table import Table

from pq import CATEGORIES, HEIGHT, SEGMENTS, WIDTH, generate, read_ids, timed

Entry = dict[str, Any]
Convert = Callable[[Path, Entry, Path], list[Entry]]
THINGS = {category["id"] for category in CATEGORIES if category["isthing"]}
OTHER = 183


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3, help="times each way is run; the fastest counts")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
            with console.status(f"Generating {arguments.images} images of {WIDTH}x{HEIGHT}"):
                generate(folder, arguments.images, pool)
                make_inputs(folder, pool)
            compare(folder, arguments.rounds, arguments.workers, pool, console)


def make_inputs(folder: Path, pool: Any) -> None:
    """The same images as detections, and in two channels."""
    source = json.loads((folder / "gt.json").read_text())
    entries, tasks = source["annotations"], [(folder, entry, folder) for entry in source["annotations"]]
    (folder / "two").mkdir()
    pool.starmap(draw_two_channels, tasks)
    source["annotations"] = [a for found in pool.starmap(usual_to_detection, tasks) for a in found]
    (folder / "detection.json").write_text(json.dumps(source))
    by_image = [{"image_id": entry["image_id"], "objects": []} for entry in entries]
    for annotation in source["annotations"]:
        by_image[annotation["image_id"]]["objects"].append(annotation)
    (folder / "by_image.json").write_text(json.dumps({**source, "annotations": by_image}))


def draw_two_channels(folder: Path, entry: Entry, out: Path) -> None:
    ids = read_ids(folder / "gt" / entry["file_name"])
    channels = np.zeros((*ids.shape, 3), np.uint8)
    for number, info in enumerate(entry["segments_info"]):
        channels[ids == info["id"]] = (info["category_id"], number, 0)
    Image.fromarray(channels).save(out / "two" / entry["file_name"])


def compare(folder: Path, rounds: int, workers: int, pool: Any, console: Console) -> None:
    images = len(list((folder / "gt").iterdir()))
    table = Table(
        title=f"{images} images of {WIDTH}x{HEIGHT}, {SEGMENTS} segments, {workers} workers, best of {rounds}"
    )
    for column in ("converter", "usual: ms an image", "ours: ms an image", "times faster"):
        table.add_column(column, justify="left" if column == "converter" else "right")
    for name, source, convert, ours in ways(folder, workers):
        usual = functools.partial(usual_way, folder, source, convert, pool)
        seconds: dict[str, list[float]] = {"usual": [], "ours": []}
        for number in range(rounds):
            outs = []
            for way, work in (("usual", usual), ("ours", ours)):
                outs.append(folder / f"{way} {name} {number}")
                (outs[-1] / "out").mkdir(parents=True)
                seconds[way].append(timed(functools.partial(work, outs[-1]))[1])
        check(*outs)
        best = {way: 1e3 * min(values) / images for way, values in seconds.items()}
        ratio = f"{best['usual'] / best['ours']:.1f}"
        table.add_row(name, f"{best['usual']:.2f}", f"{best['ours']:.2f}", ratio)
    console.print(table)
    console.print("Both ways gave the same pixels.")


def ways(folder: Path, workers: int) -> list[tuple[str, str, Convert, Callable[[Path], object]]]:
    """Name, what the usual way reads, the usual way of one image, and ours of all."""
    from spatialflow.data import converters

    gt, many = folder / "gt.json", {"workers": workers}

    def detection(out: Path) -> object:
        return converters.panoptic_to_detection(gt, out / "out.json", **many)

    def things(out: Path) -> object:
        return converters.panoptic_to_detection(gt, out / "out.json", things_only=True, **many)

    def semantic_pngs(out: Path) -> object:
        return converters.panoptic_to_semantic(gt, out / "out", things_other=True, **many)

    def semantic_json(out: Path) -> object:
        return converters.panoptic_to_semantic(gt, out / "out.json", **many)

    def panoptic(out: Path) -> object:
        source = folder / "detection.json"
        return converters.detection_to_panoptic(source, out / "out.json", categories=gt, **many)

    def two_channel(out: Path) -> object:
        two = folder / "two"
        return converters.two_channel_to_panoptic(gt, two, out / "out.json", categories=gt, **many)

    return [
        ("panoptic2detection", "gt.json", usual_to_detection, detection),
        ("panoptic2detection --things-only", "gt.json", usual_to_things, things),
        ("panoptic2semantic, PNGs, --things-other", "gt.json", usual_to_semantic_png, semantic_pngs),
        ("panoptic2semantic, JSON", "gt.json", usual_to_semantic_json, semantic_json),
        ("detection2panoptic", "by_image.json", usual_to_panoptic, panoptic),
        ("two-channel2panoptic", "gt.json", usual_from_two_channels, two_channel),
    ]


def usual_way(folder: Path, source: str, convert: Convert, pool: Any, out: Path) -> None:
    content = json.loads((folder / source).read_text())
    processes = pool._processes
    shares = [(folder, convert, content["annotations"][i::processes], out) for i in range(processes)]
    found = [entry for share in pool.starmap(usual_share, shares) for entry in share]
    (out / "out.json").write_text(json.dumps({**content, "annotations": found}))


def usual_share(folder: Path, convert: Convert, entries: Sequence[Entry], out: Path) -> list[Entry]:
    return [result for entry in entries for result in convert(folder, entry, out)]


def encode(mask: np.ndarray) -> Entry:
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def usual_to_detection(folder: Path, entry: Entry, out: Path, only: set[int] | None = None) -> list[Entry]:
    ids = read_ids(folder / "gt" / entry["file_name"])
    return [
        {**info, "image_id": entry["image_id"], "segmentation": encode(ids == info["id"])}
        for info in entry["segments_info"]
        if only is None or info["category_id"] in only
    ]


def usual_to_things(folder: Path, entry: Entry, out: Path) -> list[Entry]:
    return usual_to_detection(folder, entry, out, THINGS)


def usual_to_semantic_png(folder: Path, entry: Entry, out: Path) -> list[Entry]:
    ids = read_ids(folder / "gt" / entry["file_name"])
    semantic = np.zeros(ids.shape, np.uint8)
    for info in entry["segments_info"]:
        semantic[ids == info["id"]] = OTHER if info["category_id"] in THINGS else info["category_id"]
    Image.fromarray(semantic).save(out / "out" / entry["file_name"])
    return []


def usual_to_semantic_json(folder: Path, entry: Entry, out: Path) -> list[Entry]:
    ids = read_ids(folder / "gt" / entry["file_name"])
    regions: dict[int, np.ndarray] = {}
    for info in entry["segments_info"]:
        region = regions.setdefault(info["category_id"], np.zeros(ids.shape, np.bool_))
        region |= ids == info["id"]
    found = []
    for category_id, region in regions.items():
        rle = encode(region)
        extent = {"area": int(coco.area(rle)), "bbox": coco.toBbox(rle).tolist()}
        found.append(
            {"image_id": entry["image_id"], "category_id": category_id, "segmentation": rle, **extent}
        )
    return found


def usual_to_panoptic(folder: Path, entry: Entry, out: Path) -> list[Entry]:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    claims = np.zeros((HEIGHT, WIDTH), np.uint32)
    infos = []
    for number, annotation in enumerate(entry["objects"], 1):
        mask = coco.decode(annotation["segmentation"])
        claims += mask
        pixels[mask == 1] = (number, 0, 0)
        infos.append({"id": number, "category_id": annotation["category_id"]})
    if (claims > 1).any():
        raise ValueError("segments overlap")
    return save_panoptic(entry["image_id"], pixels, infos, out)


def usual_from_two_channels(folder: Path, entry: Entry, out: Path) -> list[Entry]:
    with Image.open(folder / "two" / entry["file_name"]) as image:
        channels = np.array(image, dtype=np.uint32)
    keys = channels[..., 0] * 1000 + channels[..., 1]
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    infos: list[Entry] = []
    for key in np.unique(keys).tolist():
        if key >= 1000:
            pixels[keys == key] = (len(infos) + 1, 0, 0)
            infos.append({"id": len(infos) + 1, "category_id": key // 1000})
    return save_panoptic(entry["image_id"], pixels, infos, out)


def save_panoptic(image_id: int, pixels: np.ndarray, infos: list[Entry], out: Path) -> list[Entry]:
    Image.fromarray(pixels).save(out / "out" / f"{image_id}.png")
    return [{"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": infos}]


def check(usual: Path, ours: Path) -> None:
    pngs = sorted(path.name for path in (usual / "out").iterdir())
    assert pngs == sorted(path.name for path in (ours / "out").iterdir())
    for name in pngs:
        with Image.open(usual / "out" / name) as one, Image.open(ours / "out" / name) as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    if (ours / "out.json").exists():
        contents = [json.loads((side / "out.json").read_text())["annotations"] for side in (usual, ours)]
        one, other = (sorted(entries, key=lambda a: (a["image_id"], a.get("area"))) for entries in contents)
        for theirs, mine in zip(one, other, strict=True):
            for key in theirs.keys() & {"image_id", "category_id", "area", "segmentation", "file_name"}:
                assert theirs[key] == mine[key], key


if __name__ == "__main__":
    main()
