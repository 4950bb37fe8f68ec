"""Where the files of a JSON are, and what to tell the readers if they would look elsewhere."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from spatialflow.data.reading import find_images, usual_image_folders
from spatialflow.errors import DataError

_SAMPLE = 200
"""Photos that are looked for to tell which folder is theirs."""


def has_file(folder: Path, name: str) -> bool:
    """Whether there is such a file; never an error, whatever the name."""
    try:
        return (folder / name).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def guess_photo_folder(annotations: Path, names: Sequence[str]) -> Path | None:
    """The usual place that holds the most of these photos, or None if none holds any."""
    places = usual_image_folders(annotations)
    counts = [sum(has_file(place, name) for name in names[:_SAMPLE]) for place in places]
    return places[counts.index(max(counts))] if any(counts) else None


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
