"""Where the files of a JSON are, and what to tell the readers if they would look elsewhere."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from spatialflow.data.reading import (
    find_images,
    segments_folder,
    usual_image_archives,
    usual_image_folders,
)
from spatialflow.errors import DataError
from spatialflow.zip_path import ReadPath

_SAMPLE = 200
"""Photos that are looked for to tell which folder is theirs."""


def has_file(folder: ReadPath, name: str) -> bool:
    """Whether there is such a file; never an error, whatever the name."""
    try:
        return (folder / name).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def guess_photo_folder(annotations: Path, names: Sequence[str]) -> ReadPath | None:
    """The usual place that holds the most of these photos, or None if none holds any.

    Raises:
        DataError: no folder holds any, and a ``.zip`` that may hold them cannot be read.
    """
    sample = names[:_SAMPLE]
    folder = _fullest(usual_image_folders(annotations), sample)
    return folder or _fullest(usual_image_archives(annotations, "".join(sample[:1])), sample)


def _fullest(places: Iterable[ReadPath], names: Sequence[str]) -> ReadPath | None:
    counts = [(sum(has_file(place, name) for name in names), place) for place in places]
    most, place = max(counts, key=lambda count: count[0], default=(0, None))
    return place if most else None


def reader_overrides(
    json_path: Path, split: str, images: ReadPath | None, segments: ReadPath | None, photo: str | None
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
    if segments is not None and not _finds_segments(json_path, segments):
        settings.append(f"data.{split}_segments={segments}")
    if images is not None and photo is not None and not _finds(json_path, photo, images):
        settings.append(f"data.{split}_images={images}")
    return [shlex.quote(setting) for setting in settings]


def _finds_segments(json_path: Path, segments: ReadPath) -> bool:
    try:
        return _is_same(segments_folder(json_path), segments)
    except DataError:
        return False


def _finds(json_path: Path, photo: str, images: ReadPath) -> bool:
    try:
        return _is_same(find_images(json_path, photo), images)
    except DataError:
        return False


def _is_same(first: ReadPath, second: ReadPath) -> bool:
    return Path(first).resolve() == Path(second).resolve()
