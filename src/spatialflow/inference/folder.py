"""``spatialflow predict``: photos in, a folder of results out."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.image_io import PHOTO_SUFFIXES, pillow_warnings, read_photo
from spatialflow.inference.ahead import ahead
from spatialflow.inference.folder_run import FolderResult, FolderRun, Listed
from spatialflow.inference.photo_predictor import PhotoPredictor
from spatialflow.inference.picture import picture_of
from spatialflow.inference.resuming import keys_of
from spatialflow.inference.tiles import Tiling
from spatialflow.photo import check_local, note_on
from spatialflow.structures import PanopticPrediction

WITH_HEIC = PHOTO_SUFFIXES | {".heic", ".heif"}
"""For those who name what cannot be read and go on: photos that are not read here are not passed over."""


def find_photos(sources: Sequence[str], suffixes: Collection[str] = PHOTO_SUFFIXES) -> list[Path]:
    """Files, folders (the photos directly in them, but hidden ones) and glob patterns, in order, none twice.

    Args:
        sources: what the user gave.
        suffixes: which files of a folder are photos.

    Raises:
        DataError: a source is or matches nothing, or is a folder that cannot be read.
    """
    found: dict[Path, None] = {}
    for source in sources:
        try:
            found.update(dict.fromkeys(_photos_of(source, suffixes)))
        except OSError as error:
            raise DataError(
                f"{source}: cannot be read ({error.strerror or error}); check the path and its permissions"
            ) from error
    return list(found)


def _photos_of(source: str, suffixes: Collection[str]) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        # names with a dot in front are hidden: thumbnails, or what macOS leaves beside photos
        photos = sorted(
            f for f in path.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith(".")
        )
        if not photos:
            raise DataError(f"{source}: the folder holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))})")
        return photos
    if path.exists():
        return [path]
    check_local(source)
    if not glob.has_magic(source):
        raise DataError(f"{source}: no such photo or folder; check the path")
    matches = [Path(f) for f in sorted(glob.glob(source, recursive=True)) if Path(f).is_file()]  # noqa: PTH207
    if not matches:
        raise DataError(f"{source}: the pattern matches no file; check it, and quote it against the shell")
    return matches


def predict_folder(
    predictor: PhotoPredictor,
    photos: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    overlay: bool = True,
    tiling: Tiling | None = None,
    resume: bool = False,
    progress: Callable[[int, str | None], object] = lambda done, failure: None,
    note: Callable[[str], object] = lambda line: None,
) -> FolderResult:
    """Segment photos one after the other.

    ``out`` receives ``panoptic.json`` (COCO panoptic, with ``image_id`` the photo's place in the list),
    ``panoptic/NAME.png`` and ``overlay/NAME.jpg``, all at the end and in the place of an earlier result. A
    photo that cannot be read is reported and left out; if none can be read, there is no result. When
    interrupted, the photos that are done are the result, unless there is an earlier one, which then stays;
    what is done waits out of sight for a run with ``resume``, also when this run is killed.

    Args:
        predictor: the model.
        photos: their names, without the folder, name the results; a name met again gets a number.
        out: made if need be.
        overlay: also write pictures with class names.
        tiling: how to cut large photos; whole by default.
        resume: take over photos that an earlier run into ``out`` has done, if their name, size in bytes and
            time of change are the same. The result is that of an uninterrupted run.
        progress: called after each photo with the number so far, and what was wrong with it, if anything.
        note: called with what the user should know of a photo, in one line.

    Raises:
        DataError: no photo could be read.
        OutputError: ``out`` cannot be written to, or the disk is full; or, with ``resume``, holds results of
            another model or of other settings.
    """
    settings = {**predictor.settings, "tiles": "none" if tiling is None else str(tiling)}
    listed = _listed(photos)
    with FolderRun(out, settings, overlay=overlay, resume=resume) as run, pillow_warnings():
        waiting = [photo.path for photo in listed if not run.is_done(photo)]
        segment = _Segmenting(predictor, tiling, overlay, note)
        left = iter(listed)
        try:
            with ahead(_read, waiting, 1) as readings:
                for photo in left:
                    failure = None
                    try:
                        if run.is_done(photo):
                            run.take(photo)
                        else:
                            run.add(photo, *segment(photo.path, next(readings)))
                    except DataError as error:
                        if len(photos) == 1:
                            raise
                        failure = str(error)
                        run.failed.append(failure)
                    progress(photo.number, failure)
        except KeyboardInterrupt:
            for photo in filter(run.is_done, left):
                run.take(photo)
            run.interrupt(predictor.categories)
            raise
        if not len(run):
            raise DataError(f"none of the {len(photos)} photos could be read; there is no result")
        return run.close(predictor.categories)


class _Segmenting:
    """From a photo that is being read to its result, and notes for the user."""

    def __init__(
        self,
        predictor: PhotoPredictor,
        tiling: Tiling | None,
        overlay: bool,
        note: Callable[[str], object],
    ) -> None:
        self._predictor = predictor
        self._tiling = tiling
        self._overlay = overlay
        self._note = note
        self._has_advised = False

    def __call__(
        self, photo: Path, reading: Future[tuple[NDArray[np.uint8], str | None]]
    ) -> tuple[PanopticPrediction, Image.Image | None]:
        """Its prediction, and its picture."""
        pixels, line = reading.result()
        if line is not None:
            self._note(line)
        height, width = pixels.shape[:2]
        if self._tiling is None and not self._has_advised and self._predictor.advises_tiles((height, width)):
            self._has_advised = True
            shrunk = max(self._predictor.config.data.test_scale)
            self._note(
                f"{photo}: {width}x{height} pixels are shrunk to {shrunk} on the "
                f"longer side for the network; --tile would find small things"
            )
        try:
            prediction = self._predictor.predict(pixels, tile=self._tiling or False)
        except DataError as error:  # which knows only pixels
            raise DataError(f"{photo}: {str(error).removeprefix('image: ')}") from error
        return prediction, picture_of(prediction, pixels) if self._overlay else None


def _read(photo: Path) -> tuple[NDArray[np.uint8], str | None]:
    return read_photo(photo), note_on(photo)


def _listed(photos: Sequence[Path]) -> list[Listed]:
    """Photos with what results call them: the name, with the folder if others have the same."""
    shared = Counter(photo.name for photo in photos)
    return [
        Listed(number, photo, photo.name if shared[photo.name] == 1 else photo.as_posix(), key)
        for number, (photo, key) in enumerate(zip(photos, keys_of(photos), strict=True), start=1)
    ]
