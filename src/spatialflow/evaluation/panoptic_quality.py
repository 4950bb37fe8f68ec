"""Panoptic quality of a stream of images: in memory during training, or of two COCO-panoptic files."""

import os
from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialflow.categories import Categories
from spatialflow.evaluation.file_pairs import FilePairs, count_pairs, open_pairs
from spatialflow.evaluation.matching import match_segments
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.segment_table import SegmentTable


class PanopticQuality:
    """Sums matches image by image; its state is one array, so that processes can add theirs up.

    Example:
        >>> metric = PanopticQuality(categories)
        >>> metric.update(prediction.segment_ids, SegmentTable.from_prediction(prediction),
        ...               target.id_map, SegmentTable.from_target(target))
        >>> metric.compute().all.pq
    """

    def __init__(self, categories: Categories) -> None:
        self.categories = categories
        self._counts = np.zeros((len(categories), 4))

    def update(
        self,
        pred_ids: ArrayLike,
        pred_segments: SegmentTable,
        truth_ids: ArrayLike,
        truth_segments: SegmentTable,
    ) -> None:
        """Add one image: two (H, W) id maps (arrays or CPU tensors of integers, 0 = void) and their segments.

        Raises:
            DataError: sizes differ, or a map and its segments disagree.
        """
        self.add(
            match_segments(
                np.asarray(pred_ids),
                pred_segments,
                np.asarray(truth_ids),
                truth_segments,
                len(self.categories),
            )
        )

    def add(self, counts: NDArray[np.float64]) -> None:
        """Add one image's counts, (num_labels, 4), as :func:`match_segments` gives them."""
        self._counts += counts

    def compute(self) -> PQResult:
        """Quality of all images so far."""
        return PQResult.from_counts(self._counts, self.categories)

    def reset(self) -> None:
        """Forget all images."""
        self._counts = np.zeros_like(self._counts)

    @property
    def state(self) -> NDArray[np.float64]:
        """(num_labels, 4) sum of IoU, true positives, false positives, false negatives; ranks add them."""
        return self._counts.copy()

    def load_state(self, state: ArrayLike) -> None:
        """Replace the sums by ``state``, (num_labels, 4)."""
        counts = np.array(state, np.float64)
        if counts.shape != self._counts.shape:
            raise ValueError(f"a state of shape {self._counts.shape} is expected, got {counts.shape}")
        self._counts = counts

    def merge(self, other: Self) -> None:
        """Add the images of another accumulator of the same categories."""
        if other.categories != self.categories:
            raise ValueError(f"cannot merge {other.categories} into {self.categories}")
        self._counts += other._counts


def evaluate_pq(
    gt_json: str | os.PathLike[str],
    pred_json: str | os.PathLike[str],
    gt_dir: str | os.PathLike[str] | None = None,
    pred_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> PQResult:
    """Panoptic quality of a COCO-panoptic prediction, equal to COCO's reference implementation.

    Images stream through; the result does not depend on ``workers``. Predictions of images that the truth
    does not annotate are left out.

    Args:
        gt_json: ground truth.
        pred_json: prediction, which needs only ``annotations``.
        gt_dir: folder or ``.zip`` of the truth's PNGs; by default the path of ``gt_json`` without ``.json``.
        pred_dir: likewise of the prediction's.
        workers: threads; by default one for each core this process may use.
        progress: called with the number of images done and of all images, from the calling thread.

    Raises:
        DataError: a file is missing or wrong; the message names file, image, segment and remedy.
    """
    pairs = open_pairs(gt_json, pred_json, gt_dir, pred_dir)
    return quality_of_pairs(pairs, workers, progress).compute()


def quality_of_pairs(
    pairs: FilePairs, workers: int | None = None, progress: Callable[[int, int], object] | None = None
) -> PanopticQuality:
    """Sums over some pairs of files; see :func:`evaluate_pq`."""
    metric = PanopticQuality(pairs.categories)
    for done, counts in enumerate(count_pairs(pairs, workers), start=1):
        metric.add(counts)
        if progress is not None:
            progress(done, len(pairs))
    return metric
