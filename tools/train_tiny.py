"""Reproduces the shipped checkpoint ``tiny``: the demo's recipe and kind of data, trained longer.

    python tools/train_tiny.py [--images 10000] [--epochs 3] [--work runs/tiny] [--out tiny.safetensors]

The 128 photos it is scored on are those of `spatialflow demo`, none of which it trains on.
"""

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console

import spatialflow as sf
from spatialflow.demo.run import make_data, override
from spatialflow.evaluation.report import pq_table
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.training.run import train


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=10000, help="to train on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--work", type=Path, default=Path("runs/tiny"), help="folder for data, logs and checkpoints"
    )
    parser.add_argument("--out", type=Path, default=Path("tiny.safetensors"))
    parser.add_argument("overrides", nargs="*", help="further changes to the recipe")
    arguments = parser.parse_args()
    started = time.monotonic()
    data = make_data(arguments.work / "data", arguments.images)
    config = sf.load_config(
        "spatialflow_tiny",
        [
            *data.overrides(),
            f"train.epochs={arguments.epochs}",
            "train.schedule=cosine",  # over so many steps as good as the recipe's
            override("train.out", arguments.work / "model"),
            "train.devices=1",
            *arguments.overrides,
        ],
    )
    model = train(config).model
    model.config = sf.load_config("spatialflow_tiny")  # without the paths of this machine
    sf.save_model(model, arguments.out, torch.float16)
    console = Console()
    for precision in ("fp32", "auto"):
        predictor = sf.Predictor(sf.load_model(arguments.out), precision=precision)  # type: ignore[arg-type]
        result = evaluate_dataset(predictor, config.data, arguments.work / f"result-{precision}")
        console.print(predictor.hardware, pq_table(result, predictor.categories, per_class=True))
    size, minutes = arguments.out.stat().st_size / 2**20, (time.monotonic() - started) / 60
    console.print(f"{arguments.out}: {size:.1f} MiB, {minutes:.0f} min")


if __name__ == "__main__":
    main()
