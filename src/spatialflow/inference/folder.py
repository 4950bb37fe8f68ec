"""``spatialflow predict``: photos in, a folder of results out."""

import glob
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.image_io import PHOTO_SUFFIXES, read_photo
from spatialflow.inference.predictor import Predictor

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderResult:
    """What became of a list of photos."""

    json_path: Path
    done: int
    failed: tuple[str, ...]
    """One line for each photo that could not be read."""


def find_photos(sources: Sequence[str]) -> list[Path]:
    """Files, folders (the photos directly in them, but hidden ones) and glob patterns, in order, none twice.

    Raises:
        DataError: a source is or matches nothing, or is a folder that cannot be read.
    """
    found: dict[Path, None] = {}
    for source in sources:
        try:
            found.update(dict.fromkeys(_photos_of(source)))
        except OSError as error:
            raise DataError(
                f"{source}: cannot be read ({error.strerror or error}); check the path and its permissions"
            ) from error
    return list(found)


def _photos_of(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        # names with a dot in front are hidden: thumbnails, or what macOS leaves beside photos
        photos = sorted(
            f for f in path.iterdir() if f.suffix.lower() in PHOTO_SUFFIXES and not f.name.startswith(".")
        )
        if not photos:
            raise DataError(f"{source}: the folder holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))})")
        return photos
    if path.exists():
        return [path]
    if not glob.has_magic(source):
        raise DataError(f"{source}: no such photo or folder; check the path")
    matches = [Path(f) for f in sorted(glob.glob(source, recursive=True)) if Path(f).is_file()]  # noqa: PTH207
    if not matches:
        raise DataError(f"{source}: the pattern matches no file; check it, and quote it against the shell")
    return matches


def predict_folder(
    predictor: Predictor,
    photos: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    overlay: bool = True,
    progress: Callable[[int, str | None], object] = lambda done, failure: None,
) -> FolderResult:
    """Segment photos one after the other.

    ``out`` receives ``panoptic.json`` (COCO panoptic, with ``image_id`` the photo's place in the list),
    ``panoptic/NAME.png`` and ``overlay/NAME.jpg``, all at the end and in the place of an earlier result. A
    photo that cannot be read is reported and left out; if none can be read, there is no result. When
    interrupted, the photos that are done are the result, unless there is an earlier one, which then stays.

    Args:
        predictor: the model.
        photos: their names, without the folder, name the results; a name met again gets a number.
        out: made if need be.
        overlay: also write pictures with class names.
        progress: called after each photo with the number so far, and what was wrong with it, if anything.

    Raises:
        DataError: no photo could be read.
        OutputError: ``out`` cannot be written to, or the disk is full.
    """
    images, failed, names = [], [], set[str]()
    shared = Counter(photo.name for photo in photos)
    with ResultWriter(out) as writer:
        try:
            for number, photo in enumerate(photos, start=1):
                failure = None
                try:
                    pixels = read_photo(photo)
                    prediction = predictor.predict(pixels)
                except DataError as error:
                    if len(photos) == 1:
                        raise
                    failure = str(error)
                    failed.append(failure)
                else:
                    name = _free_name(photo.stem, names)
                    writer.add(
                        number, f"{name}.png", prediction, prediction.plot(pixels) if overlay else None
                    )
                    file_name = photo.name if shared[photo.name] == 1 else photo.as_posix()
                    images.append(ImageInfo(number, file_name, pixels.shape[0], pixels.shape[1]))
                progress(number, failure)
        except KeyboardInterrupt:
            if images and not writer.json_path.exists():  # what is done is a result, if there is none yet
                path = writer.close(predictor.categories, images)
                _log.info("interrupted: %s has the %d photos that are done", path, len(images))
            raise
        if not images:
            raise DataError(f"none of the {len(photos)} photos could be read; there is no result")
        path = writer.close(predictor.categories, images)
    return FolderResult(path, len(images), tuple(failed))


def _free_name(stem: str, taken: set[str]) -> str:
    """The stem, or the stem with the first number that makes it new."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name
