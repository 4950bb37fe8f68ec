"""What the spatial flows are worth on the demo's data: the paper's ablation, at the size of two CPU cores.

Trains the demo's recipe without flows and with all of them, three seeds each, and with each single flow once:
the same photos, steps and schedule for every run, so that only flows and seed differ. Prints mean and spread
in PQ as a Markdown table, and what can be read from it.

    python benchmarks/ablation.py --out FOLDER

Ten runs, one thread each and as many at a time as there are cores: under 80 minutes on two. Each run's result
is kept in FOLDER, so that the same command goes on where it was interrupted.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import spatialflow as sf
from spatialflow.config import FlowsConfig
from spatialflow.demo.run import TRAIN_IMAGES, DemoData, make_data, override
from spatialflow.files import read_json, write_json
from spatialflow.training.run import train
from spatialflow.workers import number_of_cores

FLOWS = tuple(FlowsConfig.model_fields)
VARIANTS = {"none": (), "all": FLOWS, **{flow: (flow,) for flow in FLOWS}}
REPEATED = ("none", "all")
"""Variants that are trained with every seed; the others with the first."""


@dataclass(frozen=True)
class Settings:
    """What all runs of one table share."""

    images: int
    val_images: int
    steps: int | None
    """None: those of the recipe."""


@dataclass(frozen=True)
class Run:
    """One training."""

    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.variant}-{self.seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="for data, models and results; is gone on with"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of `none` and of `all`")
    parser.add_argument("--images", type=int, default=TRAIN_IMAGES, help="to train on")
    parser.add_argument("--val-images", type=int, default=512, help="to score on")
    parser.add_argument("--steps", type=int, help="of each run; by default those of the recipe")
    parser.add_argument("--run", nargs=2, metavar=("VARIANT", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = Settings(arguments.images, arguments.val_images, arguments.steps)
    if arguments.run:
        train_one(arguments.out, Run(arguments.run[0], int(arguments.run[1])), settings)
        return
    started = time.monotonic()
    prepare(arguments.out, settings)
    runs = planned(arguments.seeds)
    left = [run for run in runs if not result_path(arguments.out, run).exists()]
    if len(left) < len(runs):
        say(f"{len(runs) - len(left)} of {len(runs)} runs are done already")
    with ThreadPoolExecutor(max_workers=number_of_cores()) as pool:
        started_runs = [pool.submit(start, run, arguments.out) for run in left]
        try:
            for each in started_runs:
                each.result()
        except RuntimeError as error:
            pool.shutdown(wait=True, cancel_futures=True)
            sys.exit(str(error))
    if left:
        say(f"{len(left)} runs took {(time.monotonic() - started) / 60:.0f} minutes")
    results = {run: read_json(result_path(arguments.out, run)) for run in runs}
    print(table(results))
    print()
    print(reading(results))


def planned(seeds: int) -> list[Run]:
    """All runs, those of the same seed beside each other."""
    runs = [Run(variant, seed) for seed in range(seeds) for variant in REPEATED]
    return runs + [Run(variant, 0) for variant in VARIANTS if variant not in REPEATED]


def prepare(out: Path, settings: Settings) -> None:
    """Make the data, or see that those of an earlier start are of the same settings."""
    path = out / "settings.json"
    if path.exists():
        found = read_json(path)
        if found != asdict(settings):
            sys.exit(f"{path}: holds runs of other settings, {found}; name another folder with --out")
        return
    say(f"drawing {settings.images} + {settings.val_images} photos")
    make_data(out / "data", settings.images, settings.val_images)
    write_json(path, asdict(settings))


def start(run: Run, out: Path) -> None:
    """Run this script for one training, in a process of one thread."""
    settings = read_json(out / "settings.json")
    steps = [] if settings["steps"] is None else [f"--steps={settings['steps']}"]
    command = [
        *(
            sys.executable,
            str(Path(__file__).resolve()),
            "--out",
            str(out),
            "--run",
            run.variant,
            str(run.seed),
        ),
        *(f"--images={settings['images']}", f"--val-images={settings['val_images']}", *steps),
    ]
    say(f"{run.name}: begins")
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{run.name}.log").open("w") as log:
        code = subprocess.run(
            command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
        ).returncode
    if code:
        raise RuntimeError(f"{run.name} failed; see {out / f'{run.name}.log'}")
    result = read_json(result_path(out, run))
    say(f"{run.name}: PQ {result['all']:.1f} after {result['seconds']:.0f} s")


def train_one(out: Path, run: Run, settings: Settings) -> None:
    """Train, score, leave the numbers: percent by group, parameters, steps, seconds."""
    started = time.monotonic()
    models = out / "models" / run.name
    shutil.rmtree(models, ignore_errors=True)  # of a run that was interrupted
    data = DemoData(*(out / "data" / "annotations" / f"panoptic_{part}.json" for part in ("train", "val")))
    config = sf.load_config(
        "spatialflow_tiny",
        [
            *data.overrides(),
            *(f"model.flows.{flow}={str(flow in VARIANTS[run.variant]).lower()}" for flow in FLOWS),
            override("train.out", models),
            f"train.seed={run.seed}",
            "train.val_every=1000",  # at the end only
            "train.devices=1",
            *([f"train.max_steps={settings.steps}"] if settings.steps else []),
        ],
    )
    trained = train(config)
    assert trained.result is not None
    numbers = {group: 100 * getattr(trained.result, group).pq for group in ("all", "things", "stuff")}
    numbers["parameters"] = sum(p.numel() for p in trained.model.parameters())
    numbers["seconds"] = time.monotonic() - started
    write_json(result_path(out, run), numbers)


def result_path(out: Path, run: Run) -> Path:
    return out / f"{run.name}.json"


def table(results: dict[Run, dict[str, Any]]) -> str:
    """A Markdown table, a row for each variant; the spread is the standard deviation over seeds."""
    lines = [
        "| flows | parameters | runs | PQ | things | stuff |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for variant in VARIANTS:
        found = [result for run, result in results.items() if run.variant == variant]
        cells = [mean_and_spread([one[group] for one in found]) for group in ("all", "things", "stuff")]
        parameters = f"{found[0]['parameters'] / 1e6:.2f} M"
        lines.append(f"| {variant} | {parameters} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_and_spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def reading(results: dict[Run, dict[str, Any]]) -> str:
    """What the pairs of the same seed say about all flows against none."""
    gains = [
        results[run]["all"] - results[Run("none", run.seed)]["all"] for run in results if run.variant == "all"
    ]
    listed = ", ".join(f"{gain:+.1f}" for gain in gains)
    text = f"All flows against none, seed by seed: {listed} PQ."
    if len(gains) > 1:
        mean, error = statistics.mean(gains), statistics.stdev(gains) / len(gains) ** 0.5
        text += f" Mean {mean:+.1f}, standard error {error:.1f}."
    return text


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
