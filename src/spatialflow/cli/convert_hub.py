"""``spatialflow convert hub``: a checkpoint as the folder that the Hugging Face Hub and others read."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spatialflow.cli.console import say


def hub(
    source: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="Ours, an original .pth, or a shipped one: tiny.")
    ],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to write; made if need be.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For the card: what evaluate or pq wrote with --json-out."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="For the card: the data that were evaluated on.")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the weights, such as apache-2.0; by default not stated."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="What the model is, instead of what the file says."),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Also upload it there, as the account of `hf auth login`."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make what is uploaded private.")] = False,
) -> None:
    """Write a model as a folder: config.json, model.safetensors, and a model card.

    The folder can be uploaded to the Hugging Face Hub, or given to --checkpoint as it is.

    Example: spatialflow convert hub best.ckpt my-model --evaluation numbers.json --dataset "my val set"
    """
    import torch

    from spatialflow.checkpoints import load_model
    from spatialflow.models.hub import WEIGHTS_FILE
    from spatialflow.models.model_card import LICENSE_UNKNOWN

    model = load_model(source, recipe)
    dtype = torch.float16 if half else None
    card: dict[str, Any] = {
        "evaluation": evaluation,
        "dataset": dataset,
        "license": license or LICENSE_UNKNOWN,
    }
    model.save_pretrained(out, dtype=dtype, repo_id=push, model_card_kwargs=card)
    size = (out / WEIGHTS_FILE).stat().st_size / 2**20
    say(f"{out}: {model.config.name}, {model.categories}, {size:.1f} MiB")
    if push:
        say(f"pushed: {model.push_to_hub(push, dtype=dtype, private=private or None, **card)}")
