"""Quality and speed of exported files: PyTorch, ONNX Runtime in float32 and int8, and OpenVINO.

Exports `tiny` for photos as they are, with the merge inside, calibrates int8 on drawings of another seed, and
segments generated photos with each file. Times are medians of the whole way from pixels to the panoptic map.

    python benchmarks/export.py [--images 128] [--calibration 64] [--threads 1]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from spatialflow.data.synthetic import CATEGORIES, generate
from spatialflow.export.description import Description
from spatialflow.export.exchange import graph_inputs, prediction_in
from spatialflow.export.quantising import SENSITIVE, quantise
from spatialflow.export.writing import export_onnx
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_photo

Predict = Callable[[NDArray[np.uint8]], sf.PanopticPrediction]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--calibration", type=int, default=64, help="photos whose ranges int8 takes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table(title=f"tiny on {arguments.images} generated photos, {arguments.threads} threads")
    for column in ("runtime", "file, MiB", "PQ", "things", "stuff", "ms a photo"):
        table.add_column(column, justify="left" if column == "runtime" else "right")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        truth = generate(root / "val", arguments.images, 1_000_000, "val")
        generate(root / "calibration", arguments.calibration, 5, "train")
        calibration = sorted((root / "calibration" / "train").glob("*.jpg"))
        for title, path, predict in variants(root, calibration, arguments.threads):
            print(f"{title} ...", file=sys.stderr, flush=True)
            quality, seconds = evaluate(predict, truth, root / "val" / "val", root / "out")
            size = f"{path.stat().st_size / 2**20:.1f}" if path else ""
            pq = (quality.all.pq, quality.things.pq, quality.stuff.pq)
            table.add_row(title, size, *(f"{100 * value:.2f}" for value in pq), f"{1000 * seconds:.1f}")
    Console().print(table)


def variants(root: Path, calibration: Sequence[Path], threads: int) -> list[tuple[str, Path | None, Predict]]:
    model = sf.load_model("tiny")
    plain, full, int8 = (root / f"{name}.onnx" for name in ("fp32", "int8-all", "int8"))
    description = export_onnx(model, plain, uint8=True, merged=True)
    for path, keep in ((full, ()), (int8, SENSITIVE)):
        quantise(plain, path, description, map(read_photo, calibration), keep=keep)

    def onnx(path: Path) -> Predict:
        return sf.OnnxPredictor(path, threads=threads).predict

    found: list[tuple[str, Path | None, Predict]] = [
        ("PyTorch, float32", None, sf.Predictor(model, "cpu", "fp32").predict),
        ("ONNX Runtime, float32", plain, onnx(plain)),
        ("ONNX Runtime, int8, all convolutions", full, onnx(full)),
        ("ONNX Runtime, int8", int8, onnx(int8)),
    ]
    found += [
        (f"OpenVINO, {kind}", path, openvino(path, description, threads))
        for kind, path in (("float32", plain), ("int8", int8))
    ]
    return found


def openvino(path: Path, description: Description, threads: int) -> Predict:
    import openvino as ov

    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(str(path), "CPU", settings)

    def predict(photo: NDArray[np.uint8]) -> sf.PanopticPrediction:
        values = compiled(graph_inputs(photo, description, str(path)))
        # an output may have several names, in no order
        found = {name: value for output, value in values.items() for name in output.names}
        return prediction_in(found, description)

    return predict


def evaluate(predict: Predict, truth: Path, photos: Path, out: Path) -> tuple[sf.PQResult, float]:
    """Panoptic quality, and median seconds a photo."""
    annotations, seconds = [], []
    images = read_json(truth)["images"]
    for image in images:
        pixels = read_photo(photos / image["file_name"])
        started = time.perf_counter()
        prediction = predict(pixels)
        seconds.append(time.perf_counter() - started)
        name = f"{image['id']}.png"
        prediction.save(out / "panoptic" / name)
        annotations.append(prediction.to_coco(image["id"], name))
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES.to_json()}
    write_json(out / "panoptic.json", content)
    return sf.evaluate_pq(truth, out / "panoptic.json"), median(seconds)


if __name__ == "__main__":
    main()
