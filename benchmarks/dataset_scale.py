"""What a training set of COCO's size costs: seconds to open, memory of the main process and of the workers.

Generates an annotation file of 118,287 images and 1.4 million segments, whose photos and PNGs are hard links
to a few made-up ones, and then reads it as training does: once for the first time, once from the index that
the first reading left beside it, and once with photos and PNGs in .zip files. Needs Linux, and 1 GB of disk.

    python benchmarks/dataset_scale.py [--images 118287] [--batches 40] [--folder DIR]

The exit code is 1 if opening takes more than 20 s on one core, the main process ever holds more than 1.2 GiB,
or one of 4 workers more than 250 MiB of memory of its own.
"""

import argparse
import copy
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from made_up_data import HEIGHT, WIDTH, Entry, write_image
from measure import RESULT, report
from spatialflow.categories import coco_panoptic

IMAGES, SEGMENTS_AN_IMAGE = 118_287, 1_400_000 / 118_287
WORKERS = 4
DRAWN = {8: 6, 12: 6, 20: 6}
"""Photos that are drawn, by their number of segments."""
LIMITS = {"seconds to open": 20.0, "GiB, main process": 1.2, "MiB of its own, each worker": 250.0}
RUNS = {"first": "first opening", "again": "from the index", "zip": "from .zip files"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--batches", type=int, default=40, help="of 2 images, read by the workers")
    parser.add_argument("--folder", type=Path, help="empty, for the data, which stays; else a temporary one")
    parser.add_argument("--run", choices=tuple(RUNS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        measure(arguments.folder, arguments.run, arguments.batches)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if folder.exists() and any(folder.iterdir()):
            sys.exit(f"{folder}: is not empty; give --folder another")
        segments = generate(folder, arguments.images)
        found = {run: run_alone(folder, run, arguments.batches) for run in RUNS}
    table = Table(title=f"{arguments.images} images, {segments} segments, {WORKERS} workers")
    table.add_column("limit")
    for name in RUNS.values():
        table.add_column(name, justify="right")
    for key, limit in LIMITS.items():
        table.add_row(f"{key}: {limit:g}", *(f"{numbers[key]:.2f}" for numbers in found.values()))
    Console().print(table)
    exceeded = [
        f"{RUNS[run]}: {numbers[key]:.2f} {key}"
        for run, numbers in found.items()
        for key, limit in LIMITS.items()
        if numbers[key] > limit
    ]
    if exceeded:
        sys.exit("; ".join(exceeded))


def run_alone(folder: Path, run: str, batches: int) -> dict[str, float]:
    """One measurement in a process of its own."""
    print(f"{RUNS[run]} ...", file=sys.stderr, flush=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--run", run, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--batches", str(batches)], check=True, stdout=subprocess.PIPE, text=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith(RESULT))
    return json.loads(line.removeprefix(RESULT))


def measure(folder: Path, run: str, batches: int) -> None:
    import spatialflow as sf
    from spatialflow.data.datamodule import PanopticData

    warnings.filterwarnings("ignore", ".*suggested max number of worker.*")  # which is that of cores
    path = folder / "annotations" / "panoptic_train2017.json"
    overrides = [f"data.train={path}", f"data.val={path}", f"data.workers={WORKERS}"]
    if run == "zip":
        overrides.append(f"data.train_images={folder / 'zip' / 'train2017.zip'}")
        overrides.append(f"data.train_segments={folder / 'zip' / 'panoptic_train2017.zip'}")
    config = sf.load_config("spatialflow_r50_fpn_20e_coco", overrides)
    data = PanopticData(config.data, coco_panoptic())
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    start = time.perf_counter()
    images = len(data.train_set)
    seconds = time.perf_counter() - start
    os.sched_setaffinity(0, cores)
    loader = data.train_dataloader()
    private = 0.0
    for batch in itertools.islice(loader, batches):
        assert len(batch) == config.data.batch_size <= images
        workers = multiprocessing.active_children()
        assert len(workers) == WORKERS
        private = max(private, *(private_mib(worker.pid) for worker in workers))
    numbers = (seconds, status_kib("VmHWM") / 2**20, private)
    report(dict(zip(LIMITS, numbers, strict=True)))


def status_kib(key: str) -> int:
    """A number of this process's status; VmHWM is the most that was ever resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def private_mib(pid: int | None) -> float:
    """Memory that no other process has."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def generate(folder: Path, images: int) -> int:
    """Write everything; returns the number of segments."""
    print(f"generating {images} images ...", file=sys.stderr, flush=True)
    drawn = draw(folder / "drawn")
    path = folder / "annotations" / "panoptic_train2017.json"
    places = {"jpg": folder / "train2017", "png": path.with_suffix("")}
    (folder / "zip").mkdir()
    path.parent.mkdir()
    chosen = list(choose([len(infos) for infos in drawn], images))
    write_annotations(path, drawn, chosen)
    for suffix, place in places.items():
        place.mkdir()
        names = {f"{i:012d}.{suffix}": folder / "drawn" / f"{k}.{suffix}" for i, k in enumerate(chosen)}
        for name, source in names.items():
            (place / name).hardlink_to(source)
        pack(folder / "zip" / f"{place.name}.zip", names)
    return sum(len(drawn[k]) for k in chosen)


def draw(folder: Path) -> list[list[Entry]]:
    """Draw the few photos and PNGs; returns the segments of each."""
    folder.mkdir(parents=True)
    counts = [segments for segments, times in DRAWN.items() for _ in range(times)]
    return [write_image(folder / f"{k}.jpg", folder / f"{k}.png", k, count) for k, count in enumerate(counts)]


def choose(counts: list[int], images: int) -> Iterator[int]:
    """Which of the drawn photos each image is, so that the mean number of segments is COCO's."""
    rng = np.random.default_rng(0)
    few = [k for k, count in enumerate(counts) if count <= SEGMENTS_AN_IMAGE]
    many = [k for k, count in enumerate(counts) if count > SEGMENTS_AN_IMAGE]
    total = 0
    for i in range(images):
        k = int(rng.choice(many if total < i * SEGMENTS_AN_IMAGE else few))
        total += counts[k]
        yield k


def write_annotations(path: Path, drawn: list[list[Entry]], chosen: list[int]) -> None:
    """The JSON file, with all that COCO's says of an image."""
    infos = [json.dumps(entries) for entries in drawn]
    url = "http://images.cocodataset.org/train2017"
    more = f'"height": {HEIGHT}, "width": {WIDTH}, "license": 3, "date_captured": "2013-11-14 11:18:45"'
    images = (
        f'{{"file_name": "{i:012d}.jpg", "id": {i}, {more}, "coco_url": "{url}/{i:012d}.jpg"}}'
        for i in range(len(chosen))
    )
    annotations = (
        f'{{"segments_info": {infos[k]}, "file_name": "{i:012d}.png", "image_id": {i}}}'
        for i, k in enumerate(chosen)
    )
    with path.open("w") as file:
        file.write('{"info": {"year": 2017}, "images": [')
        file.writelines(_separated(images))
        file.write('], "annotations": [')
        file.writelines(_separated(annotations))
        file.write(f'], "categories": {json.dumps(coco_panoptic().to_json())}}}')


def _separated(entries: Iterator[str]) -> Iterator[str]:
    separator = ""
    for entry in entries:
        yield separator + entry
        separator = ", "


def pack(path: Path, sources: dict[str, Path]) -> None:
    """An archive as COCO's, of which names that have one source share its bytes, as hard links do."""
    first: dict[Path, zipfile.ZipInfo] = {}
    with zipfile.ZipFile(path, "w") as packed:
        for name, source in sources.items():
            if source not in first:
                packed.write(source, f"{path.stem}/{name}")
                first[source] = packed.filelist[-1]
                continue
            info = copy.copy(first[source])
            info.filename = f"{path.stem}/{name}"
            packed.filelist.append(info)


if __name__ == "__main__":
    main()
