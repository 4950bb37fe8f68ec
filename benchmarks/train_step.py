"""Speed of training: R50, batch 2 at 512x672, plain float32 NCHW against `precision=auto`.

A step is forward, proposals, losses, backward and SGD, through the code of `spatialflow train`. The truth is
made up: over stripes of stuff 14 and 26 things where the (random) model detects some, so that masks of
detections are trained, too, as in a model that has learnt something.

    python benchmarks/train_step.py [--rounds 3] [--repeats 3]
"""

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from measure import report, run_variants
from spatialflow.criterion import Criterion
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.precision import choose
from spatialflow.structures import Batch, Target
from spatialflow.training.schedule import build_optimizer

HEIGHT, WIDTH = 512, 672


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a variant")
    parser.add_argument("--repeats", type=int, default=3, help="steps timed in each, after one to warm up")
    parser.add_argument("--variant", choices=("plain", "auto"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        measure(arguments.variant, arguments.repeats)
        return
    found = run_variants(__file__, ("plain", "auto"), arguments.rounds, ["--repeats", str(arguments.repeats)])
    table = Table(title=f"R50 training step, batch 2 at {HEIGHT}x{WIDTH}, {torch.get_num_threads()} threads")
    for column in ("variant", "seconds", "ratio", "peak GiB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, numbers in found.items():
        name = "plain float32 NCHW" if variant == "plain" else f"auto ({choose().precision})"
        ratio = numbers["step"] / found["plain"]["step"]
        table.add_row(name, f"{numbers['step']:.2f}", f"{ratio:.2f}", f"{numbers['peak GiB']:.2f}")
    Console().print(table)


def measure(variant: str, repeats: int) -> None:
    torch.manual_seed(0)
    config = sf.load_config("spatialflow_r50_fpn_20e_coco")
    model = sf.build_model(config).train()
    hardware = choose("cpu", "auto" if variant == "auto" else "fp32")
    memory_format = torch.channels_last if variant == "auto" else torch.contiguous_format
    model = model.to(memory_format=memory_format)
    criterion = Criterion(config.loss, config.model, model.categories)
    images = torch.randn(2, 3, HEIGHT, WIDTH).contiguous(memory_format=memory_format)
    spread_scores(model, images)
    optimizer = build_optimizer(model, config.train, 1e-7)  # the detections are to stay where they are
    batch = make_batch(model, images)
    seconds = 0.0
    for i in range(repeats + 1):
        start = time.perf_counter()
        with torch.autocast("cpu", hardware.dtype, enabled=hardware.dtype != torch.float32):
            outputs = model(images)
            proposals = criterion.propose(outputs, batch)
            assert sum(map(len, proposals.boxes)) > 50, "nearly no detection matches the truth"
            mask_logits = model.segment(outputs.mask_features, proposals.boxes)
            losses = criterion(outputs, mask_logits, proposals, batch)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        if i > 0:
            seconds += time.perf_counter() - start
    report({"step": seconds / repeats})


@torch.no_grad()
def spread_scores(model: sf.SpatialFlow, images: torch.Tensor) -> None:
    """Scale the classifier so that some thousand scores exceed the threshold, as in a trained model."""
    logits = torch.cat([level.flatten() for level in model(images).cls_logits])
    model.cls_predictor.weight *= 0.6 / logits.std()


@torch.no_grad()
def make_batch(model: sf.SpatialFlow, images: torch.Tensor) -> Batch:
    m, sizes = model.config.model, ((HEIGHT, WIDTH),) * 2
    outputs = model(images)
    targets = []
    for i, found in enumerate(
        decode_candidates(outputs, sizes, m.strides, m.anchors, m.detection.pre_nms_top_k)
    ):
        detected = select(found.boxes, found.scores, m.detection).boxes.round().int()
        large = detected[((detected[:, 2:] - detected[:, :2]) >= 16).all(dim=1)]
        targets.append(make_target(model.categories, large[: (14, 26)[i]].tolist(), i))
    return Batch(images, sizes, tuple(targets))


def make_target(categories: sf.Categories, things: list[list[int]], image_id: int) -> Target:
    """Stripes of four stuff classes under rectangles of things."""
    id_map = (torch.arange(HEIGHT)[:, None] // (HEIGHT // 4) + 1).repeat(1, WIDTH).to(torch.int32)
    labels = [categories.num_things + i for i in range(4)]
    boxes = [[0, 0, WIDTH, HEIGHT]] * 4
    for i, (x1, y1, x2, y2) in enumerate(things):
        id_map[y1:y2, x1:x2] = 5 + i
        labels.append(i % categories.num_things)
        boxes.append([x1, y1, x2, y2])
    count = len(labels)
    return Target(
        id_map=id_map,
        ids=torch.arange(1, count + 1),
        labels=torch.tensor(labels),
        is_crowd=torch.zeros(count, dtype=torch.bool),
        boxes=torch.tensor(boxes, dtype=torch.float32),
        image_id=image_id,
        file_name=f"{image_id}.jpg",
        original_size=(HEIGHT, WIDTH),
    )


if __name__ == "__main__":
    main()
