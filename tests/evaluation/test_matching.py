"""What becomes of single segments: hand-worked cases, and the definition of a wrong match on random images.

The counts that follow from it are tested in ``test_panoptic_quality.py``.
"""

import numpy as np
import pytest

from spatialflow.evaluation.matching import find_matches
from spatialflow.evaluation.segment_table import SegmentTable


def line(*runs: tuple[int, int]) -> np.ndarray:
    """(1, W) id map of runs (id, length)."""
    return np.concatenate([np.full(n, i, np.int32) for i, n in runs])[None]


def table(rows: dict[int, int], crowds: tuple[int, ...] = ()) -> SegmentTable:
    """``rows``: label of each segment id."""
    return SegmentTable(
        np.array(list(rows), np.int64),
        np.array(list(rows.values()), np.int64),
        np.array([i in crowds for i in rows], np.bool_),
    )


Ids = list[int]
CASES = {
    # (predicted ids, its labels), (true ids, its labels, crowds): matched, false, missed, wrong with IoU
    "found": (
        (line((5, 4)), {5: 0}), (line((1, 4)), {1: 0}, ()), [(1, 5, 1.0)], [], [], []),
    "named wrongly": (
        (line((5, 4)), {5: 1}), (line((1, 4)), {1: 0}, ()), [], [5], [1], [(1, 5, 1.0)]),
    # 3 / 4, and 2 is too small to be what 5 is about
    "of two, the one that overlaps": (
        (line((5, 4)), {5: 1}), (line((1, 3), (2, 1)), {1: 0, 2: 0}, ()), [], [5], [1, 2], [(1, 5, 0.75)]),
    # one half is not above one half
    "half": (
        (line((5, 2), (6, 2)), {5: 1, 6: 2}), (line((1, 4)), {1: 0}, ()), [], [5, 6], [1], []),
    # the union leaves out void: 3 / (5 + 3 - 3 - 2) = 1, though only 3 of 5 predicted pixels agree
    "void leaves the union": (
        (line((5, 5)), {5: 1}), (line((1, 3), (0, 2)), {1: 0}, ()), [], [5], [1], [(1, 5, 1.0)]),
    # more than half on void: no false positive, so no wrong match either
    "on void": (
        (line((5, 5)), {5: 1}), (line((1, 2), (0, 3)), {1: 0}, ()), [], [], [1], []),
    "on a crowd of its category": (
        (line((5, 4)), {5: 0}), (line((1, 4)), {1: 0}, (1,)), [], [], [], []),
    "on a crowd of another": (
        (line((5, 4)), {5: 1}), (line((1, 4)), {1: 0}, (1,)), [], [5], [], []),
    "a miss beside a false positive": (
        (line((0, 3), (5, 2)), {5: 0}), (line((1, 3), (2, 2)), {1: 0, 2: 3}, ()), [], [5], [1, 2],
        [(2, 5, 1.0)]),
    "nothing": ((line((0, 3)), {}), (line((0, 3)), {}, ()), [], [], [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_hand_worked(name: str) -> None:
    (pred_ids, labels), (truth_ids, true_labels, crowds), matched, false, missed, wrong = CASES[name]
    pred, truth = table(labels), table(true_labels, crowds)
    matching = find_matches(pred_ids, pred, truth_ids, truth, 4)

    def named(pairs: object) -> list[tuple[int, int, float]]:
        return [(int(truth.ids[t]), int(pred.ids[p]), float(iou)) for t, p, iou in zip(*pairs, strict=True)]

    assert named(matching.matches) == matched
    assert pred.ids[matching.false_positives].tolist() == false
    assert truth.ids[matching.false_negatives].tolist() == missed
    assert named(matching.wrong_matches) == wrong


def test_wrong_matches_by_the_definition() -> None:
    """Every pair of a false positive and a miss, by counting pixels."""
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth_ids = np.kron(rng.integers(0, 5, (3, 3)), np.ones((3, 3), np.int32)).astype(np.int32)
        noise = rng.random(truth_ids.shape) < 0.15
        pred_ids = np.where(noise, rng.integers(0, 5, truth_ids.shape), truth_ids).astype(np.int32)
        tables = []
        for ids in (pred_ids, truth_ids):
            labels = {int(i): int(rng.integers(0, 3)) for i in np.unique(ids) if i}
            tables.append(table(labels, tuple(i for i in labels if rng.random() < 0.2)))
        pred, truth = tables
        pred.is_crowd[:] = False
        matching = find_matches(pred_ids, pred, truth_ids, truth, 3)
        expected = []
        for t in np.flatnonzero(matching.false_negatives):
            for p in np.flatnonzero(matching.false_positives):
                mine = (pred_ids == pred.ids[p]) & (truth_ids != 0)
                theirs = truth_ids == truth.ids[t]
                iou = (mine & theirs).sum() / (mine | theirs).sum()
                if iou > 0.5 and truth.labels[t] != pred.labels[p]:
                    expected.append((int(t), int(p), pytest.approx(iou)))
        assert list(zip(*(column.tolist() for column in matching.wrong_matches), strict=True)) == expected
        assert len({t for t, _, _ in expected}) == len({p for _, p, _ in expected}) == len(expected)
        assert not (set(matching.matches.pred) & set(np.flatnonzero(matching.false_positives)))
        assert not (set(matching.matches.truth) & set(np.flatnonzero(matching.false_negatives)))
        found += len(expected)
    assert found > 50


def test_a_segment_that_is_found_is_in_no_wrong_match() -> None:
    """Stated areas that are wrong let two predictions have an IoU above 0.5 with one true segment."""
    truth = SegmentTable(np.array([1]), np.array([0]), np.array([False]), np.array([2]))
    matching = find_matches(line((5, 2), (6, 2)), table({5: 0, 6: 1}), line((1, 4)), truth, 2)
    assert matching.matches.pred.tolist() == [0]
    assert matching.wrong_matches.pred.tolist() == []
    assert matching.false_positives.tolist() == [False, True]
