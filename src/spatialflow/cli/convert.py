"""``spatialflow convert``: from other formats to ours, and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from spatialflow.cli import convert_data, convert_exports, convert_hub, convert_published
from spatialflow.cli.console import say

app = typer.Typer(invoke_without_command=True)
_DATA: dict[str, Callable[..., None]] = {
    "panoptic2detection": convert_data.panoptic2detection,
    "panoptic2semantic": convert_data.panoptic2semantic,
    "detection2panoptic": convert_data.detection2panoptic,
    "two-channel2panoptic": convert_data.two_channel2panoptic,
    "cityscapes": convert_data.cityscapes,
    "ade20k": convert_published.ade20k,
    "mapillary": convert_published.mapillary,
    "coco-stuff": convert_published.coco_stuff,
    "labelme": convert_exports.labelme,
    "cvat": convert_exports.cvat,
    "label-studio": convert_exports.label_studio,
    "masks": convert_exports.masks,
}
for name, command in _DATA.items():
    app.command(name)(command)


@app.callback()
def convert(context: typer.Context) -> None:
    """From other formats to ours, and back."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@app.command()
def checkpoint(
    source: Annotated[str, typer.Argument(metavar="FILE", help="An original .pth, or one of ours.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The file to write.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE", help="What the model is, instead of what the file says or is taken for."
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
) -> None:
    """Write weights with config and categories inside, as one file that every command reads.

    Example: spatialflow convert checkpoint spatialflow_r50.pth spatialflow_r50.safetensors --half
    """
    import torch

    from spatialflow.checkpoints.files import check_weights_name, load_model, save_model

    check_weights_name(out)  # before the long work
    model = load_model(source, recipe)
    save_model(model, out, torch.float16 if half else None)
    size = out.stat().st_size / 2**20
    say(f"{out}: {model.config.name}, {model.categories}, {size:.1f} MiB")


app.command("hub")(convert_hub.hub)
