"""What `spatialflow evaluate --tune` gains, on the photos it tunes on and on others.

Tunes the shipped model's merge on 128 photos of the demo's kind, from its own thresholds and from COCO's, and
evaluates what was found on 128 others.

    python benchmarks/tuning.py [--images 128]
"""

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import spatialflow as sf
from spatialflow.config import Config, DataConfig, MergeConfig
from spatialflow.data.synthetic import generate
from spatialflow.evaluation.tuning import FoundStore
from spatialflow.inference.dataset import evaluate_dataset, tune_merge

SEEDS = {"tuned on": 1_000_001, "others": 77}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=128)
    arguments = parser.parse_args()
    own = sf.load_model("tiny").config.model.merge
    table = Table(title=f"PQ of tiny on {arguments.images} synthetic photos")
    for column in ("thresholds", "tuned on", "others", "tuning"):
        table.add_column(column, justify="left" if column == "thresholds" else "right")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = {name: generate(root / name, arguments.images, seed, "val") for name, seed in SEEDS.items()}
        for name, start in (("its own", own), ("COCO's", MergeConfig())):
            found, seconds = tune(start, data["tuned on"], root)
            for title, merge in ((name, start), (f"{name}, tuned", found)):
                cells = [f"{evaluate(merge, truth, root):.1f}" for truth in data.values()]
                table.add_row(title, *cells, f"{seconds:.0f} s" if merge is found else "")
    Console().print(table)


def predictor_with(merge: MergeConfig) -> sf.Predictor:
    model = sf.load_model("tiny")
    config: Config = model.config
    model.config = config.model_copy(update={"model": config.model.model_copy(update={"merge": merge})})
    return sf.Predictor(model)


def data_config(predictor: sf.Predictor, truth: Path) -> DataConfig:
    return predictor.config.data.model_copy(update={"val": str(truth)})


def evaluate(merge: MergeConfig, truth: Path, root: Path) -> float:
    predictor = predictor_with(merge)
    return 100 * evaluate_dataset(predictor, data_config(predictor, truth), root / "out").all.pq


def tune(start: MergeConfig, truth: Path, root: Path) -> tuple[MergeConfig, float]:
    """The best setting found, and the seconds it took after prediction."""
    predictor = predictor_with(start)
    data = data_config(predictor, truth)
    with tempfile.TemporaryDirectory() as folder:
        store = FoundStore(Path(folder), start)
        evaluate_dataset(
            predictor, data, root / "out", on_found=lambda target, found: store.add(target.image_id, found)
        )
        started = time.monotonic()
        best = tune_merge(predictor, data, root / "out" / "panoptic.json", store)
        return best.config, time.monotonic() - started


if __name__ == "__main__":
    main()
