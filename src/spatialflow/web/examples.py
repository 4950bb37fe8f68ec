"""Pictures to try the page with."""

import tempfile
from pathlib import Path

from spatialflow.data.synthetic import generate
from spatialflow.inference.folder import find_photos

_MOST = 8


def example_photos(given: Path | None, folder: Path) -> list[Path]:
    """The first photos of a folder, or, if none is given, drawn ones, which the shipped model knows.

    Args:
        given: the user's folder.
        folder: for the drawn ones.

    Raises:
        DataError: the user's folder is none, or holds no photo.
    """
    if given is not None:
        return find_photos([str(given)])[:_MOST]
    drawn = Path(tempfile.mkdtemp(prefix="examples-", dir=folder))
    generate(drawn, 6, seed=11, split="drawn", workers=1)
    return sorted((drawn / "drawn").glob("*.jpg"))
