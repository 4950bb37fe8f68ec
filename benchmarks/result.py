"""Time that a prediction's methods take on drawn scenes, in one thread; the fastest of several rounds counts.

python benchmarks/result.py [--size 480 640] [--scenes 4] [--rounds 7]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from spatialflow.categories import Categories
from spatialflow.data.synthetic import generate
from spatialflow.image_io import read_photo
from spatialflow.structures import PanopticPrediction


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"))
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        path = generate(name, arguments.scenes, seed=0, size=tuple(arguments.size), workers=1)
        photos = [read_photo(photo) for photo in sorted((Path(name) / "train").glob("*.jpg"))]
        categories, folder = Categories.load(path), path.with_suffix("")
        entries = json.loads(path.read_text())["annotations"]
        predictions = [PanopticPrediction.from_coco(entry, folder, categories) for entry in entries]
        pairs = list(zip(predictions, photos, entries, strict=True))
        ways: dict[str, Callable[[], object]] = {
            "plot": lambda: [p.plot(photo) for p, photo, _ in pairs],
            "plot, void hatched, legend": lambda: [p.plot(i, void="hatch", legend=True) for p, i, _ in pairs],
            "rle of all": lambda: [[p.rle(s) for s in p] for p in predictions],
            "polygons of all": lambda: [[p.polygons(s) for s in p] for p in predictions],
            "to_instances": lambda: [p.to_instances(1) for p in predictions],
            "save": lambda: [p.save(Path(name) / "a.png") for p in predictions],
            "from_coco": lambda: [PanopticPrediction.from_coco(e, folder, categories) for _, _, e in pairs],
        }
        height, width = arguments.size
        count = np.mean([len(p) for p in predictions])
        table = Table("method", "ms an image", title=f"{width}x{height}, {count:.0f} segments")
        for way, call in ways.items():
            table.add_row(way, f"{fastest(call, arguments.rounds) * 1000 / len(pairs):.1f}")
    Console().print(table)


def fastest(call: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
