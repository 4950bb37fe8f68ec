"""Panoptic quality of arrays: hand-worked cases, and a pixel-by-pixel restatement of the definition."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spatialflow.categories import Categories, Category
from spatialflow.errors import DataError
from spatialflow.evaluation.matching import count_overlaps, match_segments
from spatialflow.evaluation.panoptic_quality import PanopticQuality
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.report import pq_table
from spatialflow.evaluation.segment_table import SegmentTable
from spatialflow.panoptic_annotation import SegmentInfo
from spatialflow.structures import PanopticPrediction, Segment, Target

CATEGORIES = Categories(
    [Category(i, f"class{i}", i < 30, (0, 0, 0)) for i in (10, 20, 30, 40)],
)
"""Labels 0, 1 are things 10, 20; labels 2, 3 stuff 30, 40."""
Ids = NDArray[np.int32]


def table(
    rows: dict[int, int], crowds: tuple[int, ...] = (), areas: dict[int, int] | None = None
) -> SegmentTable:
    """``rows``: label of each segment id."""
    return SegmentTable(
        ids=np.array(list(rows), np.int64),
        labels=np.array(list(rows.values()), np.int64),
        is_crowd=np.array([i in crowds for i in rows], np.bool_),
        areas=None if areas is None else np.array([areas[i] for i in rows], np.int64),
    )


def line(*runs: tuple[int, int]) -> Ids:
    """(1, W) id map of runs (id, length)."""
    return np.concatenate([np.full(n, i, np.int32) for i, n in runs])[None]


def counts_of(pred_ids: Ids, pred: SegmentTable, truth_ids: Ids, truth: SegmentTable) -> list[list[float]]:
    return match_segments(pred_ids, pred, truth_ids, truth, len(CATEGORIES)).tolist()


NOTHING = [0, 0, 0, 0]

HAND_WORKED = {
    "perfect": (line((5, 3), (6, 3)), table({5: 0, 6: 2}), line((1, 3), (2, 3)), table({1: 0, 2: 2}),
                [[1, 1, 0, 0], NOTHING, [1, 1, 0, 0], NOTHING]),
    "wrong category": (line((5, 4)), table({5: 1}), line((1, 4)), table({1: 0}),
                       [[0, 0, 0, 1], [0, 0, 1, 0], NOTHING, NOTHING]),
    "truth all void": (line((5, 4)), table({5: 0}), line((0, 4)), table({}), [NOTHING] * 4),
    "prediction all void": (line((0, 4)), table({}), line((1, 4)), table({1: 0}),
                            [[0, 0, 0, 1]] + [NOTHING] * 3),
    # IoU 3 / 6 is not above one half.
    "half": (line((5, 3), (0, 3)), table({5: 0}), line((1, 6)), table({1: 0}),
             [[0, 0, 1, 1]] + [NOTHING] * 3),
    "four sevenths": (line((5, 4), (0, 3)), table({5: 0}), line((1, 7)), table({1: 0}),
                      [[4 / 7, 1, 0, 0]] + [NOTHING] * 3),
    # Truth 1 is split: only the larger part matches.
    "split": (line((5, 4), (6, 2)), table({5: 0, 6: 0}), line((1, 6)), table({1: 0}),
              [[4 / 6, 1, 1, 0]] + [NOTHING] * 3),
    # 2 of 6 predicted pixels are void: IoU 3 / (6 + 4 - 3 - 2).
    "void leaves the union": (line((0, 1), (5, 6)), table({5: 0}), line((1, 4), (2, 1), (0, 2)),
                              table({1: 0, 2: 1}),
                              [[3 / 5, 1, 0, 0], [0, 0, 0, 1], NOTHING, NOTHING]),
    "half on void is spurious": (line((5, 4)), table({5: 0}), line((0, 2), (1, 2)), table({1: 2}),
                                 [[0, 0, 1, 0], NOTHING, [0, 0, 0, 1], NOTHING]),
    "more on void is not": (line((5, 4)), table({5: 0}), line((0, 3), (1, 1)), table({1: 2}),
                            [NOTHING, NOTHING, [0, 0, 0, 1], NOTHING]),
    "crowd is neither missed nor matched": (line((5, 4)), table({5: 0}), line((1, 4)), table({1: 0}, (1,)),
                                            [NOTHING] * 4),
    "crowd of another category": (line((5, 4)), table({5: 1}), line((1, 4)), table({1: 0}, (1,)),
                                  [NOTHING, [0, 0, 1, 0], NOTHING, NOTHING]),
    "void and crowd add up": (line((5, 4)), table({5: 0}), line((0, 1), (1, 2), (2, 1)),
                              table({1: 0, 2: 2}, (1,)),
                              [NOTHING, NOTHING, [0, 0, 0, 1], NOTHING]),
    # The reference remembers one crowd a category: prediction 5 lies on the first and is spurious.
    "last crowd": (line((5, 2), (6, 2)), table({5: 0, 6: 0}), line((1, 2), (2, 2)),
                   table({1: 0, 2: 0}, (1, 2)),
                   [[0, 0, 1, 0]] + [NOTHING] * 3),
    # "Last" is by the list, not by the id.
    "last listed crowd": (line((5, 2), (6, 2)), table({5: 0, 6: 1}), line((1, 2), (2, 2)),
                          table({2: 0, 1: 0}, (1, 2)), [NOTHING, [0, 0, 1, 0], NOTHING, NOTHING]),
    # The stated area, 6, counts instead of the 4 painted pixels: 4 / (4 + 6 - 4).
    "stated area": (line((5, 4)), table({5: 0}), line((1, 4)), table({1: 0}, areas={1: 6}),
                    [[4 / 6, 1, 0, 0]] + [NOTHING] * 3),
    "truth without pixels is missed": (line((5, 4)), table({5: 0}), line((1, 4)), table({1: 0, 9: 3}),
                                       [[1, 1, 0, 0], NOTHING, NOTHING, [0, 0, 0, 1]]),
    # Pixels of 9, which truth does not list, are not void: 3 / (5 + 3 - 3), and 6 is spurious.
    "unlisted truth": (line((5, 5), (6, 2)), table({5: 0, 6: 0}), line((1, 3), (9, 4)), table({1: 0}),
                       [[3 / 5, 1, 1, 0]] + [NOTHING] * 3),
    "one pixel": (line((5, 1)), table({5: 3}), line((2**24 - 1, 1)), table({2**24 - 1: 3}),
                  [NOTHING] * 3 + [[1, 1, 0, 0]]),
    "no pixel": (np.zeros((0, 3), np.int32), table({}), np.zeros((0, 3), np.int32), table({}), [NOTHING] * 4),
}  # fmt: skip


@pytest.mark.parametrize("name", HAND_WORKED)
def test_hand_worked(name: str) -> None:
    pred_ids, pred, truth_ids, truth, expected = HAND_WORKED[name]
    np.testing.assert_allclose(counts_of(pred_ids, pred, truth_ids, truth), expected, rtol=1e-12)


def by_pixels(pred_ids: Ids, pred: SegmentTable, truth_ids: Ids, truth: SegmentTable) -> list[list[float]]:
    """The definition in the plainest words: count pixels, then look at every pair of segments."""
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for y in range(pred_ids.shape[0]):
        for x in range(pred_ids.shape[1]):
            shared[int(pred_ids[y, x]), int(truth_ids[y, x])] += 1
    counts = [[0.0] * 4 for _ in CATEGORIES]
    matched_pred, crowd_of = set(), {}
    for row, (t, t_label) in enumerate(zip(truth.ids.tolist(), truth.labels.tolist(), strict=True)):
        if truth.is_crowd[row]:
            crowd_of[t_label] = t
            continue
        found = False
        for p, p_label in zip(pred.ids.tolist(), pred.labels.tolist(), strict=True):
            if p_label == t_label and shared[p, t]:
                p_area = sum(n for (i, _), n in shared.items() if i == p)
                t_area = truth.areas[row] if truth.areas is not None else sum(
                    n for (_, i), n in shared.items() if i == t
                )  # fmt: skip
                iou = shared[p, t] / (p_area + t_area - shared[p, t] - shared[p, 0])
                if iou > 0.5:
                    counts[t_label][0] += iou
                    counts[t_label][1] += 1
                    matched_pred.add(p)
                    found = True
        counts[t_label][3] += not found
    for p, p_label in zip(pred.ids.tolist(), pred.labels.tolist(), strict=True):
        p_area = sum(n for (i, _), n in shared.items() if i == p)
        ignored = shared[p, 0] + (shared[p, crowd_of[p_label]] if p_label in crowd_of else 0)
        if p not in matched_pred and ignored / p_area <= 0.5:
            counts[p_label][2] += 1
    return counts


def random_image(seed: int) -> tuple[Ids, SegmentTable, Ids, SegmentTable]:
    """Blocks of segments, the prediction a disturbed truth; with void, crowds, false areas and stray ids."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 13, 2)
    block, number = int(rng.integers(1, 5)), int(rng.integers(1, 12))
    top = int(rng.choice([number + 1, 2**24 - 1]))
    ids = rng.choice(
        np.arange(1, top) if top < 100 else rng.integers(1, top, 4 * number), number, replace=False
    )
    ids = np.unique(ids)
    rng.shuffle(ids)
    rough = rng.choice(np.append(ids, 0), (-(-height // block), -(-width // block)))
    truth_ids = np.kron(rough, np.ones((block, block), np.int64))[:height, :width].astype(np.int32)
    noise = rng.random(truth_ids.shape) < rng.choice([0, 0.1, 0.4])
    pred_ids = np.where(noise, rng.choice(np.append(ids, 0), truth_ids.shape), truth_ids).astype(np.int32)
    labels = {int(i): int(rng.integers(len(CATEGORIES))) for i in ids}
    painted = set(np.unique(pred_ids).tolist()) - {0}
    pred = table(
        {i: label if rng.random() < 0.9 else 3 - label for i, label in labels.items() if i in painted}
    )
    listed = {i: label for i, label in labels.items() if rng.random() < 0.95}
    crowds = tuple(i for i in listed if rng.random() < 0.2)
    areas = {i: int((truth_ids == i).sum() + rng.integers(0, 3)) for i in listed} if seed % 2 else None
    return pred_ids, pred, truth_ids, table(listed, crowds, areas)


def test_random_images_agree_with_the_definition() -> None:
    total = np.zeros((len(CATEGORIES), 4))
    for seed in range(300):
        image = random_image(seed)
        expected = by_pixels(*image)
        np.testing.assert_allclose(counts_of(*image), expected, rtol=1e-12, err_msg=f"seed {seed}")
        total += expected
    assert (total[:, 1:] > 50).all()  # the images have something to find, to miss and to make up


def test_many_segments_are_counted_without_a_table_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    ids = rng.choice(2**24 - 1, 1500, replace=False) + 1
    pred_ids, truth_ids = (rng.permutation(ids).reshape(30, 50).astype(np.int32) for _ in range(2))
    sparse = count_overlaps(pred_ids, ids, truth_ids, ids)
    monkeypatch.setattr("spatialflow.evaluation.matching._DENSE_CELLS", 10**7)
    dense = count_overlaps(pred_ids, ids, truth_ids, ids)
    assert len(sparse.pixels) == 1500
    for a, b in zip(sparse, dense, strict=True):
        np.testing.assert_array_equal(a, b)


def test_quality_is_worked_out_from_counts() -> None:
    counts = np.array([[1.5, 2, 1, 0], [0, 0, 3, 1], [0, 0, 0, 0], [0.8, 1, 0, 2]])
    result = PQResult.from_counts(counts, CATEGORIES)
    first, second, third, fourth = (result.per_class[i] for i in (10, 20, 30, 40))
    assert (first.pq, first.sq, first.rq) == pytest.approx((1.5 / 2.5, 0.75, 2 / 2.5))
    assert (second.pq, second.sq, second.rq, second.fp, second.fn) == (0, 0, 0, 3, 1)
    assert (third.pq, third.sq, third.rq, third.tp) == (0, 0, 0, 0)
    assert (fourth.pq, fourth.sq, fourth.rq) == pytest.approx((0.4, 0.8, 0.5))
    assert result.all.n == 3
    assert result.all.pq == pytest.approx((0.6 + 0 + 0.4) / 3)
    assert (result.things.n, result.stuff.n) == (2, 1)
    assert result.things.sq == pytest.approx(0.75 / 2)
    assert result.stuff.rq == pytest.approx(0.5)
    assert result.to_json()["per_class"]["10"] == pytest.approx(
        {"pq": 0.6, "sq": 0.75, "rq": 0.8, "iou": 1.5, "tp": 2, "fp": 1, "fn": 0}
    )


def test_nothing_at_all_is_zero() -> None:
    result = PanopticQuality(CATEGORIES).compute()
    for group in (result.all, result.things, result.stuff):
        assert (group.pq, group.sq, group.rq, group.n) == (0, 0, 0, 0)


def test_shards_add_up_to_the_whole() -> None:
    whole, shards = PanopticQuality(CATEGORIES), [PanopticQuality(CATEGORIES) for _ in range(3)]
    for seed in range(30):
        whole.update(*random_image(seed))
        shards[seed % 3].update(*random_image(seed))
    summed = PanopticQuality(CATEGORIES)
    summed.load_state(shards[0].state + shards[1].state)
    summed.merge(shards[2])
    np.testing.assert_allclose(summed.state, whole.state, rtol=1e-12)
    assert whole.state[:, 1].sum() > 20
    assert summed.compute().all.pq == pytest.approx(whole.compute().all.pq)
    summed.reset()
    assert not summed.state.any()


def test_state_is_a_copy_and_its_shape_is_checked() -> None:
    metric = PanopticQuality(CATEGORIES)
    metric.state[:] = 7
    assert not metric.state.any()
    with pytest.raises(ValueError, match=r"shape \(4, 4\)"):
        metric.load_state(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="cannot merge"):
        metric.merge(PanopticQuality(Categories([Category(1, "a", True, (0, 0, 0))])))


FAULTS = {
    "sizes": (line((5, 4)), table({5: 0}), line((1, 5)), table({1: 0}), r"4x1 pixels, the truth 5x1"),
    "not listed": (line((5, 2), (77, 2)), table({5: 0}), line((1, 4)), table({1: 0}),
                   r"segment 77 is in the PNG"),
    "not painted": (line((5, 4)), table({5: 0, 78: 0}), line((1, 4)), table({1: 0}),
                    r"segment 78 is in segments_info"),
    "area 0": (line((5, 4)), table({5: 0}), line((1, 4)), table({1: 0}, areas={1: 0}),
               r"segment 1 of the truth"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str) -> None:
    pred_ids, pred, truth_ids, truth, expected = FAULTS[name]
    with pytest.raises(DataError, match=expected):
        PanopticQuality(CATEGORIES).update(pred_ids, pred, truth_ids, truth)


def test_tables_from_prediction_target_and_file() -> None:
    box = (0, 0, 1, 1)
    prediction = PanopticPrediction(
        torch.tensor([[4, 4, 0]], dtype=torch.int32), (Segment(4, 2, CATEGORIES[2], False, 0.5, 2, box),)
    )
    target = Target(
        id_map=torch.tensor([[9, 9, 8]], dtype=torch.int32),
        ids=torch.tensor([9, 8, 7]),
        labels=torch.tensor([2, 0, 1]),
        is_crowd=torch.tensor([False, True, False]),
        boxes=torch.zeros(3, 4),
        image_id=1,
        file_name="",
        original_size=(1, 3),
    )
    truth = SegmentTable.from_target(target)
    assert (truth.ids.tolist(), truth.labels.tolist(), truth.is_crowd.tolist()) == (
        [9, 8],
        [2, 0],
        [False, True],
    )
    metric = PanopticQuality(CATEGORIES)
    metric.update(prediction.segment_ids, SegmentTable.from_prediction(prediction), target.id_map, truth)
    assert metric.state.tolist() == [NOTHING, NOTHING, [1, 1, 0, 0], NOTHING]
    rows = [SegmentInfo(6, 40, True, 3, None), SegmentInfo(5, 10, False, 2, None)]
    listed = SegmentTable.from_infos(rows, CATEGORIES)
    assert listed.areas is not None
    assert (listed.ids.tolist(), listed.labels.tolist(), listed.areas.tolist()) == ([6, 5], [3, 0], [3, 2])
    assert SegmentTable.from_infos([SegmentInfo(6, 40, True, None, None)], CATEGORIES).areas is None


@pytest.mark.parametrize("ids", [[1, 1], [0, 1]])
def test_table_refuses_ids(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="unique and not 0"):
        SegmentTable(np.array(ids), np.zeros(2, np.int64), np.zeros(2, np.bool_))


def test_table_of_results() -> None:
    counts = np.array([[1.5, 2, 1, 0], [0, 0, 3, 1], [0, 0, 0, 0], [0.8, 1, 0, 2]])
    result = PQResult.from_counts(counts, CATEGORIES)
    columns = [list(column.cells) for column in pq_table(result, CATEGORIES, per_class=True).columns]
    rows = list(zip(*columns, strict=True))
    assert rows[0][:5] == ("All", "33.3", "51.7", "43.3", "3")
    assert [row[0] for row in rows] == ["All", "Things", "Stuff", "class10", "class20", "class30", "class40"]
    assert rows[3] == ("class10", "60.0", "75.0", "80.0", "", "2", "1", "0")
    assert rows[5][1] == "-"
    assert len(pq_table(result, CATEGORIES).columns) == 5
