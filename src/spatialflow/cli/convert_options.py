"""Options that several commands of ``spatialflow convert`` have."""

from pathlib import Path
from typing import Annotated

import typer

JsonOut = Annotated[
    Path, typer.Option(metavar="OUT.json", help="The file to write; PNGs go to the folder OUT.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there, whoever made them.")
]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Cores to use; by default all.")]
