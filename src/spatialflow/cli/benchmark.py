"""``spatialflow benchmark``: how long a prediction takes, and where."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spatialflow.cli.console import one_progress, output, say
from spatialflow.cli.options import Device, JsonOut, Overrides, PrecisionOption, check_json_out
from spatialflow.errors import ConfigError, DataError
from spatialflow.files import write_bytes, write_json

if TYPE_CHECKING:
    from spatialflow.config import Config
    from spatialflow.models.spatialflow import SpatialFlow


def benchmark(
    overrides: Overrides = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            "-c",
            metavar="FILE",
            help="A trained model: a file, a folder, a name on the Hub, or tiny.",
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Instead of a checkpoint: with random weights.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HxW",
            help="Of the photo in the network, such as 800x1333; may be given several times. By default the "
            "recipe's (data.test_scale).",
        ),
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A photo to use, instead of a drawn one; may be given several times."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Photos a pass of the network.")] = 1,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Passes to time, each way.")] = 10,
    warm_up: Annotated[int, typer.Option(min=0, metavar="N", help="Passes before, not timed.")] = 2,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the CPU; by default PyTorch's choice.")
    ] = None,
    json_out: JsonOut = None,
    markdown_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the tables to this Markdown file.")
    ] = None,
) -> None:
    """Time predictions from a photo file to a panoptic PNG, by stage.

    Also counts parameters and floating-point operations, and measures peak memory. KEY.SUB=VALUE changes the
    recipe, or what the checkpoint says of itself.

    Example: spatialflow benchmark --checkpoint tiny --runs 50

    Example: spatialflow benchmark --recipe spatialflow_r50_fpn_20e_coco --size 800x1333 --markdown-out r50.md
    """
    if (checkpoint is None) == (recipe is None):
        raise ConfigError("give either --checkpoint FILE or --recipe RECIPE")
    sizes = [_scale_of(text, drawn=not photo) for text in size or []]
    for path in photo or []:
        if not path.is_file():
            raise DataError(f"{path}: no such photo; check the path")
    check_json_out(json_out)
    check_json_out(markdown_out, "--markdown-out")
    _set_threads(threads)
    from spatialflow.inference import Predictor
    from spatialflow.precision import Precision, choose
    from spatialflow.profiling import report
    from spatialflow.profiling.measure import measure
    from spatialflow.profiling.photos import draw_photo
    from spatialflow.profiling.untrained import let_candidates_pass

    where = report.environment(choose(device, cast(Precision, precision)))
    model = _model(checkpoint, recipe, overrides or [])
    subject = report.Subject(model.config.name, checkpoint, sum(p.numel() for p in model.parameters()))
    say(f"model: {subject}")
    say(f"on: {where}")
    results = []
    with TemporaryDirectory(prefix="spatialflow-") as name:
        folder = Path(name)
        for scale in sizes or [model.config.data.test_scale]:
            model.config = _with_scale(model.config, scale)
            photos = photo or [draw_photo(folder, (scale[1], scale[0]))]
            predictor = Predictor(model, device, cast(Precision, precision))
            if recipe is not None:
                let_candidates_pass(predictor, photos[0])
            with one_progress("measure") as show:
                results.append(
                    measure(predictor, photos, folder, batch=batch, runs=runs, warm_up=warm_up, progress=show)
                )
            output.print(report.stage_table(results[-1]))
            for line in report.summary(results[-1]):
                say(line)
    say(f"GFLOPs: {report.CONVENTION}")
    if json_out:
        write_json(json_out, report.to_json(subject, where, results), indent=2)
    if markdown_out:
        write_bytes(markdown_out, report.to_markdown(subject, where, results).encode())


def _scale_of(text: str, drawn: bool) -> tuple[int, int]:
    """``HxW`` as the two sides that :attr:`DataConfig.test_scale` has: width and height."""
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise ConfigError(f"--size {text}: is not HxW; write height and width in pixels, such as 800x1333")
    if drawn:
        from spatialflow.data.synthetic import SMALLEST_SIDE

        if min(int(height), int(width)) < SMALLEST_SIDE:
            raise ConfigError(
                f"--size {text}: drawn photos have {SMALLEST_SIDE} pixels a side at least; give a --photo"
            )
    return int(width), int(height)


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _model(checkpoint: str | None, recipe: str | None, overrides: list[str]) -> "SpatialFlow":
    from spatialflow.checkpoints import load_checkpoint, load_model
    from spatialflow.config import load_config, override_config
    from spatialflow.profiling.untrained import untrained_model

    if checkpoint is None:
        assert recipe is not None
        return untrained_model(load_config(recipe, overrides))
    if not overrides:
        return load_model(checkpoint)
    return load_model(checkpoint, override_config(load_checkpoint(checkpoint).config, overrides, checkpoint))


def _with_scale(config: "Config", scale: tuple[int, int]) -> "Config":
    from spatialflow.config import override_config

    return override_config(config, [f"data.test_scale={list(scale)}"], config.name)
