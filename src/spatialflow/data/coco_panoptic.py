"""Photos with COCO-panoptic ground truth (cocodataset.org/#format-data), read and transformed one by one."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import (
    ImageAnnotation,
    ImageInfo,
    PanopticFile,
    read_truth,
)
from spatialflow.data.reading import (
    SMALLEST_SIDE,
    find_images,
    photo_path,
    read_id_map,
    read_photo_like,
    segments_folder,
)
from spatialflow.data.transforms import Sample, Scale, augment
from spatialflow.errors import DataError
from spatialflow.structures import Target

_log = logging.getLogger(__name__)


class Example(NamedTuple):
    """One transformed image and its ground truth."""

    image: Tensor
    """(3, H, W) uint8 RGB."""
    target: Target


@dataclass(frozen=True, slots=True)
class _Entry:
    """One image and where its rows begin and end."""

    image: ImageInfo
    png: str
    rows: slice


@dataclass(frozen=True, slots=True)
class _Rows:
    """All segments of all images in four arrays.

    COCO has 1.3 million segments; as Python objects every loader process would come to hold its own copy,
    since counting references writes to shared memory.
    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int64]
    is_crowd: NDArray[np.bool_]
    bboxes: NDArray[np.float64]
    """(N, 4) x, y, w, h as the file has them; NaN where it has none."""

    def __getitem__(self, rows: slice) -> "_Rows":
        return _Rows(self.ids[rows], self.labels[rows], self.is_crowd[rows], self.bboxes[rows])


class CocoPanoptic(Dataset[Example]):
    """Images of one COCO-panoptic JSON file, in its order; images it does not annotate are left out.

    A thing whose box is narrower or lower than one pixel of the photo, or wholly outside it, is no detection
    target in the original. In training such a thing comes as a crowd, which is the same treatment: its pixels
    count as things in the semantic map, and it is no instance. In evaluation it is what it is.

    Args:
        annotations: the JSON file.
        categories: classes the labels count; they must agree with those of the file.
        images: folder of the photos; by default see :func:`spatialflow.data.reading.find_images`.
        segments: folder of the PNGs; by default the JSON's path without ``.json``.
        scales: one scale, or two between which each image's is drawn.
        flip: probability of mirroring.
        train: leave out what the original does not train on: photos with a side below 32 pixels, and photos
            without any thing (crowds count; nothing is left out if no category is a thing).
        keep_images_without_things: train on photos that show only stuff, or nothing.
        resize_truth: bring the id map to the image's new size; else it stays as the photo is, for evaluation.
        seed: of ``dataset[i]``, which draws the same each time; a loader calls :meth:`read` instead.

    Raises:
        DataError: the JSON is wrong or of other categories, a folder is missing, or no image is left.
    """

    def __init__(
        self,
        annotations: str | os.PathLike[str],
        categories: Categories,
        images: str | os.PathLike[str] | None = None,
        segments: str | os.PathLike[str] | None = None,
        *,
        scales: Sequence[Scale],
        flip: float = 0.0,
        train: bool = False,
        keep_images_without_things: bool = False,
        resize_truth: bool = True,
        seed: int = 0,
    ) -> None:
        truth = read_truth(annotations)
        _check_categories(truth, categories)
        self.annotations = truth.path
        self.categories = categories
        self.segments = segments_folder(annotations, segments)
        if not truth.images:
            raise DataError(f"{truth.path}: images: the list is empty; add at least one photo")
        self.images = find_images(truth.path, next(iter(truth.images.values())).file_name, images)
        self.scales = tuple(scales)
        self.flip = flip
        self.resize_truth = resize_truth
        self.seed = seed
        self._train = train
        needs_things = train and not keep_images_without_things and categories.num_things > 0
        kept = list(_select(truth, SMALLEST_SIDE if train else 1, categories if needs_things else None))
        self._entries, self._rows = _pack(kept, categories)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Example:
        return self.read(index, np.random.default_rng([self.seed % 2**32, index % len(self)]))

    def info(self, index: int) -> ImageInfo:
        """Id, file name and size of an image, without reading it."""
        return self._entries[index].image

    def original(self, index: int) -> Example:
        """The photo as it is, but turned as its truth is, and that truth.

        Raises:
            DataError: see :meth:`read`.
        """
        # a copy, since what a decoder gives may be read-only, which PyTorch's tensors cannot be
        return self._read(index, lambda sample: replace(sample, image=sample.image.copy()))

    def read(self, index: int, rng: np.random.Generator) -> Example:
        """Read and transform one image; ``rng`` decides scale and flip.

        Raises:
            DataError: photo or PNG are missing, truncated, of different sizes or not as the JSON says.
        """
        return self._read(index, lambda sample: augment(sample, self.scales, self.flip, rng))

    def _read(self, index: int, transform: Callable[[Sample], Sample]) -> Example:
        entry = self._entries[index]
        rows = self._rows[entry.rows]
        png = self.segments / entry.png
        id_map = read_id_map(png, entry.image, rows.ids, self.annotations)
        photo = read_photo_like(photo_path(self.images, entry.image.file_name), png, id_map.shape)
        boxes = _boxes(rows, id_map)
        sample = transform(Sample(photo, id_map, boxes.astype(np.float32)))
        is_small = ~_is_detectable(boxes, id_map.shape) | (sample.boxes[:, 2:] <= sample.boxes[:, :2]).any(
            axis=1
        )
        is_thing = rows.labels < self.categories.num_things
        is_crowd = rows.is_crowd | (is_thing & is_small) if self._train else rows.is_crowd
        target = Target(
            id_map=torch.from_numpy(sample.id_map if self.resize_truth else id_map),
            ids=torch.from_numpy(rows.ids.astype(np.int64)),
            labels=torch.from_numpy(rows.labels.copy()),
            is_crowd=torch.from_numpy(is_crowd.copy()),
            boxes=torch.from_numpy(sample.boxes),
            image_id=entry.image.id,
            file_name=entry.image.file_name,
            original_size=(photo.shape[0], photo.shape[1]),
        )
        return Example(torch.from_numpy(sample.image).permute(2, 0, 1), target)


def _check_categories(truth: PanopticFile, categories: Categories) -> None:
    """The file's ids must mean what the model's labels mean; classes no segment uses may differ."""
    used = {s.category_id for annotation in truth.annotations.values() for s in annotation.segments}
    for theirs in truth.categories or ():
        if theirs.id not in used:
            continue
        ours = categories[categories.label(theirs.id)] if theirs.id in categories else None
        if ours is None or (ours.name, ours.is_thing) != (theirs.name, theirs.is_thing):
            kind = {True: "thing", False: "stuff"}
            expected = "no such id" if ours is None else f"{kind[ours.is_thing]} {ours.name!r}"
            raise DataError(
                f"{truth.path}: categories: id {theirs.id} is the {kind[theirs.is_thing]} {theirs.name!r}, "
                f"but the configured categories have {expected}; set data.categories={truth.path}, or use "
                f"data of the model's classes"
            )


def _select(
    truth: PanopticFile, smallest_side: int, with_things: Categories | None
) -> Iterator[tuple[ImageInfo, ImageAnnotation]]:
    """Images to use; ``with_things`` are the categories of which an image must have a thing, if it must."""
    kept = unannotated = small = without = 0
    for image in truth.images.values():
        annotation = truth.annotations.get(image.id)
        if annotation is None:
            unannotated += 1
        elif min(image.height, image.width) < smallest_side:
            small += 1
        elif with_things and not any(_is_thing(s.category_id, with_things) for s in annotation.segments):
            without += 1
        else:
            kept += 1
            yield image, annotation
    left_out = (
        f"{unannotated} without annotation, {without} without things, {small} smaller than {smallest_side} px"
    )
    if kept == 0:
        raise DataError(f"{truth.path}: images: none of them can be used ({left_out}); add annotated photos")
    if kept < len(truth.images):
        _log.info("%s: %d of %d images are used; left out: %s", truth.path, kept, len(truth.images), left_out)


def _is_thing(category_id: int, categories: Categories) -> bool:
    return categories.label(category_id) < categories.num_things


def _pack(
    kept: list[tuple[ImageInfo, ImageAnnotation]], categories: Categories
) -> tuple[list[_Entry], _Rows]:
    entries, first = [], 0
    for image, annotation in kept:
        last = first + len(annotation.segments)
        entries.append(_Entry(image, annotation.file_name, slice(first, last)))
        first = last
    segments = [segment for _, annotation in kept for segment in annotation.segments]
    bboxes = [segment.bbox or (np.nan,) * 4 for segment in segments]
    return entries, _Rows(
        np.array([segment.id for segment in segments], np.int32),
        np.array([categories.label(segment.category_id) for segment in segments], np.int64),
        np.array([segment.is_crowd for segment in segments], np.bool_),
        np.array(bboxes, np.float64).reshape(-1, 4),
    )


def _boxes(rows: _Rows, id_map: NDArray[np.int32]) -> NDArray[np.float64]:
    """(N, 4) xyxy in pixels of the photo: as the file says, or around the segment's pixels."""
    boxes = rows.bboxes.copy()
    for row in np.flatnonzero(np.isnan(boxes[:, 0])):
        boxes[row] = cv2.boundingRect((id_map == rows.ids[row]).astype(np.uint8))
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _is_detectable(boxes: NDArray[np.float64], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """The original's rule for boxes it trains on: at least a pixel wide and high, and partly inside."""
    extent = boxes[:, 2:] - boxes[:, :2]
    inside = np.minimum(boxes[:, 2:], size[::-1]) - np.maximum(boxes[:, :2], 0)
    return np.logical_and((extent >= 1).all(axis=1), (inside > 0).all(axis=1))
