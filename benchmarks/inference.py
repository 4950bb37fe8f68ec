"""Speed of prediction: R50 at 800x1333, from a JPEG file to a panoptic PNG, plain float32 NCHW against ours.

Both variants run the same code on the same photo with 100 detections; `plain` is the network as built, in
float32 and contiguous memory, `auto` is what Predictor makes of it (BatchNorm folded, channels last, bfloat16
where the hardware computes in it). Weights are random; the score threshold lets 2,000 candidates enter NMS.
The last table shows what `auto` costs the shipped `tiny` model in panoptic quality.

    python benchmarks/inference.py [--rounds 3] [--repeats 3] [--skip-quality]
"""

import argparse
import copy
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from measure import report, run_variants
from spatialflow.data.synthetic import generate
from spatialflow.data.transforms import normalise_and_pad, resize_image, resized_size
from spatialflow.image_io import read_photo
from spatialflow.inference.dataset import evaluate_dataset
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.postprocess.panoptic import Instances, merge
from spatialflow.postprocess.pipeline import scale_factors, segment_detections, stuff_scores
from spatialflow.postprocess.stuff import stuff_map
from spatialflow.precision import choose

OVERRIDES = ["model.merge.score_threshold=0", "model.merge.overlap_threshold=0.9"]
CANDIDATES = 2000
"""Boxes above the score threshold, before NMS."""
THRESHOLDS: dict[torch.nn.Module, float] = {}
POST = ("boxes", "stuff map", "merge")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a variant")
    parser.add_argument("--repeats", type=int, default=3, help="photos timed in each, after one to warm up")
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
    torch.manual_seed(0)
    model = sf.build_model(sf.load_config("spatialflow_r50_fpn_20e_coco", OVERRIDES)).eval()
    # anchors of all sizes become boxes of all sizes, with scores and labels all over the picture
    torch.nn.init.normal_(model.cls_predictor.weight, std=0.3)
    torch.nn.init.normal_(model.stuff_head.logits.weight, std=0.3)
    predictor = sf.Predictor(copy.deepcopy(model)) if variant == "auto" else None
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "photo.jpg"
        pixels = np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8)
        Image.fromarray(pixels).resize((1333, 800), Image.Resampling.BICUBIC).save(photo)
        times: Counter[str] = Counter()
        for i in range(repeats + 1):
            if i == 1:
                times.clear()
            if predictor is None:
                predict(model, torch.float32, torch.contiguous_format, photo, times)
            else:
                predict(predictor._model, predictor.hardware.dtype, torch.channels_last, photo, times)
    del times["(threshold)"]
    numbers = {part: seconds / repeats for part, seconds in times.items()}
    report({**numbers, "total": sum(numbers.values())})


@torch.inference_mode()
def predict(
    model: sf.SpatialFlow,
    dtype: torch.dtype,
    memory_format: torch.memory_format,
    path: Path,
    times: Counter[str],
) -> None:
    """Predictor.predict and save, stage by stage, so that each can be timed."""
    clock = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        times[part] += now - clock
        clock = now

    photo = read_photo(path)
    lap("decode")
    m = model.config.model
    size = resized_size(photo.shape[:2], model.config.data.test_scale)
    batch, sizes = normalise_and_pad(
        [resize_image(photo, size)], model.config.data.mean, model.config.data.std
    )
    images = batch.to(dtype, memory_format=memory_format)
    lap("preprocess")
    outputs = model(images)
    lap("network")
    if model not in THRESHOLDS:
        (candidates,) = decode_candidates(outputs, sizes, m.strides, m.anchors, m.detection.pre_nms_top_k)
        THRESHOLDS[model] = float(candidates.scores.flatten().topk(CANDIDATES + 1).values[-1])
    detection = m.detection.model_copy(update={"score_threshold": THRESHOLDS[model]})
    lap("(threshold)")
    (candidates,) = decode_candidates(outputs, sizes, m.strides, m.anchors, m.detection.pre_nms_top_k)
    factor = scale_factors(sizes[0], photo.shape[:2])
    detections = select(candidates.boxes / factor, candidates.scores, detection)
    assert len(detections.boxes) == 100
    lap("boxes")
    (masks,) = segment_detections(model, outputs, [detections], [factor])
    lap("mask head")
    stuff = stuff_map(outputs.stuff_logits[0], sizes[0], photo.shape[:2]).numpy()
    confidence = stuff_scores(outputs.stuff_logits[0]).numpy()
    lap("stuff map")
    things = Instances(*(x.numpy() for x in (*detections, masks)))
    prediction = merge(things, stuff, confidence, model.categories, m.merge)
    lap("merge")
    prediction.save(path.with_suffix(".png"))
    lap("write")


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
