"""Speed of panoptic quality: the usual way against ours, on generated pairs, in one run.

The usual way is that of COCO's reference implementation: PNGs read by PIL, 64-bit codes of every pair
of ids sorted, dictionaries, one process a core. Both must give the same quality.

    python benchmarks/pq.py [--images 500] [--workers 2]
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

Counts = dict[int, list[float]]
WIDTH, HEIGHT, SEGMENTS = 640, 480, 20
CATEGORIES = [{"id": i + 1, "name": f"class{i}", "isthing": int(i < 6)} for i in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3, help="times each way is run; the fastest counts")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
            with console.status(f"Generating {arguments.images} pairs of {WIDTH}x{HEIGHT}"):
                generate(folder, arguments.images, pool)
            compare(folder, arguments.rounds, arguments.workers, pool, console)


def compare(folder: Path, rounds: int, workers: int, pool: Any, console: Console) -> None:
    from spatialflow.evaluation.panoptic_quality import (
        evaluate_pq,
    )  # torch comes with it, which workers do without

    times: dict[str, list[float]] = {"usual": [], "spatialflow": []}
    for _ in range(rounds):
        usual, seconds = timed(lambda: usual_way(folder, workers, pool))
        times["usual"].append(seconds)
        ours, seconds = timed(lambda: evaluate_pq(folder / "gt.json", folder / "pred.json", workers=workers))
        times["spatialflow"].append(seconds)
    for category_id, quality in ours.per_class.items():
        expected = usual.get(category_id, [0.0] * 4)
        np.testing.assert_allclose([quality.iou, quality.tp, quality.fp, quality.fn], expected, rtol=1e-9)

    images = len(list((folder / "gt").iterdir()))
    best = {way: min(values) for way, values in times.items()}
    table = Table(
        title=f"Panoptic quality of {images} pairs of {WIDTH}x{HEIGHT}, {workers} workers, best of {rounds}"
    )
    for column in ("way", "seconds", "ms an image", "times faster", "PQ"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, seconds in best.items():
        ratio = f"{best['usual'] / seconds:.1f}"
        table.add_row(
            way, f"{seconds:.2f}", f"{1e3 * seconds / images:.2f}", ratio, f"{100 * ours.all.pq:.2f}"
        )
    console.print(table)
    console.print("Both ways gave the same counts for every category.")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def generate(folder: Path, images: int, pool: Any) -> None:
    """Write truth and prediction as COCO-panoptic files."""
    for name in ("gt", "pred"):
        (folder / name).mkdir()
    drawn = pool.starmap(draw_pair, [(folder, index) for index in range(images)], chunksize=8)
    entries = [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in range(images)]
    for side, name in enumerate(("gt", "pred")):
        annotations = [
            {"image_id": i, "file_name": f"{i}.png", "segments_info": pair[side]}
            for i, pair in enumerate(drawn)
        ]
        content = {"images": entries, "annotations": annotations, "categories": CATEGORIES}
        (folder / f"{name}.json").write_text(json.dumps(content))


def draw_pair(folder: Path, index: int) -> list[list[dict[str, int]]]:
    """Draw ellipses over bands, and the same moved a little; the truth has void and a crowd."""
    rng = np.random.default_rng(index)
    shapes = [
        (rng.uniform((0, 0), (WIDTH, HEIGHT)), rng.uniform(15, 90, 2), rng.uniform(0, 180))
        for _ in range(SEGMENTS)
    ]
    category_ids = rng.integers(1, len(CATEGORIES) + 1, SEGMENTS)
    result = []
    for name, shift in (("gt", 0), ("pred", 8)):
        ids = rng.choice(2**24 - 1, SEGMENTS, replace=False) + 1
        canvas = np.zeros((HEIGHT, WIDTH), np.int32)
        for i, (centre, axes, angle) in enumerate(shapes):
            x, y = centre + rng.normal(0, 1, 2) * shift
            if i < 4:  # bands behind everything; the truth leaves the lowest quarter void
                canvas[i * HEIGHT // 4 : (i + 1) * HEIGHT // 4] = ids[i] if i < 3 or name == "pred" else 0
            else:
                cv2.ellipse(canvas, ((x, y), tuple(2 * axes), angle), int(ids[i]), -1)
        pixels = np.stack([canvas & 255, canvas >> 8 & 255, canvas >> 16], -1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{index}.png")
        result.append(describe(canvas, ids, category_ids, crowd=4 if name == "gt" else -1))
    return result


def describe(
    canvas: np.ndarray, ids: np.ndarray, category_ids: np.ndarray, crowd: int
) -> list[dict[str, int]]:
    areas = {int(i): int(n) for i, n in zip(*np.unique(canvas, return_counts=True), strict=True)}
    return [
        {"id": i, "category_id": int(category), "iscrowd": int(k == crowd), "area": areas[i]}
        for k, (i, category) in enumerate(zip(ids.tolist(), category_ids, strict=True))
        if i in areas
    ]


def usual_way(folder: Path, workers: int, pool: Any) -> Counts:
    contents = [json.loads((folder / f"{name}.json").read_text()) for name in ("gt", "pred")]
    predictions = {entry["image_id"]: entry for entry in contents[1]["annotations"]}
    pairs = [(entry, predictions[entry["image_id"]]) for entry in contents[0]["annotations"]]
    total: Counts = {}
    for part in pool.starmap(usual_part, [(folder, pairs[i::workers]) for i in range(workers)]):
        for category, counts in part.items():
            total[category] = [a + b for a, b in zip(total.get(category, [0.0] * 4), counts, strict=True)]
    return total


def usual_part(folder: Path, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> Counts:
    total = {category["id"]: [0.0] * 4 for category in CATEGORIES}
    for truth, pred in pairs:
        usual_pair(read_ids(folder / "gt" / truth["file_name"]), truth["segments_info"],
                   read_ids(folder / "pred" / pred["file_name"]), pred["segments_info"], total)  # fmt: skip
    return total


def read_ids(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        pixels = np.array(image, dtype=np.uint32)
    return pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]


def usual_pair(
    truth_map: np.ndarray, truth_list: list[Any], pred_map: np.ndarray, pred_list: list[Any], total: Counts
) -> None:
    truth, pred = ({s["id"]: s for s in segments} for segments in (truth_list, pred_list))
    pred_area = dict(zip(*(a.tolist() for a in np.unique(pred_map, return_counts=True)), strict=True))
    codes = truth_map.astype(np.uint64) * 2**24 + pred_map.astype(np.uint64)
    unique, pixels = np.unique(codes, return_counts=True)
    shared = {(c >> 24, c & 0xFFFFFF): n for c, n in zip(unique.tolist(), pixels.tolist(), strict=True)}
    matched: set[tuple[str, int]] = set()
    for (t, p), n in shared.items():
        if t not in truth or p not in pred or truth[t]["iscrowd"]:
            continue
        category = truth[t]["category_id"]
        if category == pred[p]["category_id"]:
            iou = n / (pred_area[p] + truth[t]["area"] - n - shared.get((0, p), 0))
            if iou > 0.5:
                total[category][0] += iou
                total[category][1] += 1
                matched |= {("truth", t), ("pred", p)}
    crowds = {s["category_id"]: s["id"] for s in truth_list if s["iscrowd"]}
    for p, segment in pred.items():
        ignored = shared.get((0, p), 0) + shared.get((crowds.get(segment["category_id"]), p), 0)
        if ("pred", p) not in matched and ignored / pred_area[p] <= 0.5:
            total[segment["category_id"]][2] += 1
    for t, segment in truth.items():
        if ("truth", t) not in matched and not segment["iscrowd"]:
            total[segment["category_id"]][3] += 1


if __name__ == "__main__":
    main()
