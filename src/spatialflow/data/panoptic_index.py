"""A COCO-panoptic ground truth as a few arrays: quick to open, small, and shared by all loader workers.

COCO has 118,287 training images with 1.3 million segments. As Python objects they take gigabytes, and every
loader process comes to hold a copy of its own, since counting references writes to shared memory.
"""

import contextlib
import json
import os
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import (
    ImageAnnotation,
    ImageId,
    ImageInfo,
    PanopticFile,
    read_truth,
)
from spatialflow.errors import DataError, OutputError
from spatialflow.files import atomic_path
from spatialflow.image_io import MAX_SEGMENT_ID

VERSION = 1
"""Of the files that keep an index."""
WORTH_KEEPING = 16 << 20
"""Bytes of JSON from which on the index is kept beside it; smaller files are read as quickly."""
NO_ANNOTATION = -1
_NO_BOX = (np.nan,) * 4
_PLAIN_NAME = re.compile(r"\w[\w .+-]{0,150}(/\w[\w .+-]{0,150}){0,3}")


@dataclass(frozen=True, slots=True, eq=False)
class PanopticIndex:
    """N images, in the order of the file, and their S segments."""

    path: Path
    categories: Categories
    image_ids: NDArray[Any]
    """(N,) int64 or str; objects if the file has both, or numbers beyond 64 bits."""
    file_names: NDArray[np.bytes_]
    """(N,) of the photos, UTF-8."""
    png_names: NDArray[np.bytes_]
    """(N,) of the PNGs, UTF-8; empty without annotation."""
    sizes: NDArray[np.int32]
    """(N, 2) height and width."""
    starts: NDArray[np.int64]
    """(N,) row of the first segment."""
    counts: NDArray[np.int32]
    """(N,) segments; :data:`NO_ANNOTATION` without annotation."""
    ids: NDArray[np.int32]
    """(S,) values of the PNGs' pixels."""
    category_ids: NDArray[np.int64]
    """(S,) as the file has them."""
    is_crowd: NDArray[np.bool_]
    """(S,)."""
    bboxes: NDArray[np.float64]
    """(S, 4) x, y, w, h as the file has them; NaN where it has none."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def example(self) -> str:
        """Name of a PNG; ``""`` if there is none."""
        annotated = np.flatnonzero(self.counts != NO_ANNOTATION)
        return self.png_name(int(annotated[0])) if len(annotated) else ""

    def info(self, index: int) -> ImageInfo:
        """Id, file name and size of an image."""
        height, width = self.sizes[index].tolist()
        (image_id,) = self.image_ids[index : index + 1].tolist()  # a number or text of Python's
        return ImageInfo(image_id, _text(self.file_names[index]), height, width)

    def png_name(self, index: int) -> str:
        """File name of an image's PNG."""
        return _text(self.png_names[index])

    def rows(self, index: int) -> slice:
        """Rows of an image's segments."""
        start = int(self.starts[index])
        return slice(start, start + max(int(self.counts[index]), 0))


def open_index(annotations: str | os.PathLike[str]) -> PanopticIndex:
    """Read ground truth, or the index that an earlier reading left beside it if the file has not changed.

    Raises:
        DataError: see :func:`spatialflow.data.panoptic_json.read_truth`.
    """
    path = Path(annotations)
    stamp = _stamp(path)
    kept = path.with_name(f".{path.name}.index.npz")
    if stamp and (index := _load(kept, path, stamp)):
        return index
    index = _read_quickly(path) or _from_objects(read_truth(path))
    if stamp and stamp[1] >= WORTH_KEEPING and index.image_ids.dtype != np.object_:
        with contextlib.suppress(OutputError):  # a folder that cannot be written to only costs time
            _save(index, kept, stamp)
    return index


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does: version of ours, size, and time in nanoseconds."""
    try:
        status = path.stat()
    except OSError:  # the reading says what is wrong
        return None
    return VERSION, status.st_size, status.st_mtime_ns


def _save(index: PanopticIndex, kept: Path, stamp: tuple[int, int, int]) -> None:
    columns = {name: getattr(index, name) for name in _COLUMNS}
    categories = json.dumps(index.categories.to_json())
    with atomic_path(kept) as temporary:
        np.savez(temporary, stamp=np.array(stamp), categories=np.array(categories), **columns)


def _load(kept: Path, path: Path, stamp: tuple[int, int, int]) -> PanopticIndex | None:
    """The index, if it is of this very file and whole."""
    try:
        with np.load(kept, allow_pickle=False) as file:
            if tuple(file["stamp"].tolist()) != stamp:
                return None
            categories = Categories.from_json(json.loads(file["categories"].item()), str(path))
            return PanopticIndex(path, categories, *(file[name] for name in _COLUMNS))
    except Exception:  # whatever is wrong with it (numpy's errors are many), it can be made again
        return None


class _Segment(msgspec.Struct):
    """As :class:`spatialflow.data.panoptic_json.SegmentInfo`."""

    id: int
    category_id: int
    area: float
    is_crowd: int = msgspec.field(name="iscrowd")
    bbox: tuple[float, float, float, float] | None = None


class _Annotation(msgspec.Struct):
    """As :class:`spatialflow.data.panoptic_json.ImageAnnotation`."""

    image_id: int | str
    file_name: str
    segments: list[_Segment] = msgspec.field(name="segments_info")


class _Image(msgspec.Struct):
    """As :class:`spatialflow.data.panoptic_json.ImageInfo`."""

    id: int | str
    file_name: str
    height: int
    width: int


class _File(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: msgspec.Raw


class _OddError(Exception):
    """Something that the careful reader has to look at."""


def _read_quickly(path: Path) -> PanopticIndex | None:
    """The index of a file in which everything is plainly as it should be; None for any other.

    What is accepted here, :func:`read_truth` accepts, too; what is wrong it says best.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        categories = Categories.from_json(json.loads(bytes(file.categories)), str(path))
        builder = _Builder()
        builder.add_images(map(_checked_image, map(msgspec.json.Decoder(_Image).decode, file.images)))
        for annotation in map(msgspec.json.Decoder(_Annotation).decode, file.annotations):
            _check(annotation)
            builder.add_annotation(annotation)
        known = np.array([category.id for category in categories])
        _require(bool(np.isin(np.array(builder.category_ids, np.int64), known).all()))
        return builder.finish(path, categories)
    except (OSError, ValueError, OverflowError, msgspec.MsgspecError, DataError, _OddError):
        return None


def _checked_image(image: _Image) -> _Image:
    _require(image.height > 0 and image.width > 0 and _is_plain(image.file_name))
    return image


def _is_plain(file_name: str) -> bool:
    """Whether it certainly is a relative path that stays in its folder."""
    return _PLAIN_NAME.fullmatch(file_name) is not None and ".." not in file_name


def _check(annotation: _Annotation) -> None:
    """See that nothing needs a careful look.

    Raises:
        _OddError: something does.
    """
    _require(_is_plain(annotation.file_name))
    segments = annotation.segments
    _require(len({segment.id for segment in segments}) == len(segments))
    for segment in segments:
        bbox = segment.bbox
        _require(
            0 < segment.id <= MAX_SEGMENT_ID
            and segment.is_crowd in (0, 1)
            and segment.area >= 0
            and segment.area.is_integer()
            and (bbox is None or (bbox[2] >= 0 and bbox[3] >= 0))
        )


def _require(condition: bool) -> None:
    if not condition:
        raise _OddError


def _from_objects(truth: PanopticFile) -> PanopticIndex:
    """The index of a file that has been read carefully."""
    assert truth.categories is not None
    builder = _Builder()
    builder.add_images(truth.images.values())
    for annotation in truth.annotations.values():
        builder.add_annotation(annotation)
    return builder.finish(truth.path, truth.categories)


class _Builder:
    """Collects columns entry by entry, so that never more than one entry is there as objects."""

    def __init__(self) -> None:
        self.category_ids = array("q")
        self._ids, self._is_crowd, self._bboxes = array("i"), array("b"), array("d")
        self._place: dict[ImageId, int] = {}
        self._names: list[bytes] = []
        self._sizes = array("i")
        self._starts = self._counts = np.zeros(0, np.int64)
        self._png_names: list[bytes] = []

    def add_images(self, images: Iterable[_Image | ImageInfo]) -> None:
        """Add all images.

        Raises:
            _OddError: an id comes twice.
        """
        for image in images:
            _require(image.id not in self._place)
            self._place[image.id] = len(self._place)
            self._names.append(_bytes(image.file_name))
            self._sizes.extend((image.height, image.width))
        self._starts = np.zeros(len(self._place), np.int64)
        self._counts = np.full(len(self._place), NO_ANNOTATION)
        self._png_names = [b""] * len(self._place)

    def add_annotation(self, annotation: _Annotation | ImageAnnotation) -> None:
        """Add the segments of an image that was added before.

        Raises:
            _OddError: there is no such image, or it has an annotation already.
        """
        place = self._place.get(annotation.image_id, -1)
        _require(place >= 0 and self._counts[place] == NO_ANNOTATION)
        self._starts[place], self._counts[place] = len(self._ids), len(annotation.segments)
        self._png_names[place] = _bytes(annotation.file_name)
        for segment in annotation.segments:
            self._ids.append(segment.id)
            self.category_ids.append(segment.category_id)
            self._is_crowd.append(segment.is_crowd)
            self._bboxes.extend(segment.bbox or _NO_BOX)

    def finish(self, path: Path, categories: Categories) -> PanopticIndex:
        """All columns."""
        return PanopticIndex(
            path,
            categories,
            _id_column(list(self._place)),
            np.array(self._names, np.bytes_),
            np.array(self._png_names, np.bytes_),
            np.array(self._sizes, np.int32).reshape(-1, 2),
            self._starts,
            self._counts.astype(np.int32),
            np.array(self._ids, np.int32),
            np.array(self.category_ids, np.int64),
            np.array(self._is_crowd, np.bool_),
            np.array(self._bboxes, np.float64).reshape(-1, 4),
        )


_COLUMNS = tuple(field.name for field in fields(PanopticIndex))[2:]
"""Fields that are arrays."""


def _id_column(image_ids: list[ImageId]) -> NDArray[Any]:
    kinds = {type(image_id) for image_id in image_ids}
    if kinds <= {int}:
        with contextlib.suppress(OverflowError):
            return np.array(image_ids, np.int64)
    return np.array(image_ids, np.str_ if kinds == {str} else np.object_)


def _bytes(file_name: str) -> bytes:
    """UTF-8, from which any text that JSON can hold comes back."""
    return file_name.encode("utf-8", "surrogatepass")


def _text(file_name: bytes) -> str:
    return file_name.decode("utf-8", "surrogatepass")
