"""``spatialflow export``: a model as a file for other programs, and how near it comes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialflow.cli.console import output, say
from spatialflow.cli.options import CheckpointOption
from spatialflow.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spatialflow.export.comparison import Difference

_FORMATS = ("onnx", "torch-export")
_DRAWN = 4
"""Photos that are drawn where none are given."""


def export(
    checkpoint: CheckpointOption,
    photos: Annotated[
        list[str] | None,
        typer.Argument(metavar="PHOTO|FOLDER|GLOB", help="For --check; by default drawn ones."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="FORMAT", help="onnx or torch-export.")] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="By default the checkpoint's name with .onnx or .pt2, here."),
    ] = None,
    size: Annotated[
        tuple[int, int] | None, typer.Option(metavar="H W", help="Only for images of this size.")
    ] = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="For images of all sizes; the default.")] = False,
    uint8: Annotated[
        bool, typer.Option("--uint8", help="Take photos as they are, and resize and normalise inside.")
    ] = False,
    panoptic: Annotated[
        bool, typer.Option("--panoptic", "--merge", help="Also give the merged panoptic map.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare the file with PyTorch on photos.")] = False,
) -> None:
    """Write a model as one ONNX or torch.export file, with all that it takes to serve it inside.

    With --check the exit code is 1 if a box lies more than 0.05 pixels off, or less than 99.9 % of a panoptic
    map is the same.

    Example: spatialflow export --checkpoint tiny --uint8 --panoptic --check
    """
    if format not in _FORMATS:
        raise ConfigError(f"--format {format}: is unknown; use {' or '.join(_FORMATS)}")
    if size and dynamic:
        raise ConfigError("--size and --dynamic: exclude each other; give one of them")
    if photos and not check:
        raise ConfigError(f"{photos[0]}: photos are for comparing; add --check")
    from spatialflow.export.writing import default_path, export_onnx, export_program, require
    from spatialflow.inference.folder import find_photos

    found = find_photos(photos) if photos else []
    path = out or default_path(checkpoint, format)
    if format == "onnx":
        require("onnx", "onnxscript", *(["onnxruntime"] if check else []))
    from spatialflow.checkpoints import load_model

    model = load_model(checkpoint)
    say(f"exporting {model.config.name}; this takes half a minute for a small model, minutes for a large one")
    started = time.monotonic()
    write = export_onnx if format == "onnx" else export_program
    description = write(model, path, size=size, uint8=uint8, merged=panoptic)
    say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, {time.monotonic() - started:.0f} s")
    if not check:
        return
    from spatialflow.export.comparison import compare, onnx_runner, program_runner

    run = onnx_runner(path) if format == "onnx" else program_runner(path, description)
    differences = compare(model, run, description, _pixels(found, size))
    _show(differences, "ONNX Runtime" if format == "onnx" else "torch.export")
    if not all(difference.passes for difference in differences):
        say("the file differs from PyTorch by more than 0.05 pixels of a box or 0.1 % of a panoptic map")
        raise typer.Exit(1)


def _pixels(paths: list[Path], size: tuple[int, int] | None) -> "Iterator[tuple[str, NDArray[np.uint8]]]":
    """Names and pixels of the photos, or of drawn ones of several sizes."""
    import numpy as np

    from spatialflow.data.synthetic_scene import draw_scene
    from spatialflow.image_io import read_photo

    for path in paths:
        yield path.name, read_photo(path)
    if not paths:
        sizes = [size] if size else [(128, 160), (160, 128), (240, 320), (96, 256)]
        for i in range(_DRAWN):
            yield f"drawn {i + 1}", draw_scene(np.random.default_rng(i), sizes[i % len(sizes)]).photo


def _show(differences: "list[Difference]", runtime: str) -> None:
    from rich.table import Table

    from spatialflow.export.comparison import latencies

    table = Table(title=f"{runtime} beside PyTorch: largest differences, equal pixels, milliseconds")
    columns = ("photo", "size", "things", "boxes, px", "masks", "stuff, %", "panoptic, %", "PyTorch", "file")
    for column in columns:
        table.add_column(column, justify="left" if column == "photo" else "right")
    for d in differences:
        table.add_row(
            d.name,
            f"{d.size[0]}x{d.size[1]}",
            str(d.things[0]) if d.things[0] == d.things[1] else f"{d.things[0]} / {d.things[1]}",
            f"{d.boxes:.5f}",
            f"{d.masks:.5f}",
            f"{100 * d.stuff:.3f}",
            f"{100 * d.merged:.3f}",
            *(f"{1000 * seconds:.0f}" for seconds in d.seconds),
        )
    table.add_section()
    table.add_row("median", *[""] * 6, *(f"{1000 * seconds:.0f}" for seconds in latencies(differences)))
    output.print(table)
