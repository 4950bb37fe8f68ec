"""Ground truth on disk to its compact form: quickly where all is plain, carefully otherwise."""

import contextlib
import json
import os
import re
from pathlib import Path

import msgspec
import numpy as np

from spatialflow.categories import Categories
from spatialflow.data.panoptic_index import COLUMNS, IndexBuilder, PanopticIndex
from spatialflow.data.panoptic_json import PanopticFile, read_truth
from spatialflow.errors import DataError, OutputError
from spatialflow.files import atomic_path
from spatialflow.image_io import MAX_SEGMENT_ID

VERSION = 1
"""Of the files that keep an index."""
WORTH_KEEPING = 16 << 20
"""Bytes of JSON from which on the index is kept beside it; smaller files are read as quickly."""
_PLAIN_NAME = re.compile(r"\w[\w .+-]{0,150}(/\w[\w .+-]{0,150}){0,3}")


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
    columns = {name: getattr(index, name) for name in COLUMNS}
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
            return PanopticIndex(path, categories, *(file[name] for name in COLUMNS))
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


def _read_quickly(path: Path) -> PanopticIndex | None:
    """The index of a file in which everything is plainly as it should be; None for any other.

    What is accepted here, :func:`read_truth` accepts, too; what is wrong it says best.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        categories = Categories.from_json(json.loads(bytes(file.categories)), str(path))
        builder = IndexBuilder()
        builder.add_images(map(_checked_image, map(msgspec.json.Decoder(_Image).decode, file.images)))
        for annotation in map(msgspec.json.Decoder(_Annotation).decode, file.annotations):
            _check(annotation)
            builder.add_annotation(annotation)
        known = np.array([category.id for category in categories])
        _require(bool(np.isin(np.array(builder.category_ids, np.int64), known).all()))
        return builder.finish(path, categories)
    except (OSError, ValueError, OverflowError, msgspec.MsgspecError, DataError):
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
        ValueError: something does.
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
    """Leave what is odd to the careful reader."""
    if not condition:
        raise ValueError


def _from_objects(truth: PanopticFile) -> PanopticIndex:
    """The index of a file that has been read carefully."""
    assert truth.categories is not None
    builder = IndexBuilder()
    builder.add_images(truth.images.values())
    for annotation in truth.annotations.values():
        builder.add_annotation(annotation)
    return builder.finish(truth.path, truth.categories)
