"""Options and checks that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from spatialflow.errors import OutputError
from spatialflow.files import check_writable_folder

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.SUB=VALUE", help="Changes to the recipe, such as train.lr=0.01."),
]
Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or the path of a YAML file.")]
_KINDS = "Ours (.safetensors, .ckpt, a folder, OWNER/NAME on the Hugging Face Hub), an original .pth, "
CheckpointOption = Annotated[
    str,
    typer.Option("--checkpoint", "-c", metavar="FILE", help=f"{_KINDS}or a shipped one: tiny."),
]
CheckpointOrOnnxOption = Annotated[
    str,
    typer.Option(
        "--checkpoint", "-c", metavar="FILE", help=f"{_KINDS}a shipped one: tiny; or an exported .onnx."
    ),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
PrecisionOption = Annotated[str, typer.Option(metavar="FORMAT", help="auto, fp32, bf16 or fp16.")]
Tta = Annotated[
    bool,
    typer.Option("--tta", help="Test-time augmentation: several sizes (data.tta.scales) and mirrored; slow."),
]
PerClass = Annotated[bool, typer.Option("--per-class", help="Also list every category.")]
JsonOut = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the numbers to this JSON file.")
]


def check_json_out(path: Path | None, option: str = "--json-out") -> None:
    """Find out whether the file can be written before long work, not after it.

    Raises:
        OutputError: it cannot.
    """
    if path is not None:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give {option} the name of a file")
        check_writable_folder(path.parent)


def note_of_earlier(out: Path) -> str:
    """What to add to the line that names the result, if there is an earlier one now."""
    return ", in the place of the earlier one" if (out / "panoptic.json").exists() else ""
