"""One image with its segments, read and brought to a size that suits a screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.browsing.source import Source, Subject
from spatialflow.categories import Categories, Category
from spatialflow.data.reading import photo_path, read_photo_like
from spatialflow.evaluation.file_pairs import Comparison
from spatialflow.image_io import read_id_png, read_photo
from spatialflow.masks.extents import measure
from spatialflow.panoptic_annotation import SegmentInfo
from spatialflow.visualize import enlargement

LARGEST_SIDE = 1280
"""Pixels of the longer side beyond which pictures are reduced."""
_SMALL_SIDE = 400
"""Pixels of the shorter side to which small photos are enlarged."""

Size = tuple[int, int]
"""(H, W)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One segment as it is drawn."""

    id: int
    category: Category
    is_crowd: bool
    area: int
    """Pixels of the PNG; 0 if it is listed only."""
    box: tuple[int, int, int, int]
    """x1, y1, x2, y2 in pixels of the PNG, x2 and y2 exclusive; all 0 if it has no pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The segments of one id map."""

    ids: NDArray[np.int32]
    """(h, w) id of each pixel of the picture; 0 where no listed segment is."""
    shapes: tuple[Shape, ...]
    """In the order listed."""
    void: int
    """Pixels of the PNG that belong to no listed segment."""
    unlisted: tuple[int, ...]
    """Ids that have pixels but are not listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image."""

    photo: NDArray[np.uint8]
    """(h, w, 3) RGB, of the size of the pictures."""
    size: Size
    """Of the photo itself."""
    truth: Layer | None
    """None without annotation."""
    pred: Layer | None
    compared: Comparison | None

    @property
    def scale(self) -> float:
        """Pixels of the picture for one of the photo."""
        return max(self.photo.shape[:2]) / max(self.size)

    @property
    def notes(self) -> list[str]:
        """What is odd about the truth, in words; ``spatialflow data check`` says it of the whole set."""
        if self.truth is None:
            return ["This image has no annotation."]
        notes = []
        if self.truth.unlisted:
            ids = ", ".join(map(str, self.truth.unlisted[:5])) + (", ..." if self.truth.unlisted[5:] else "")
            notes.append(f"Pixels of ids that segments_info does not list are drawn as void: {ids}.")
        empty = [str(shape.id) for shape in self.truth.shapes if not shape.area]
        if empty:
            ids = ", ".join(empty[:5]) + (", ..." if empty[5:] else "")
            notes.append(f"Segments without a pixel: {ids}.")
        return notes


def read_scene(source: Source, subject: Subject) -> Scene:
    """Read photo and PNGs of one image, and match its segments if there is a prediction.

    Raises:
        DataError: a file cannot be read, or is not of the size of the others.
    """
    path = photo_path(source.photos, subject.image.file_name)
    if subject.png is None:
        photo = read_photo(path)
        return Scene(_resize(photo), _size_of(photo), None, None, None)
    png = source.segments / subject.png
    compared = None if source.pairs is None or subject.pair is None else source.pairs.compare(subject.pair)
    truth_ids = read_id_png(png) if compared is None else compared.truth_ids
    photo = read_photo_like(path, png, truth_ids.shape)
    pred = None
    if source.pairs is not None and subject.pair is not None and compared is not None:
        segments = source.pairs.pairs[subject.pair][0].segments
        pred = _layer(compared.pred_ids, segments, source.categories)
    truth = _layer(truth_ids, subject.truth, source.categories)
    return Scene(_resize(photo), _size_of(photo), truth, pred, compared)


def picture_size(size: Size) -> Size:
    """The size at which a photo is drawn: reduced if it is large, a whole multiple if it is small."""
    height, width = size
    if max(size) > LARGEST_SIDE:
        factor = LARGEST_SIDE / max(size)
        return max(1, round(height * factor)), max(1, round(width * factor))
    times = enlargement(height, width, _SMALL_SIDE)
    return height * times, width * times


def _resize(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture_size(_size_of(photo))
    method = cv2.INTER_AREA if height < photo.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(photo, (width, height), interpolation=method).astype(np.uint8, copy=False)


def _size_of(pixels: NDArray[np.generic]) -> Size:
    return pixels.shape[0], pixels.shape[1]


def _layer(ids: NDArray[np.int32], listed: Sequence[SegmentInfo], categories: Categories) -> Layer:
    found = measure(ids)
    rows = {segment_id: row for row, segment_id in enumerate(found.ids.tolist())}
    shapes = []
    for info in listed:
        row = rows.pop(info.id, None)
        x, y, w, h = (0, 0, 0, 0) if row is None else found.boxes[row].tolist()
        area = 0 if row is None else int(found.areas[row])
        category = categories[categories.label(info.category_id)]
        shapes.append(Shape(info.id, category, info.is_crowd, area, (x, y, x + w, y + h)))
    drawn = _sample(ids, picture_size(_size_of(ids)))
    if rows:
        drawn[np.isin(drawn, list(rows))] = 0
    void = ids.size - sum(shape.area for shape in shapes)
    return Layer(drawn, tuple(shapes), void, tuple(rows))


def _sample(ids: NDArray[np.int32], size: Size) -> NDArray[np.int32]:
    """A copy in another size; each pixel has the id at its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.int64)
        for old, new in zip(ids.shape, size, strict=True)
    )
    return ids[rows[:, None], columns]
