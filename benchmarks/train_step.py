"""Speed of training: R50, batch 2 at 512x672, plain float32 NCHW against `precision=auto`, on a CPU or a GPU.

A step is forward, proposals, losses, backward and SGD, through the code of `spatialflow train`. The truth is
made up: over stripes of stuff 14 and 26 things where the (random) model detects some, so that masks of
detections are trained, too, as in a model that has learnt something.

    python benchmarks/train_step.py [--rounds 3] [--repeats 3] [--device cuda] [--precision fp16]
        [--batch 8] [--size 800 1344]
"""

import argparse

import torch
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from measure import report, run_variants
from spatialflow.criterion import Criterion
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.precision import choose
from spatialflow.profiling.machine import PeakMemory, now
from spatialflow.structures import Batch, Target
from spatialflow.training.schedule import build_optimizer

THINGS = (14, 26)
"""Of the images in turn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes a variant")
    parser.add_argument("--repeats", type=int, default=3, help="steps timed in each, after one to warm up")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", help="of the second variant")
    parser.add_argument("--batch", type=int, default=2, metavar="N")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 672), metavar=("H", "W"))
    parser.add_argument("--variant", choices=("plain", "auto"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        measure(arguments)
        return
    passed = [f"--{key}={getattr(arguments, key)}" for key in ("repeats", "device", "precision", "batch")]
    size = [str(side) for side in arguments.size]
    found = run_variants(__file__, ("plain", "auto"), arguments.rounds, [*passed, "--size", *size])
    hardware = choose(arguments.device, arguments.precision)
    table = Table(title=f"R50 training step, batch {arguments.batch} at {'x'.join(size)}, {hardware}")
    for column in ("variant", "seconds", "ratio", "peak GiB"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, numbers in found.items():
        name = "plain float32 NCHW" if variant == "plain" else f"channels last, {hardware.precision}"
        ratio = numbers["step"] / found["plain"]["step"]
        table.add_row(name, f"{numbers['step']:.3f}", f"{ratio:.2f}", f"{numbers['peak GiB']:.2f}")
    Console().print(table)


def measure(arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    config = sf.load_config("spatialflow_r50_fpn_20e_coco")
    auto = arguments.variant == "auto"
    hardware = choose(arguments.device, arguments.precision if auto else "fp32")
    device = hardware.device
    memory_format = torch.channels_last if auto else torch.contiguous_format
    model = sf.build_model(config).train().to(device, memory_format=memory_format)
    criterion = Criterion(config.loss, config.model, model.categories)
    images = torch.randn(arguments.batch, 3, *arguments.size, device=device).contiguous(
        memory_format=memory_format
    )
    spread_scores(model, images)
    optimizer = build_optimizer(model, config.train, 1e-7)  # the detections are to stay where they are
    scaler = torch.amp.GradScaler(device.type, enabled=hardware.dtype == torch.float16)
    batch = make_batch(model, images)
    seconds = 0.0
    memory = PeakMemory(device)
    for i in range(arguments.repeats + 1):
        start = now(device)
        with torch.autocast(device.type, hardware.dtype, enabled=hardware.dtype != torch.float32):
            outputs = model(images)
            proposals = criterion.propose(outputs, batch)
            assert sum(map(len, proposals.boxes)) > 50, "nearly no detection matches the truth"
            mask_logits = model.segment(outputs.mask_features, proposals.boxes)
            losses = criterion(outputs, mask_logits, proposals, batch)
        optimizer.zero_grad()
        scaler.scale(losses.total).backward()
        scaler.step(optimizer)
        scaler.update()
        if i > 0:
            seconds += now(device) - start
    report({"step": seconds / arguments.repeats}, memory.read() / 2**30)


@torch.no_grad()
def spread_scores(model: sf.SpatialFlow, images: torch.Tensor) -> None:
    """Scale the classifier so that some thousand scores exceed the threshold, as in a trained model."""
    logits = torch.cat([level.flatten() for level in model(images).cls_logits])
    model.cls_predictor.weight *= 0.6 / logits.std()


@torch.no_grad()
def make_batch(model: sf.SpatialFlow, images: torch.Tensor) -> Batch:
    m, size = model.config.model, (images.shape[2], images.shape[3])
    sizes = (size,) * len(images)
    outputs = model(images)
    targets = []
    for i, found in enumerate(
        decode_candidates(outputs, sizes, m.strides, m.anchors, m.detection.pre_nms_top_k)
    ):
        detected = select(found.boxes, found.scores, m.detection).boxes.round().int()
        large = detected[((detected[:, 2:] - detected[:, :2]) >= 16).all(dim=1)]
        targets.append(make_target(model.categories, large[: THINGS[i % 2]].tolist(), size, i))
    return Batch(images, sizes, tuple(targets)).to(images.device)


def make_target(
    categories: sf.Categories, things: list[list[int]], size: tuple[int, int], image_id: int
) -> Target:
    """Stripes of four stuff classes under rectangles of things."""
    height, width = size
    id_map = (torch.arange(height)[:, None] // (height // 4) + 1).repeat(1, width).to(torch.int32)
    labels = [categories.num_things + i for i in range(4)]
    boxes = [[0, 0, width, height]] * 4
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
        original_size=size,
    )


if __name__ == "__main__":
    main()
