"""``spatialflow demo``: the whole road on made-up photos, through the same code as any other data."""

import csv
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatialflow.config import Config, load_config
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.synthetic import generate
from spatialflow.demo.report import Row, write_report
from spatialflow.errors import OutputError
from spatialflow.files import check_writable_folder, write_bytes
from spatialflow.inference.dataset import Progress, evaluate_dataset
from spatialflow.inference.predictor import Predictor
from spatialflow.structures import Segment, Target
from spatialflow.training.run import train
from spatialflow.visualize import draw_overlay

TRAIN_IMAGES = 4600
VAL_IMAGES = 128
PICTURES = 6
_MARKER = ".spatialflow-demo"
"""File that says that a folder is a demo's."""


@dataclass(frozen=True, slots=True)
class DemoData:
    """Annotation files of the two parts."""

    train: Path
    val: Path

    def overrides(self) -> list[str]:
        """What points a recipe at these files."""
        paths = {"data.train": self.train, "data.val": self.val}
        return [override(key, path) for key, path in paths.items()]


def override(key: str, value: str | os.PathLike[str]) -> str:
    """``key=value`` for a text, whatever characters a path has: values are read as YAML, JSON is YAML."""
    return f"{key}={json.dumps(str(value))}"


def _silent(done: int, total: int) -> None:
    """No progress bar."""


def make_data(
    folder: str | os.PathLike[str],
    train_images: int = TRAIN_IMAGES,
    val_images: int = VAL_IMAGES,
    seed: int = 0,
    progress: Progress = _silent,
) -> DemoData:
    """Write the synthetic data set; validation images are of another seed, which no training image shares."""
    train_file = generate(
        folder, train_images, seed, "train", progress=lambda done: progress(done, train_images)
    )
    return DemoData(train_file, generate(folder, val_images, seed + 1_000_000, "val"))


def run_demo(
    out: str | os.PathLike[str],
    seed: int = 0,
    *,
    images: int = TRAIN_IMAGES,
    val_images: int = VAL_IMAGES,
    overrides: Sequence[str] = (),
    say: Callable[[str], object] = print,
    progress: Callable[[str], AbstractContextManager[Progress]] = lambda title: nullcontext(_silent),
) -> Path:
    """Generate, train from scratch, evaluate, predict, report.

    Args:
        out: receives ``data``, ``model`` (checkpoints, logs), ``result`` and ``report.html``; what an earlier
            demo left there is replaced.
        seed: of data and training.
        images: to train on.
        val_images: others, to evaluate on.
        overrides: further changes to the recipe.
        say: gets a line as each part begins.
        progress: makes a progress bar of a title, for as long as the context lasts.

    Returns:
        Path of the report.

    Raises:
        OutputError: ``out`` cannot be written to, or the disk is full.
    """
    started = time.monotonic()
    out = _claim(Path(out))
    folder = out / "model"
    say(f"1/4  drawing {images} photos to train on and {val_images} to test on, with their truth")
    with progress("draw") as drawn:
        data = make_data(out / "data", images, val_images, seed, drawn)
    config = load_config(
        "spatialflow_tiny",
        [
            *data.overrides(),
            override("train.out", folder),
            f"train.seed={seed}",
            "train.devices=1",  # several processes would each run the whole demo
            *overrides,
        ],
    )
    if folder.exists():
        shutil.rmtree(folder)
    say("2/4  training from scratch")
    trained = train(config, say=lambda line: say(f"     {line}"))
    say("3/4  predicting the test photos")
    predictor = Predictor(trained.model)
    with progress("predict") as predicted:
        result = evaluate_dataset(predictor, config.data, out / "result", on_predicted=predicted)
    say("4/4  writing the report")
    minutes = (time.monotonic() - started) / 60
    parameters = sum(p.numel() for p in trained.model.parameters())
    steps, losses, qualities = read_curves(trained.folder / "logs" / "metrics.csv")
    report = out / "report.html"
    write_report(
        report,
        title="spatialflow demo",
        facts={
            "Data": f"{images} synthetic photos of 160x128 to train on, {val_images} others to test on",
            "Model": f"{config.name}: {parameters / 1e6:.1f} M parameters, from scratch",
            "Training": f"{steps} steps of {config.data.batch_size} photos",
            "Hardware": str(predictor.hardware),
            "Time": f"{minutes:.1f} min from first photo to this page",
        },
        result=result,
        categories=predictor.categories,
        curve=losses,
        val_curve=qualities,
        rows=pictures(config, predictor, PICTURES),
    )
    groups = f"things {100 * result.things.pq:.1f}, stuff {100 * result.stuff.pq:.1f}"
    say(f"panoptic quality on the test photos: {100 * result.all.pq:.1f} ({groups}), {minutes:.1f} min")
    return report


def _claim(out: Path) -> Path:
    """Make the folder, or take that of an earlier demo; never one in which anything else may lie.

    Raises:
        OutputError: it holds something else, or cannot be written to.
    """
    marker = out / _MARKER
    if out.is_dir() and any(out.iterdir()) and not marker.is_file():
        raise OutputError(f"{out}: holds files that are of no demo; choose another folder with --out")
    check_writable_folder(out)
    write_bytes(marker, b"Made by `spatialflow demo`, which replaces what is in this folder.\n")
    return out


def read_curves(path: Path) -> tuple[int, list[tuple[int, dict[str, float]]], list[tuple[int, float]]]:
    """Steps trained, losses by step, and validation PQ (0..1) by step, from a run's CSV log."""
    losses: list[tuple[int, dict[str, float]]] = []
    qualities: list[tuple[int, float]] = []
    steps = 0
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            step = int(row["step"])
            steps = max(steps, step + 1)
            if row.get("loss/total"):
                losses.append(
                    (
                        step,
                        {k.removeprefix("loss/"): float(v) for k, v in row.items() if k.startswith("loss/")},
                    )
                )
            if row.get("val/pq"):
                qualities.append((step, float(row["val/pq"]) / 100))
    return steps, losses, qualities


def pictures(config: Config, predictor: Predictor, count: int) -> list[Row]:
    """Photo, truth and prediction of the first validation images."""
    data = config.data
    truth = CocoPanoptic(
        data.val,
        predictor.categories,
        data.val_images,
        data.val_segments,
        scales=(data.test_scale,),
        resize_truth=False,
    )
    rows: list[Row] = []
    for i in range(min(count, len(truth))):
        image, target = truth.original(i)
        photo = image.permute(1, 2, 0).numpy()
        empty = draw_overlay(photo, np.zeros(photo.shape[:2], np.int32), ())  # enlarged like the others
        truth_picture = draw_overlay(
            photo, target.id_map.numpy(), truth_segments(target, predictor), scores=False
        )
        prediction = predictor.predict(photo)
        rows.append((empty, truth_picture, prediction.plot(photo), f"{target.file_name}"))
    return rows


def truth_segments(target: Target, predictor: Predictor) -> list[Segment]:
    """Ground truth in the form that pictures are drawn from."""
    segments = []
    for segment_id, label in zip(target.ids.tolist(), target.labels.tolist(), strict=True):
        category = predictor.categories[label]
        segments.append(Segment(segment_id, label, category, category.is_thing, 1.0, 0, (0, 0, 0, 0)))
    return segments
