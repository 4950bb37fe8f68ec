"""Photos with COCO-panoptic ground truth (cocodataset.org/#format-data), read and transformed one by one."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from spatialflow.categories import Categories
from spatialflow.data.index_reading import open_index
from spatialflow.data.panoptic_index import NO_ANNOTATION, PanopticIndex
from spatialflow.data.panoptic_json import ImageInfo
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


class CocoPanoptic(Dataset[Example]):
    """Images of one COCO-panoptic JSON file, in its order; images it does not annotate are left out.

    A thing whose box is narrower or lower than one pixel of the photo, or wholly outside it, is no detection
    target in the original. In training such a thing comes as a crowd, which is the same treatment: its pixels
    count as things in the semantic map, and it is no instance. In evaluation it is what it is.

    Args:
        annotations: the JSON file.
        categories: classes the labels count; they must agree with those of the file.
        images: folder or ``.zip`` of the photos; by default see
            :func:`spatialflow.data.reading.find_images`.
        segments: folder or ``.zip`` of the PNGs; by default the JSON's path without ``.json``.
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
        truth = open_index(annotations)
        _check_categories(truth, categories)
        self.annotations = truth.path
        self.own_categories = truth.categories
        self.categories = categories
        self.segments = segments_folder(annotations, segments, truth.example)
        if not len(truth):
            raise DataError(f"{truth.path}: images: the list is empty; add at least one photo")
        self.images = find_images(truth.path, truth.info(0).file_name, images)
        self.scales = tuple(scales)
        self.flip = flip
        self.resize_truth = resize_truth
        self.seed = seed
        self._train = train
        needs_things = train and not keep_images_without_things and categories.num_things > 0
        self._truth = truth
        self._labels = _labels(truth, categories)
        is_thing = self._labels < categories.num_things
        self._kept = _select(truth, SMALLEST_SIDE if train else 1, is_thing if needs_things else None)

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Example:
        return self.read(index, np.random.default_rng([self.seed % 2**32, index % len(self)]))

    def info(self, index: int) -> ImageInfo:
        """Id, file name and size of an image, without reading it."""
        return self._truth.info(self._kept[index])

    @property
    def is_portrait(self) -> NDArray[np.bool_]:
        """(N,) of each image: whether it is higher than wide."""
        height, width = self._truth.sizes[self._kept].T
        return np.asarray(height > width)

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
        place = int(self._kept[index])
        image, rows = self._truth.info(place), self._truth.rows(place)
        ids, labels = self._truth.ids[rows], self._labels[rows].astype(np.int64)
        png = self.segments / self._truth.png_name(place)
        id_map = read_id_map(png, image, ids, self.annotations)
        photo = read_photo_like(photo_path(self.images, image.file_name), png, id_map.shape)
        boxes = _boxes(self._truth.bboxes[rows], ids, id_map)
        sample = transform(Sample(photo, id_map, boxes.astype(np.float32)))
        is_small = ~_is_detectable(boxes, id_map.shape) | (sample.boxes[:, 2:] <= sample.boxes[:, :2]).any(
            axis=1
        )
        is_thing = labels < self.categories.num_things
        is_crowd = self._truth.is_crowd[rows].copy()
        if self._train:
            is_crowd |= is_thing & is_small
        target = Target(
            id_map=torch.from_numpy(sample.id_map if self.resize_truth else id_map),
            ids=torch.from_numpy(ids.astype(np.int64)),
            labels=torch.from_numpy(labels),
            is_crowd=torch.from_numpy(is_crowd),
            boxes=torch.from_numpy(sample.boxes),
            image_id=image.id,
            file_name=image.file_name,
            original_size=(photo.shape[0], photo.shape[1]),
        )
        return Example(torch.from_numpy(sample.image).permute(2, 0, 1), target)


def _check_categories(truth: PanopticIndex, categories: Categories) -> None:
    """The file's ids must mean what the model's labels mean; classes no segment uses may differ."""
    used = set(np.unique(truth.category_ids).tolist())
    for theirs in truth.categories:
        if theirs.id not in used:
            continue
        ours = categories[categories.label(theirs.id)] if theirs.id in categories else None
        if ours is None or (ours.name, ours.is_thing) != (theirs.name, theirs.is_thing):
            kind = {True: "thing", False: "stuff"}
            expected = "no such id" if ours is None else f"{kind[ours.is_thing]} {ours.name!r}"
            raise DataError(
                f"{truth.path}: categories: id {theirs.id} is the {kind[theirs.is_thing]} {theirs.name!r}, "
                f"but the model's classes have {expected}; use data of these classes, or train a model on "
                f"this (data.train, with data.categories=auto)"
            )


def _labels(truth: PanopticIndex, categories: Categories) -> NDArray[np.int16]:
    """(S,) contiguous labels of all segments."""
    used, places = np.unique(truth.category_ids, return_inverse=True)
    return np.array([categories.label(category_id) for category_id in used.tolist()], np.int16)[places]


def _select(
    truth: PanopticIndex, smallest_side: int, is_thing: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """Places of the images to use; with ``is_thing``, (S,), each must have a thing."""
    annotated = truth.counts != NO_ANNOTATION
    large = truth.sizes.min(axis=1) >= smallest_side
    has_thing = np.ones(len(truth), np.bool_)
    if is_thing is not None:
        things_before = np.append(0, np.cumsum(is_thing))
        ends = truth.starts + np.maximum(truth.counts, 0)
        has_thing = things_before[ends] > things_before[truth.starts]
    kept = np.flatnonzero(annotated & large & has_thing)
    if len(kept) < len(truth):
        small, without = annotated & ~large, annotated & large & ~has_thing
        left_out = (
            f"{(~annotated).sum()} without annotation, {without.sum()} without things, "
            f"{small.sum()} smaller than {smallest_side} px"
        )
        if len(kept) == 0:
            raise DataError(
                f"{truth.path}: images: none of them can be used ({left_out}); add annotated photos"
            )
        _log.info("%s: %d of %d images are used; left out: %s", truth.path, len(kept), len(truth), left_out)
    return kept


def _boxes(
    bboxes: NDArray[np.float64], ids: NDArray[np.int32], id_map: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(N, 4) xyxy in pixels of the photo: as the file says, or around the segment's pixels."""
    boxes = bboxes.copy()
    for row in np.flatnonzero(np.isnan(boxes[:, 0])):
        boxes[row] = cv2.boundingRect((id_map == ids[row]).astype(np.uint8))
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _is_detectable(boxes: NDArray[np.float64], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """The original's rule for boxes it trains on: at least a pixel wide and high, and partly inside."""
    extent = boxes[:, 2:] - boxes[:, :2]
    inside = np.minimum(boxes[:, 2:], size[::-1]) - np.maximum(boxes[:, :2], 0)
    return np.logical_and((extent >= 1).all(axis=1), (inside > 0).all(axis=1))
