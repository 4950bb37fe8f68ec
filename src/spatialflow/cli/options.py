"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from spatialflow.errors import OutputError
from spatialflow.files import check_writable_folder

JsonOut = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the numbers to this JSON file.")
]


def check_json_out(path: Path | None) -> None:
    """Find out whether the file can be written before long work, not after it.

    Raises:
        OutputError: it cannot.
    """
    if path is not None:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give --json-out the name of a file")
        check_writable_folder(path.parent)
