"""One run over a list of photos: its files, what it takes over from an earlier run, and how it ends."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from PIL import Image

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.evaluation.coco_format import ResultWriter
from spatialflow.inference.resuming import PNGS, Journal, PhotoKey, earlier_photos, files_of
from spatialflow.structures import PanopticPrediction

_log = logging.getLogger(__name__)


class Listed(NamedTuple):
    """A photo to do."""

    number: int
    """Its place in the list, from 1."""
    path: Path
    name: str
    """What the result calls it."""
    key: PhotoKey | None
    """None if there is no such file."""


@dataclass(frozen=True, slots=True)
class FolderResult:
    """What became of a list of photos."""

    json_path: Path
    done: int
    failed: tuple[str, ...]
    """One line for each photo that could not be read."""
    taken: int = 0
    """Of the photos that are done, those which an earlier run did."""


class FolderRun:
    """Writes results out of sight and keeps a journal of them.

    Args:
        out: folder of the result.
        settings: what results depend on besides the photo; JSON.
        overlay: whether pictures are wanted.
        resume: whether earlier runs' results are.

    Raises:
        OutputError: see :func:`spatialflow.inference.folder.predict_folder`.
    """

    def __init__(
        self, out: str | os.PathLike[str], settings: Mapping[str, Any], *, overlay: bool, resume: bool
    ) -> None:
        self.failed: list[str] = []
        self._settings = settings
        self._overlay = overlay
        self._resume = resume
        self._taken = 0
        self._images: list[ImageInfo] = []
        self._keys: list[PhotoKey | None] = []
        self._names: set[str] = set()
        self._writer = ResultWriter(out, PNGS, keep_left=True)
        staging = self._writer.staging
        try:
            self._left_files = files_of(self._writer.folder, staging.left)
            self.earlier = (
                earlier_photos(self._writer.folder, staging.left, settings, overlay) if resume else {}
            )
            """What need not be done again."""
            if not resume:
                staging.remove_left()
            self._journal = Journal(staging.hidden, settings)
        except BaseException:
            self._writer.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what is out of sight, unless it waits for a run that resumes."""
        self._writer.__exit__(kind, error, trace)

    def __len__(self) -> int:
        """Photos that are done."""
        return len(self._images)

    def is_done(self, photo: Listed) -> bool:
        """Whether an earlier run has done it."""
        return photo.key in self.earlier

    def add(self, photo: Listed, prediction: PanopticPrediction, picture: Image.Image | None) -> None:
        """Write a photo's result, and perhaps the picture of it."""
        png_name = self._free_name(photo.path.stem)
        self._writer.add(photo.number, png_name, prediction, picture)
        height, width = prediction.segment_ids.shape
        self._add(photo, prediction.to_coco(photo.number, png_name), (height, width))

    def take(self, photo: Listed) -> None:
        """Take over what an earlier run has done."""
        assert photo.key is not None, "what is done has a key"
        done = self.earlier[photo.key]
        entry = {**done.entry, "image_id": photo.number, "file_name": self._free_name(photo.path.stem)}
        self._writer.adopt(entry, done.png, done.overlay if self._overlay else None)
        self._add(photo, entry, done.image_size)
        self._taken += 1

    def _add(self, photo: Listed, entry: Mapping[str, Any], size: tuple[int, int]) -> None:
        self._images.append(ImageInfo(photo.number, photo.name, *size))
        self._keys.append(photo.key)
        if photo.key is not None:
            self._journal.add(photo.key, entry, size)

    def _free_name(self, stem: str) -> str:
        """The PNG's: the stem, or the stem with the first number that makes it new."""
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}-{number}", number + 1
        self._names.add(name)
        return f"{name}.png"

    def close(self, categories: Categories) -> FolderResult:
        """Show the result; if that is not possible, what is done waits for a run that resumes.

        Raises:
            OutputError: a file is in the way, or one cannot be written.
        """
        try:
            path = self._writer.close(
                categories,
                self._images,
                also=self._left_files,
                run={"settings": self._settings, "photos": self._keys},
            )
        except BaseException:
            self._writer.staging.keep()
            _log.info("%d photos are done; --resume goes on with them", len(self))
            raise
        self._writer.staging.remove_left()
        return FolderResult(path, len(self), tuple(self.failed), self._taken)

    def interrupt(self, categories: Categories) -> None:
        """Show what is done if it replaces nothing, or only what it contains; else keep it out of sight."""
        if not self._images:
            return
        if self._resume or not self._writer.json_path.exists():
            path = self.close(categories).json_path
            _log.info("interrupted: %s has the %d photos that are done", path, len(self))
        else:
            self._writer.staging.keep()
            _log.info(
                "interrupted: %s stays; --resume goes on with the %d photos that are done",
                self._writer.json_path,
                len(self),
            )
