"""Speed of training: R50, batch 2 at 512x672, plain float32 NCHW against `precision=auto`.

A step is forward, proposals, losses, backward and SGD, through the code of `spatialflow train`; the truth is
made up: 14 and 26 things over stripes of stuff.

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
    optimizer = build_optimizer(model, config.train, 1e-4)
    batch = make_batch(model.categories)
    images = batch.images.contiguous(memory_format=memory_format)
    seconds = 0.0
    for i in range(repeats + 1):
        start = time.perf_counter()
        with torch.autocast("cpu", hardware.dtype, enabled=hardware.dtype != torch.float32):
            outputs = model(images)
            proposals = criterion.propose(outputs, batch)
            mask_logits = model.segment(outputs.mask_features, proposals.boxes)
            losses = criterion(outputs, mask_logits, proposals, batch)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        if i > 0:
            seconds += time.perf_counter() - start
    report({"step": seconds / repeats})


def make_batch(categories: sf.Categories) -> Batch:
    generator = torch.Generator().manual_seed(0)
    targets = tuple(make_target(categories, things, i, generator) for i, things in enumerate((14, 26)))
    images = torch.randn(2, 3, HEIGHT, WIDTH, generator=generator)
    return Batch(images, ((HEIGHT, WIDTH),) * 2, targets)


def make_target(categories: sf.Categories, things: int, image_id: int, generator: torch.Generator) -> Target:
    """Stripes of four stuff classes under rectangles of things."""
    id_map = (torch.arange(HEIGHT)[:, None] // (HEIGHT // 4) + 1).repeat(1, WIDTH).to(torch.int32)
    labels = [categories.num_things + i for i in range(4)]
    boxes = [[0, 0, WIDTH, HEIGHT]] * 4
    for i in range(things):
        w, h = torch.randint(16, 200, (2,), generator=generator).tolist()
        x = int(torch.randint(0, WIDTH - w, (1,), generator=generator))
        y = int(torch.randint(0, HEIGHT - h, (1,), generator=generator))
        id_map[y : y + h, x : x + w] = 5 + i
        labels.append(i % categories.num_things)
        boxes.append([x, y, x + w, y + h])
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
