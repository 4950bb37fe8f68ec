"""Where the readers look for the files of a new JSON, and what to tell them if that is the wrong place."""

import shlex
from pathlib import Path

from spatialflow.data.reading import find_images
from spatialflow.errors import DataError


def reader_overrides(
    json_path: Path, split: str, images: Path | None, segments: Path | None, photo: str | None
) -> list[str]:
    """The settings with which a recipe reads a data set: ``data.train=...``, and folders not found without.

    Args:
        json_path: the annotation file.
        split: ``train`` or ``val``.
        images: folder of its photos; None if unknown.
        segments: folder of its PNGs; None if unknown.
        photo: ``file_name`` of its first image; None if it has none.

    Returns:
        Each ready for a shell.
    """
    settings = [f"data.{split}={json_path}"]
    if segments is not None and not _is_same(json_path.with_suffix(""), segments):
        settings.append(f"data.{split}_segments={segments}")
    if images is not None and photo is not None and not _finds(json_path, photo, images):
        settings.append(f"data.{split}_images={images}")
    return [shlex.quote(setting) for setting in settings]


def _finds(json_path: Path, photo: str, images: Path) -> bool:
    try:
        return _is_same(find_images(json_path, photo), images)
    except DataError:
        return False


def _is_same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
