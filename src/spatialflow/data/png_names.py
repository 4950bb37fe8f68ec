"""What the PNGs of photos are called."""

from collections.abc import Iterable
from pathlib import PurePosixPath


def png_names(file_names: Iterable[str]) -> list[str]:
    """A PNG's name for each photo: the photo's with another suffix, and a number if it is taken."""
    names, taken = [], set[str]()
    for file_name in file_names:
        name = PurePosixPath(file_name)
        png, number = name.with_suffix(".png").as_posix(), 2
        while png in taken:
            png, number = name.with_suffix(f".{number}.png").as_posix(), number + 1
        taken.add(png)
        names.append(png)
    return names
