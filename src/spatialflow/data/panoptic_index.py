"""A COCO-panoptic ground truth as a few arrays: quick to open, small, and shared by all loader workers.

COCO has 118,287 training images with 1.3 million segments. As Python objects they take gigabytes, and every
loader process comes to hold a copy of its own, since counting references writes to shared memory.
"""

import contextlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.panoptic_annotation import ImageId

NO_ANNOTATION = -1
_NO_BOX = (np.nan,) * 4


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


class IndexBuilder:
    """Collects columns entry by entry, so that never more than one entry is there as objects."""

    def __init__(self) -> None:
        self.category_ids = array("q")
        self._ids, self._is_crowd, self._bboxes = array("i"), array("b"), array("d")
        self._place: dict[ImageId, int] = {}
        self._names: list[bytes] = []
        self._sizes = array("i")
        self._starts = self._counts = np.zeros(0, np.int64)
        self._png_names: list[bytes] = []

    def add_images(self, images: Iterable[Any]) -> None:
        """Add all images, objects with the fields of :class:`ImageInfo`.

        Raises:
            ValueError: an id comes twice.
        """
        for image in images:
            if image.id in self._place:
                raise ValueError(f"image {image.id!r} comes twice")
            self._place[image.id] = len(self._place)
            self._names.append(_bytes(image.file_name))
            self._sizes.extend((image.height, image.width))
        self._starts = np.zeros(len(self._place), np.int64)
        self._counts = np.full(len(self._place), NO_ANNOTATION)
        self._png_names = [b""] * len(self._place)

    def add_annotation(self, annotation: Any) -> None:
        """Add the segments of an image that was added before, an object as :class:`ImageAnnotation`.

        Raises:
            ValueError: there is no such image, or it has an annotation already.
        """
        place = self._place.get(annotation.image_id, -1)
        if place < 0 or self._counts[place] != NO_ANNOTATION:
            raise ValueError(f"there is no image {annotation.image_id!r} to annotate")
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


COLUMNS = tuple(field.name for field in fields(PanopticIndex))[2:]
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
