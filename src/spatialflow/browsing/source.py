"""What there is to look at: a data set's photos and truth, and perhaps predictions."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialflow.categories import Categories
from spatialflow.data.index_reading import open_index
from spatialflow.data.locating import guess_photo_folder
from spatialflow.data.panoptic_index import NO_ANNOTATION, PanopticIndex
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.reading import find_images, segments_folder
from spatialflow.errors import DataError
from spatialflow.evaluation.file_pairs import FilePairs, open_pairs
from spatialflow.panoptic_annotation import SegmentInfo
from spatialflow.zip_path import ReadPath

Location = str | os.PathLike[str]
_SAMPLE = 200
"""Names by which the folder of photos is looked for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One image to draw, as the files describe it."""

    image: ImageInfo
    png: str | None
    """File name of the true PNG; None if the image has no annotation."""
    truth: tuple[SegmentInfo, ...]
    pair: int | None = None
    """Its place among the pairs, if there are predictions."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a data set, and of predictions."""

    path: Path
    photos: ReadPath
    """Folder, or .zip."""
    segments: ReadPath
    """Folder of the true PNGs, or .zip."""
    truth: PanopticIndex | FilePairs

    @property
    def categories(self) -> Categories:
        """Those of the data set."""
        return self.truth.categories

    @property
    def pairs(self) -> FilePairs | None:
        """Predictions beside their truth, if there are any."""
        return self.truth if isinstance(self.truth, FilePairs) else None

    def __len__(self) -> int:
        """Images that can be drawn."""
        return len(self.truth)

    def subject(self, index: int) -> Subject:
        """The image at a place of the list."""
        if isinstance(self.truth, FilePairs):
            annotation = self.truth.pairs[index][1]
            image = self.truth.images[annotation.image_id]
            return Subject(image, annotation.file_name, annotation.segments, index)
        image = self.truth.info(index)
        if self.truth.counts[index] == NO_ANNOTATION:
            return Subject(image, None, ())
        return Subject(image, self.truth.png_name(index), _segments(self.truth, index))


def open_source(
    annotations: Location,
    images: Location | None = None,
    segments: Location | None = None,
    predictions: Location | None = None,
    predictions_dir: Location | None = None,
) -> Source:
    """Read the JSON files and find the folders; no picture is read yet.

    Args:
        annotations: ground truth.
        images: folder of the photos; by default the usual place that holds the most of them.
        segments: folder of the true PNGs; by default the path of ``annotations`` without ``.json``.
        predictions: images without one, or without annotation, are then left out.
        predictions_dir: folder of the predicted PNGs; by default beside ``predictions``.

    Raises:
        DataError: a file is wrong, a folder is missing, or there is no image.
    """
    path = Path(annotations)
    if predictions is None:
        index = open_index(path)
        if not len(index):
            raise DataError(f"{path}: images: the list is empty; there is nothing to look at")
        names = [index.info(i).file_name for i in range(min(len(index), _SAMPLE))]
        pngs = segments_folder(path, segments, index.example)
        return Source(path, _photo_folder(path, names, images), pngs, index)
    pairs = open_pairs(path, predictions, segments, predictions_dir, is_complete=False)
    if not len(pairs):
        raise DataError(
            f"{predictions}: annotations: has no prediction of any image that {path} annotates; give one "
            f"whose image ids are those of the data set, as `spatialflow evaluate` writes it"
        )
    names = [pairs.images[truth.image_id].file_name for _, truth in pairs.pairs[:_SAMPLE]]
    return Source(path, _photo_folder(path, names, images), pairs.truth_folder, pairs)


def _photo_folder(path: Path, names: Sequence[str], folder: Location | None) -> ReadPath:
    """The folder that was named, or where most of the photos are."""
    guess = None if folder is not None else guess_photo_folder(path, names)
    return guess or find_images(path, names[0], folder)


def _segments(truth: PanopticIndex, index: int) -> tuple[SegmentInfo, ...]:
    rows = truth.rows(index)
    columns = (truth.ids[rows], truth.category_ids[rows], truth.is_crowd[rows])
    return tuple(
        SegmentInfo(segment_id, category_id, is_crowd, None, None)
        for segment_id, category_id, is_crowd in zip(*(c.tolist() for c in columns), strict=True)
    )
