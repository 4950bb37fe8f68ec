"""``spatialflow export``: a model as a file for other programs, and how near it comes."""

import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialflow.cli.console import output, progress, say
from spatialflow.cli.options import CheckpointOption
from spatialflow.errors import ConfigError
from spatialflow.files import check_writable_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spatialflow.export.comparison import Difference
    from spatialflow.export.description import Description
    from spatialflow.models.spatialflow import SpatialFlow

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
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers in the convolutions; needs --calibrate.")
    ] = False,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Photos for --int8 of the kind it will see; dozens will do."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare the file with PyTorch on photos.")] = False,
) -> None:
    """Write a model as one ONNX or torch.export file, with all that it takes to serve it inside.

    With --check the exit code is 1 if a box lies more than 0.05 pixels off, or less than 99.9 % of a panoptic
    map is the same; with --int8, which is coarser by nature, the differences are only shown.

    Example: spatialflow export --checkpoint tiny --uint8 --panoptic --check
    """
    _refuse_contradictions(format, size, dynamic, photos, int8, calibrate, check)
    from spatialflow.export.writing import default_path, export_onnx, export_program, require
    from spatialflow.inference.folder import find_photos

    shown = find_photos(photos) if photos else []
    calibration = find_photos([calibrate]) if calibrate else []
    path = out or default_path(checkpoint, format)
    _check_place(path, checkpoint)
    if format == "onnx":
        require("onnx", "onnxscript", *(["onnxruntime"] if check or int8 else []))
    from spatialflow.checkpoints import load_model

    model = load_model(checkpoint)
    say(f"exporting {model.config.name}: half a minute for a small model, minutes for a large one")
    started = time.monotonic()
    write = export_onnx if format == "onnx" else export_program
    if int8:
        with tempfile.TemporaryDirectory(prefix="spatialflow-") as folder:
            whole = Path(folder) / "float32.onnx"
            description = write(model, whole, size=size, uint8=uint8, merged=panoptic)
            description = _quantise(whole, path, description, calibration)
    else:
        description = write(model, path, size=size, uint8=uint8, merged=panoptic)
    say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, {time.monotonic() - started:.0f} s")
    if check:
        _check(model, path, description, shown, format == "onnx")


def _refuse_contradictions(
    format: str,
    size: tuple[int, int] | None,
    dynamic: bool,
    photos: list[str] | None,
    int8: bool,
    calibrate: str | None,
    check: bool,
) -> None:
    """What can be said before anything heavy is imported.

    Raises:
        ConfigError: options do not go together.
    """
    if format not in _FORMATS:
        raise ConfigError(f"--format {format}: is unknown; use {' or '.join(_FORMATS)}")
    if size and dynamic:
        raise ConfigError("--size and --dynamic: exclude each other; give one of them")
    if size and min(size) < 1:
        raise ConfigError(f"--size {size[0]} {size[1]}: sides are 1 pixel or more; give height and width")
    if photos and not check:
        raise ConfigError(f"{photos[0]}: photos are for comparing; add --check")
    if int8 and format != "onnx":
        raise ConfigError(f"--int8: is for --format onnx, not {format}; leave one of them out")
    if int8 and not calibrate:
        raise ConfigError("--int8: needs photos to learn its ranges from; add --calibrate FOLDER")
    if calibrate and not int8:
        raise ConfigError("--calibrate: is for 8-bit integers; add --int8")


def _check_place(path: Path, checkpoint: str) -> None:
    """See that the file can be written, and is not the checkpoint itself.

    Raises:
        ConfigError: it is that, or a folder.
        OutputError: its folder cannot be written to.
    """
    if path.is_dir():
        raise ConfigError(f"--out {path}: is a folder; give the name of a file")
    if path.exists() and path.resolve() == Path(checkpoint).resolve():
        raise ConfigError(f"--out {path}: is the checkpoint itself; give another name")
    check_writable_folder(path.parent)


def _quantise(path: Path, out: Path, description: "Description", photos: list[Path]) -> "Description":
    from spatialflow.export.quantising import quantise
    from spatialflow.image_io import read_photo

    with progress("calibrate") as (show,):
        return quantise(
            path, out, description, map(read_photo, photos), progress=lambda done: show(done, len(photos))
        )


def _check(
    model: "SpatialFlow", path: Path, description: "Description", photos: list[Path], is_onnx: bool
) -> None:
    """Compare the file with the model, and leave with 1 if it is too far off."""
    from spatialflow.export.comparison import compare, onnx_runner, program_runner

    run = onnx_runner(path) if is_onnx else program_runner(path, description)
    differences = compare(model, run, description, _pixels(photos, description))
    _show(differences, "ONNX Runtime" if is_onnx else "torch.export")
    # of 8-bit integers the tolerances ask too much: the table says what they cost
    if not description.quantised and not all(difference.passes for difference in differences):
        say("the file differs from PyTorch by more than 0.05 pixels of a box or 0.1 % of a panoptic map")
        raise typer.Exit(1)


def _pixels(paths: list[Path], description: "Description") -> "Iterator[tuple[str, NDArray[np.uint8]]]":
    """Names and pixels of the photos, or of drawn ones of several sizes."""
    import numpy as np

    from spatialflow.data.synthetic_scene import draw_scene
    from spatialflow.image_io import read_photo

    for path in paths:
        yield path.name, read_photo(path)
    if not paths:
        fixed = description.size if description.uint8 else None
        sizes = [fixed] if fixed else [(128, 160), (160, 128), (240, 320), (96, 256)]
        for i in range(_DRAWN):
            yield f"drawn {i + 1}", draw_scene(np.random.default_rng(i), sizes[i % len(sizes)]).photo


def _show(differences: "list[Difference]", runtime: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from spatialflow.export.comparison import latencies

    table = Table(title=f"{runtime} beside PyTorch", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("photo", "size", "things", "boxes", "masks", "stuff", "panoptic", "PyTorch", "file")
    for column in columns:
        # names of photos may be folded; numbers are shown whole, as wide as the terminal may be
        is_name = column == "photo"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    for d in differences:
        table.add_row(
            d.name,
            f"{d.size[0]}x{d.size[1]}",
            str(d.things[0]) if d.things[0] == d.things[1] else f"{d.things[0]} / {d.things[1]}",
            f"{d.boxes:.1g}",
            f"{d.masks:.1g}",
            _percent(d.stuff),
            _percent(d.merged),
            *(f"{1000 * seconds:.0f}" for seconds in d.seconds),
        )
    table.add_section()
    table.add_row("median", *[""] * 6, *(f"{1000 * seconds:.0f}" for seconds in latencies(differences)))
    output.print(table)
    say(
        "boxes, masks: largest difference, in pixels and of probabilities; "
        "stuff, panoptic: equal pixels in %; PyTorch, file: milliseconds"
    )


def _percent(share: float) -> str:
    """Rounded down, so that 100 is all of it."""
    return f"{math.floor(100_000 * share) / 1000:g}"
