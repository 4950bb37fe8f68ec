"""Proof that data, losses, optimiser, merge and metric fit together on real photos.

Trains a small model from scratch on two COCO photos, crowds and void included, until it knows them by heart,
and scores it on the same two, with the code of `spatialflow train` and `spatialflow evaluate`.

    python benchmarks/overfit.py DATA_DIR [--steps 400] [--mini-epochs 3]

DATA_DIR holds coco/images and, in coco/annotations, panoptic_real, _mini_train and _mini_val.
The same model then trains some epochs on all of panoptic_mini_train, where a warning is an error and the
memory after each epoch is shown.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

from rich.console import Console

import spatialflow as sf
from spatialflow.demo.run import override
from spatialflow.evaluation.report import pq_table
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.training.run import train

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
    "train.log_every=10",
    "train.devices=1",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--mini-epochs", type=int, default=3, help="0 leaves the second part out")
    arguments = parser.parse_args()
    coco = arguments.data / "coco"
    with tempfile.TemporaryDirectory() as out:
        learn_by_heart(coco, Path(out), arguments.steps)
        if arguments.mini_epochs:
            train_on_all(coco, Path(out), arguments.mini_epochs)


def learn_by_heart(coco: Path, out: Path, steps: int) -> None:
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
    print(f"{steps} steps on {len(PHOTOS)} photos and their evaluation: {time.monotonic() - started:.0f} s")


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


def train_on_all(coco: Path, out: Path, epochs: int) -> None:
    annotations = coco / "annotations"
    shown = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(1, epochs + 1):
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
                    "train.epochs=1",
                    f"train.out={out / str(number)}",
                ],
            )
            train(config, weights=out / str(number - 1) / config.name / "last.ckpt" if number > 1 else None)
            shown.append(f"epoch {number}: {resident():.2f} GiB")
    print(f"all of panoptic_mini_train without a warning; memory after {', '.join(shown)}")


def resident() -> float:
    """GiB of memory this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**30


if __name__ == "__main__":
    main()
