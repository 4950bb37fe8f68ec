"""Proof that data, losses, optimiser, merge and metric fit together on real photos.

Trains a small model from scratch on two COCO photos, crowds and void included, until it knows them by heart,
and scores it on the same two, with the code of `spatialflow train` and `spatialflow evaluate`.

    python benchmarks/overfit.py DATA_DIR [--steps 400] [--mini-epochs 12]

DATA_DIR holds coco/images and, in coco/annotations, panoptic_real, _mini_train and _mini_val.
The same model then trains some epochs on all of panoptic_mini_train, where a warning is an error and the
memory is watched; it rises at first, as oneDNN keeps a kernel for each shape it meets. The exit code is 1 if
PQ stays below 85, six minutes do not do, or memory grows.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

from rich.console import Console

import spatialflow as sf
from spatialflow.demo.run import override
from spatialflow.evaluation.report import pq_table
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.training.run import train

LEAST_PQ, MOST_SECONDS = 85, 360
STEPS_PER_EPOCH = 50
PHOTOS = ("000000142238.jpg", "000000439180.jpg")
MODEL = [
    "model.pyramid_levels=5",
    "model.head_channels=96",
    "model.pyramid_channels=96",
    "model.stuff_channels=64",
    "model.anchors.base_scale=3",
    "data.categories=coco_panoptic",
    "data.workers=0",
    "data.keep_images_without_things=true",
    "train.schedule=cosine",
    "train.log_every=10",
    "train.devices=1",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--mini-epochs", type=int, default=12, help="0 leaves the second part out")
    arguments = parser.parse_args()
    coco = arguments.data / "coco"
    with tempfile.TemporaryDirectory() as out:
        quality, seconds = learn_by_heart(coco, Path(out), arguments.steps)
        steady = not arguments.mini_epochs or train_on_all(coco, Path(out), arguments.mini_epochs)
    faults = [
        *([f"PQ {quality:.1f} is below {LEAST_PQ}"] if quality < LEAST_PQ else []),
        *([f"{seconds:.0f} s are more than {MOST_SECONDS}"] if seconds > MOST_SECONDS else []),
        *([] if steady else ["memory grows"]),
    ]
    if faults:
        sys.exit("; ".join(faults))


def learn_by_heart(coco: Path, out: Path, steps: int) -> tuple[float, float]:
    """PQ in percent, and seconds."""
    started = time.monotonic()
    truth, repeated = out / "two.json", out / "repeated.json"
    write_subset(coco / "annotations" / "panoptic_real.json", truth, PHOTOS)
    write_subset(coco / "annotations" / "panoptic_real.json", repeated, PHOTOS, STEPS_PER_EPOCH)
    overrides = [override("data.train", repeated), override("data.val", truth)]
    overrides += [override(f"data.{split}_images", coco / "images") for split in ("train", "val")]
    overrides += [
        f"data.{split}_segments={coco / 'annotations' / 'panoptic_real'}" for split in ("train", "val")
    ]
    config = sf.load_config(
        "spatialflow_tiny",
        [
            *MODEL,
            *overrides,
            "data.train_scales=[[512, 320]]",
            "data.test_scale=[512, 320]",
            "data.flip=0",
            "data.batch_size=2",
            "data.eval_batch_size=1",
            "train.lr=0.0015",
            "train.scale_lr=false",
            "train.warmup_steps=20",
            f"train.epochs={-(-steps // STEPS_PER_EPOCH)}",
            f"train.max_steps={steps}",
            f"train.val_every={steps}",
            f"train.out={out / 'two'}",
        ],
    )
    model = train(config).model
    predictor = sf.Predictor(model)
    result = evaluate_dataset(predictor, config.data, out / "result")
    Console().print(pq_table(result, model.categories))
    seconds = time.monotonic() - started
    print(f"{steps} steps on {len(PHOTOS)} photos and their evaluation: {seconds:.0f} s")
    return 100 * result.all.pq, seconds


def write_subset(source: Path, target: Path, file_names: tuple[str, ...], times: int = 1) -> None:
    """The annotations of some photos, each listed ``times`` over under its own ids, for longer epochs."""
    content = json.loads(source.read_text())
    images = [image for image in content["images"] if image["file_name"] in file_names]
    annotation_of = {one["image_id"]: one for one in content["annotations"]}
    content["images"], content["annotations"] = [], []
    for image in images * times:
        new_id = len(content["images"]) + 1
        content["images"].append({**image, "id": new_id})
        content["annotations"].append({**annotation_of[image["id"]], "image_id": new_id})
    target.write_text(json.dumps(content))


def train_on_all(coco: Path, out: Path, epochs: int) -> bool:
    """Whether memory stays where it is once the first third of the epochs is over."""
    annotations = coco / "annotations"
    config = sf.load_config(
        "spatialflow_tiny",
        [
            *MODEL,
            f"data.train={annotations / 'panoptic_mini_train.json'}",
            f"data.val={annotations / 'panoptic_mini_val.json'}",
            "data.train_scales=[[320, 192]]",
            "data.test_scale=[320, 192]",
            "data.batch_size=4",
            "data.workers=1",
            f"train.epochs={epochs}",
            f"train.out={out / 'all'}",
        ],
    )
    samples: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            samples.append(resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(config)
    finally:
        done.set()
        watcher.join()
    third = len(samples) // 3
    peaks = [max(samples[part * third : (part + 1) * third]) for part in range(3)]
    shown = ", ".join(f"{peak:.2f}" for peak in peaks)
    print(f"{epochs} epochs of panoptic_mini_train without a warning; GiB in each third of the time: {shown}")
    return peaks[2] <= 1.05 * peaks[1]


def resident() -> float:
    """GiB of memory this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**30


if __name__ == "__main__":
    main()
