"""Data sets that have a folder for each split, with photos in one and label PNGs in another."""

from collections.abc import Iterable
from pathlib import Path

from spatialflow.errors import DataError
from spatialflow.image_io import read_image_size


def check_split(split: str, choices: str) -> None:
    """See that a split is the name of a folder and does not lead elsewhere.

    Raises:
        DataError: it is not; ``choices`` is what it could be.
    """
    if split in ("", ".", "..") or "/" in split or "\\" in split or "\0" in split:
        raise DataError(f"split: {split!r} is no name of a folder; choose {choices}")


def check_folders(folders: Iterable[Path], remedy: str) -> None:
    """See that all folders are there.

    Raises:
        DataError: it names the first that is not.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; {remedy}")


def check_size_of_photo(png: Path, size: tuple[int, ...], photo: Path) -> None:
    """See that a PNG has the (H, W) of its photo.

    Raises:
        DataError: it has not, or the photo is missing.
    """
    expected = read_image_size(photo)
    if size != expected:
        raise DataError(
            f"{png}: is {size[1]}x{size[0]} pixels, but its photo {photo} is {expected[1]}x{expected[0]}; "
            f"both must have one size"
        )
