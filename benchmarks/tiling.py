"""Tiles: what they do for panoptic quality, and what memory a photo of 12,000 x 9,000 pixels takes.

Quality: generated photos of three times the usual sides, whole and by tiles of the size that the shipped
`tiny` was trained for; beside them photos of the usual size, which need no tiles. Memory: `spatialflow
predict` of one made-up photo, each way in a process of its own.

    python benchmarks/tiling.py [--photos 32] [--size 12000x9000] [--tile-size 1333] [--skip-memory]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from measure import report, run_variants
from spatialflow.data.synthetic import SIZE, generate
from spatialflow.inference.folder import find_photos, predict_folder
from spatialflow.inference.tiles import Tiling

TIMES = 3
"""Sides of the large photos, in those of the usual ones."""
OVERLAPS = (0.25, 0.5)
MEMORY_VARIANTS = ("nothing", "whole", "tiles")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=32, help="large ones; the usual ones cover as much")
    parser.add_argument("--size", default="12000x9000", help="of the photo whose memory is measured")
    parser.add_argument("--tile-size", type=int, default=1333, help="of that photo's tiles")
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--variant", choices=MEMORY_VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        predict_one(arguments.variant, arguments.photo, arguments.tile_size)
        return
    show_quality(arguments.photos)
    if not arguments.skip_memory:
        width, height = map(int, arguments.size.split("x"))
        show_memory((height, width), arguments.tile_size)


def show_quality(photos: int) -> None:
    predictor = sf.Predictor(sf.load_model("tiny"), precision="fp32")
    large = (TIMES * SIZE[0], TIMES * SIZE[1])
    table = Table(title=f"Panoptic quality of tiny on {photos} generated photos of {large[1]} x {large[0]}")
    for column in ("way", "PQ", "things", "stuff"):
        table.add_column(column, justify="left" if column == "way" else "right")
    ways: list[tuple[str, tuple[int, int], int, Tiling | None]] = [
        (f"photos of {SIZE[1]} x {SIZE[0]}, no tiles", SIZE, photos * TIMES**2, None),
        ("whole, shrunk", large, photos, None),
        *(
            (f"tiles that share {overlap:.0%}", large, photos, Tiling(overlap=overlap))
            for overlap in OVERLAPS
        ),
    ]
    for name, size, count, tiling in ways:
        with tempfile.TemporaryDirectory() as folder:
            truth = generate(folder, count, 2_000_000, "val", size)
            found = find_photos([str(Path(folder) / "val")])
            result = predict_folder(predictor, found, Path(folder) / "out", overlay=False, tiling=tiling)
            quality = sf.evaluate_pq(truth, result.json_path)
        values = (quality.all.pq, quality.things.pq, quality.stuff.pq)
        table.add_row(name, *(f"{100 * value:.2f}" for value in values))
    Console().print(table)


def show_memory(size: tuple[int, int], tile_size: int) -> None:
    height, width = size
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        pixels = np.random.default_rng(0).integers(0, 256, (height // 100 + 1, width // 100 + 1, 3), np.uint8)
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR).save(photo)
        found = run_variants(
            __file__, MEMORY_VARIANTS, 1, ["--photo", str(photo), "--tile-size", str(tile_size)]
        )
    table = Table(title=f"Peak memory of `predict` on {width} x {height} pixels, tiny, with overlay")
    for column in ("way", "GiB", "beyond the program's own", "bytes a pixel"):
        table.add_column(column, justify="left" if column == "way" else "right")
    own = found["nothing"]["peak GiB"]
    for name, title in (("whole", "whole"), ("tiles", f"tiles of {tile_size}")):
        more = found[name]["peak GiB"] - own
        table.add_row(title, f"{more + own:.2f}", f"{more:.2f}", f"{more * 2**30 / (height * width):.1f}")
    Console().print(table)


def predict_one(variant: str, photo: Path, tile_size: int) -> None:
    predictor = sf.Predictor(sf.load_model("tiny"), precision="fp32")
    with tempfile.TemporaryDirectory() as out:
        if variant == "nothing":
            predictor.predict(np.zeros((*SIZE, 3), np.uint8))
        else:
            tiling = Tiling(tile_size) if variant == "tiles" else None
            predict_folder(predictor, [photo], out, tiling=tiling)
    report({})


if __name__ == "__main__":
    main()
