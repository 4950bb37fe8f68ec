"""Matching of predicted to true segments in one image (Kirillov et al., Panoptic Segmentation, CVPR 2019).

The rules beyond the paper, on which published numbers depend, are those of COCO's reference implementation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialflow.errors import DataError
from spatialflow.evaluation.segment_table import SegmentTable

IOU_SUM, TRUE_POSITIVES, FALSE_POSITIVES, FALSE_NEGATIVES = range(4)
"""Columns of the counts."""

_DENSE_CELLS = 1 << 20
"""Largest table of all pairs that is counted directly; beyond, pairs are sorted, which needs less memory."""


class Overlaps(NamedTuple):
    """Pixels shared by each pair of segments that meet; K pairs of T true and P predicted segments."""

    truth: NDArray[np.int64]
    """(K,) row of the true segment; T for void, T + 1 for an id that no row has."""
    pred: NDArray[np.int64]
    """(K,) row of the predicted segment; P for void, P + 1 for an id that no row has."""
    pixels: NDArray[np.float64]
    """(K,) whole numbers."""


class SegmentPairs(NamedTuple):
    """M pairs of a true and a predicted segment."""

    truth: NDArray[np.int64]
    """(M,) row of the true segment."""
    pred: NDArray[np.int64]
    """(M,) row of the predicted segment."""
    iou: NDArray[np.float64]
    """(M,) above 0.5, as matches count it."""


class Matching(NamedTuple):
    """What became of each of T true and P predicted segments of one image."""

    matches: SegmentPairs
    """True positives."""
    false_positives: NDArray[np.bool_]
    """(P,) predicted, but not there; what is neither this nor matched lies on void or a crowd."""
    false_negatives: NDArray[np.bool_]
    """(T,) there, but not found."""
    wrong_matches: SegmentPairs
    """Found, but named wrongly: a false positive and a false negative of different labels whose IoU is above
    0.5. PQ counts each as the two mistakes that it is made of. A segment is in one of them at most, unless
    the annotation states areas that are wrong."""

    def counts(self, pred: SegmentTable, truth: SegmentTable, num_labels: int) -> NDArray[np.float64]:
        """(num_labels, 4) float64: sum of IoU, true positives, false positives, false negatives."""
        labels = truth.labels[self.matches.truth]
        counts = np.zeros((num_labels, 4))
        counts[:, IOU_SUM] = _sum_by(labels, self.matches.iou, num_labels)
        counts[:, TRUE_POSITIVES] = np.bincount(labels, minlength=num_labels)
        counts[:, FALSE_POSITIVES] = np.bincount(pred.labels[self.false_positives], minlength=num_labels)
        counts[:, FALSE_NEGATIVES] = np.bincount(truth.labels[self.false_negatives], minlength=num_labels)
        return counts


def match_segments(
    pred_ids: NDArray[np.integer],
    pred: SegmentTable,
    truth_ids: NDArray[np.integer],
    truth: SegmentTable,
    num_labels: int,
) -> NDArray[np.float64]:
    """Count matches of one image; see :func:`find_matches`.

    Returns:
        (num_labels, 4) float64: sum of IoU, true positives, false positives, false negatives.

    Raises:
        DataError: see :func:`find_matches`.
    """
    return find_matches(pred_ids, pred, truth_ids, truth, num_labels).counts(pred, truth, num_labels)


def find_matches(
    pred_ids: NDArray[np.integer],
    pred: SegmentTable,
    truth_ids: NDArray[np.integer],
    truth: SegmentTable,
    num_labels: int,
) -> Matching:
    """Find out what became of each segment of one image.

    A predicted and a true segment of one label match at IoU > 0.5, where the union leaves out the predicted
    pixels that are void in the truth, and the true area is the one the annotation states. Crowds match
    nothing. A prediction without match is no false positive if more than half of it lies on void or on the
    last-listed crowd of its label. True pixels whose id has no row belong to nothing, and are not void.

    Args:
        pred_ids: (H, W) segment ids, 0 = void.
        pred: its segments, each with at least one pixel.
        truth_ids: (H, W) segment ids, 0 = void.
        truth: its segments; one without pixels is one missed.
        num_labels: above all labels.

    Raises:
        DataError: sizes differ, or id map and rows disagree; the segment is named, the image is the caller's.
    """
    if pred_ids.shape != truth_ids.shape:
        raise DataError(
            f"the prediction has {_size(pred_ids)} pixels, the truth {_size(truth_ids)} (width x height); "
            f"resize the prediction's ids to the truth's size with nearest neighbour"
        )
    overlaps = count_overlaps(pred_ids, pred.ids, truth_ids, truth.ids)
    pred_areas = _sum_by(overlaps.pred, overlaps.pixels, len(pred) + 2)
    _check_painted(pred_ids, pred, pred_areas)
    if truth.areas is None:
        truth_areas = _sum_by(overlaps.truth, overlaps.pixels, len(truth) + 2)
    else:
        truth_areas = truth.areas.astype(np.float64)

    on_void = overlaps.truth == len(truth)
    void_overlap = _sum_by(overlaps.pred[on_void], overlaps.pixels[on_void], len(pred) + 2)
    listed = (overlaps.truth < len(truth)) & (overlaps.pred < len(pred))
    t, p, pixels = overlaps.truth[listed], overlaps.pred[listed], overlaps.pixels[listed]

    same = truth.labels[t] == pred.labels[p]
    union = pred_areas[p] + truth_areas[t] - pixels - void_overlap[p]
    is_instance = ~truth.is_crowd[t]
    if not union[same & is_instance].all():
        segment = truth.ids[t[same & is_instance & (union == 0)][0]]
        raise DataError(f"segment {segment} of the truth has pixels but area 0; state its area in pixels")
    iou = np.divide(pixels, union, out=np.zeros_like(pixels), where=is_instance & (union > 0))
    overlap_enough = iou > 0.5
    match = same & overlap_enough

    missed = ~truth.is_crowd
    missed[t[match]] = False
    spurious = np.ones(len(pred), np.bool_)
    spurious[p[match]] = False
    ignored = void_overlap[: len(pred)] + _crowd_overlap(t, p, pixels, pred, truth, num_labels)
    spurious &= ~(ignored / pred_areas[: len(pred)] > 0.5)
    wrong = ~same & overlap_enough & missed[t] & spurious[p]
    return Matching(
        SegmentPairs(t[match], p[match], iou[match]),
        spurious,
        missed,
        SegmentPairs(t[wrong], p[wrong], iou[wrong]),
    )


def count_overlaps(
    pred_ids: NDArray[np.integer],
    pred_rows: NDArray[np.integer],
    truth_ids: NDArray[np.integer],
    truth_rows: NDArray[np.integer],
) -> Overlaps:
    """Count the pixels of each pair of ids that meet.

    Segments are connected, so a row of pixels is a few runs of one pair each: only runs are looked up, and
    their lengths summed, which is many times faster than sorting pixels.

    Args:
        pred_ids: (H, W) id map.
        pred_rows: (P,) unique ids, none 0, in any order.
        truth_ids: (H, W) id map.
        truth_rows: (T,) likewise.
    """
    pred_flat, truth_flat = pred_ids.ravel(), truth_ids.ravel()
    if pred_flat.size == 0:
        return Overlaps(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    changes = pred_flat[1:] != pred_flat[:-1]
    changes |= truth_flat[1:] != truth_flat[:-1]
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    lengths = np.diff(starts, append=pred_flat.size).astype(np.float64)

    width = len(pred_rows) + 2
    pairs = _row_of(truth_flat[starts], truth_rows) * width + _row_of(pred_flat[starts], pred_rows)
    if (len(truth_rows) + 2) * width <= _DENSE_CELLS:
        table = _sum_by(pairs, lengths, 0)
        met = np.flatnonzero(table)
        pixels = table[met]
    else:
        met, inverse = np.unique(pairs, return_inverse=True)
        pixels = _sum_by(inverse, lengths, 0)
    return Overlaps(met // width, met % width, pixels)


def _row_of(ids: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Position of each id in ``rows``; N for id 0, N + 1 for ids that are not there."""
    known = np.append(rows, 0)
    order = np.argsort(known)
    ascending = known[order]
    place = np.searchsorted(ascending, ids)
    place[place == len(known)] = 0
    return np.where(ascending[place] == ids, order[place], len(known))


def _sum_by(index: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(at least ``size``,) sum of the values of each index."""
    return np.bincount(index, values, size).astype(np.float64, copy=False)


def _crowd_overlap(
    t: NDArray[np.int64],
    p: NDArray[np.int64],
    pixels: NDArray[np.float64],
    pred: SegmentTable,
    truth: SegmentTable,
    num_labels: int,
) -> NDArray[np.float64]:
    """(P,) pixels of each prediction on the last-listed crowd of its label."""
    crowd_of_label = np.full(num_labels, -1)
    for row in np.flatnonzero(truth.is_crowd):
        crowd_of_label[truth.labels[row]] = row
    on_crowd = crowd_of_label[pred.labels[p]] == t
    return _sum_by(p[on_crowd], pixels[on_crowd], len(pred))


def _check_painted(pred_ids: NDArray[np.integer], pred: SegmentTable, areas: NDArray[np.float64]) -> None:
    if areas[len(pred) + 1]:
        stray = np.setdiff1d(pred_ids, np.append(pred.ids, 0))[0]
        raise DataError(
            f"segment {stray} is in the PNG but not in segments_info; list it there or paint it void (0)"
        )
    unpainted = pred.ids[areas[: len(pred)] == 0]
    if len(unpainted):
        raise DataError(
            f"segment {unpainted[0]} is in segments_info but has no pixel in the PNG; remove or paint it"
        )


def _size(ids: NDArray[np.integer]) -> str:
    return "x".join(str(side) for side in ids.shape[::-1])
