"""Speed of prediction: R50 at 800x1333, from a JPEG file to a panoptic PNG, plain float32 NCHW against ours.

Both variants run the same code, that of `spatialflow benchmark`, on the same photo with 100 detections.
`plain` is the network as built, in float32 and contiguous memory, `auto` is what Predictor makes of it
(BatchNorm folded, channels last, bfloat16 where the hardware computes in it). Weights are random; the score
threshold lets 2,000 candidates enter NMS. The last table shows what `auto` costs the shipped `tiny` model in
panoptic quality.

    python benchmarks/inference.py [--rounds 3] [--repeats 3] [--skip-quality]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from measure import report, run_variants
from spatialflow.data.synthetic import generate
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.precision import choose
from spatialflow.profiling.measure import measure as measure_stages
from spatialflow.profiling.untrained import let_candidates_pass, untrained_model

POST = ("detection", "stuff map", "merge")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a variant")
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        help="passes timed in each, whole and by stage, after one to warm up",
    )
    parser.add_argument("--variant", choices=("plain", "auto"), help=argparse.SUPPRESS)
    parser.add_argument("--skip-quality", action="store_true")
    arguments = parser.parse_args()
    if arguments.variant:
        measure(arguments.variant, arguments.repeats)
        return
    found = run_variants(__file__, ("plain", "auto"), arguments.rounds, ["--repeats", str(arguments.repeats)])
    show_speed(found)
    if not arguments.skip_quality:
        show_quality()


def measure(variant: str, repeats: int) -> None:
    model = untrained_model(sf.load_config("spatialflow_r50_fpn_20e_coco"))
    predictor = PlainPredictor(model) if variant == "plain" else sf.Predictor(model)
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "photo.jpg"
        pixels = np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8)
        Image.fromarray(pixels).resize((1333, 800), Image.Resampling.BICUBIC).save(photo)
        let_candidates_pass(predictor, photo)
        found = measure_stages(predictor, [photo], name, runs=repeats, warm_up=0)
    assert found.detections == 100
    numbers = {stage: spread.median for stage, spread in found.stages.items()}
    report({**numbers, "total": found.whole.median})


class PlainPredictor(sf.Predictor):
    """Goes the same road with the network as it was built: in float32 and contiguous memory."""

    def __init__(self, model: sf.SpatialFlow) -> None:
        super().__init__(model, precision="fp32")
        self._model = model

    def _placed(self, images: torch.Tensor) -> torch.Tensor:
        return images


def show_speed(found: dict[str, dict[str, float]]) -> None:
    plain, auto = found["plain"], found["auto"]
    table = Table(title=f"R50 at 800x1333, file to panoptic PNG, {torch.get_num_threads()} threads, seconds")
    for column in (
        "part",
        "plain float32 NCHW",
        f"auto ({choose().precision})",
        "ratio",
    ):
        table.add_column(column, justify="left" if column == "part" else "right")
    for part in auto:
        if part == "total":
            table.add_section()
        table.add_row(part, f"{plain[part]:.3f}", f"{auto[part]:.3f}", f"{auto[part] / plain[part]:.2f}")
    post = [sum(numbers[part] for part in POST) for numbers in (plain, auto)]
    table.add_row("post-processing but mask head", *(f"{p:.3f}" for p in post), f"{post[1] / post[0]:.2f}")
    Console().print(table)


def show_quality(images: int = 128) -> None:
    table = Table(title=f"Panoptic quality of tiny on {images} generated photos")
    for column in ("precision", "PQ", "things", "stuff"):
        table.add_column(column, justify="left" if column == "precision" else "right")
    with tempfile.TemporaryDirectory() as name:
        truth = generate(name, images, 1_000_000, "val")
        model = sf.load_model("tiny")
        data = model.config.data.model_copy(update={"val": str(truth), "workers": 0})
        for precision in ("fp32", "auto"):
            predictor = sf.Predictor(model, precision=precision)  # type: ignore[arg-type]
            result = evaluate_dataset(predictor, data, Path(name) / precision)
            values = (result.all.pq, result.things.pq, result.stuff.pq)
            table.add_row(predictor.hardware.precision, *(f"{100 * value:.2f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
