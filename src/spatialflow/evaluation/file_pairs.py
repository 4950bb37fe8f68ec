"""Prediction and truth of each image of two COCO-panoptic files, matched on all cores."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo, PanopticFile, read_prediction, read_truth
from spatialflow.data.reading import segments_folder
from spatialflow.errors import DataError
from spatialflow.evaluation.matching import Matching, find_matches
from spatialflow.evaluation.segment_table import SegmentTable
from spatialflow.image_io import read_id_png
from spatialflow.panoptic_annotation import ImageAnnotation, ImageId
from spatialflow.workers import map_in_order
from spatialflow.zip_path import ReadPath


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Prediction and truth of one image, and what became of their segments."""

    pred_ids: NDArray[np.int32]
    """(H, W) segment ids, 0 = void."""
    pred: SegmentTable
    truth_ids: NDArray[np.int32]
    """(H, W) segment ids, 0 = void."""
    truth: SegmentTable
    matching: Matching


@dataclass(frozen=True, slots=True)
class FilePairs:
    """All annotated images of the truth, each with its prediction."""

    categories: Categories
    pred_json: Path
    pred_folder: ReadPath
    truth_folder: ReadPath
    pairs: list[tuple[ImageAnnotation, ImageAnnotation]]
    """(prediction, truth) of each image, in the order of the truth."""
    images: dict[ImageId, ImageInfo]
    """All photos that the truth lists, by id."""

    def __len__(self) -> int:
        return len(self.pairs)

    def share(self, rank: int, ranks: int) -> "FilePairs":
        """Every ``ranks``-th pair from ``rank`` on."""
        return replace(self, pairs=self.pairs[rank::ranks])

    def read_truth(self, truth: ImageAnnotation) -> tuple[NDArray[np.int32], SegmentTable]:
        """One image's true id map, (H, W), and its segments.

        Raises:
            DataError: the PNG is missing or wrong.
        """
        ids = read_id_png(self.truth_folder / truth.file_name)
        return ids, SegmentTable.from_infos(truth.segments, self.categories)

    def compare(self, index: int) -> Comparison:
        """Match one image's segments.

        Raises:
            DataError: a PNG is missing or wrong, or disagrees with its JSON.
        """
        pred, truth = self.pairs[index]
        try:
            pred_ids = read_id_png(self.pred_folder / pred.file_name)
            truth_ids, truth_table = self.read_truth(truth)
        except DataError as error:
            raise DataError(f"{error} (image {truth.image_id!r})") from None
        pred_table = SegmentTable.from_infos(pred.segments, self.categories)
        try:
            matching = find_matches(pred_ids, pred_table, truth_ids, truth_table, len(self.categories))
        except DataError as error:
            raise DataError(f"{self.pred_json}: image {truth.image_id!r}: {error}") from None
        return Comparison(pred_ids, pred_table, truth_ids, truth_table, matching)

    def count(self, index: int) -> NDArray[np.float64]:
        """Counts of one image: (num_labels, 4), see :meth:`Matching.counts`.

        Raises:
            DataError: see :meth:`compare`.
        """
        compared = self.compare(index)
        return compared.matching.counts(compared.pred, compared.truth, len(self.categories))


def open_pairs(
    gt_json: str | os.PathLike[str],
    pred_json: str | os.PathLike[str],
    gt_dir: str | os.PathLike[str] | None = None,
    pred_dir: str | os.PathLike[str] | None = None,
    is_complete: bool = True,
) -> FilePairs:
    """Read both JSON files and find each image's prediction; no PNG is read yet.

    Args:
        gt_json: ground truth.
        pred_json: prediction.
        gt_dir: folder of the truth's PNGs; by default the path of ``gt_json`` without ``.json``.
        pred_dir: likewise of the prediction's.
        is_complete: whether each image must have a prediction; if not, those without are left out.

    Raises:
        DataError: a file or folder is missing or wrong, an image has no prediction, or a predicted segment
            has a category that the truth does not know.
    """
    truth, pred = read_truth(gt_json), read_prediction(pred_json)
    assert truth.categories is not None
    truth_folder = segments_folder(gt_json, gt_dir, truth.example)
    pred_folder = segments_folder(pred_json, pred_dir, pred.example)
    pairs = [
        (_prediction_of(annotation, truth, pred), annotation)
        for annotation in truth.annotations.values()
        if is_complete or annotation.image_id in pred.annotations
    ]
    return FilePairs(truth.categories, pred.path, pred_folder, truth_folder, pairs, truth.images)


def _prediction_of(annotation: ImageAnnotation, truth: PanopticFile, pred: PanopticFile) -> ImageAnnotation:
    image_id = annotation.image_id
    found = pred.annotations.get(image_id)
    if found is None:
        raise DataError(
            f"{pred.path}: annotations: image {image_id!r} of {truth.path} has no prediction; add one (an "
            f"image without segments has an empty segments_info and a black PNG)"
        )
    name, true_name = pred.photo_names.get(image_id), truth.images[image_id].file_name
    if name is not None and PurePosixPath(name).stem != PurePosixPath(true_name).stem:
        raise DataError(
            f"{pred.path}: images: image {image_id!r} is {name!r}, but {true_name!r} in {truth.path}; ids "
            f"must be those of the truth, as `spatialflow evaluate` writes them (`predict` counts its photos)"
        )
    assert truth.categories is not None
    for segment in found.segments:
        if segment.category_id not in truth.categories:
            raise DataError(
                f"{pred.path}: image {image_id!r}: segment {segment.id} has category_id {segment.category_id}"
                f", which {truth.path} does not know; use the truth's category ids"
            )
    return found


def count_pairs(pairs: FilePairs, workers: int | None = None) -> Iterator[NDArray[np.float64]]:
    """Match every image, on ``workers`` threads (default: all cores); yields in the order of the pairs.

    Raises:
        DataError: see :meth:`FilePairs.count`; of several faults, the first by order.
    """
    return map_in_order(pairs.count, range(len(pairs)), workers)
