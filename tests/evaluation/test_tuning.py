from pathlib import Path

import numpy as np
import pytest

from spatialflow.config import Config, MergeConfig
from spatialflow.evaluation import tuning
from spatialflow.evaluation.tuning import FoundStore, Tuned, overrides
from spatialflow.inference.dataset import evaluate_dataset, tune_merge
from spatialflow.inference.predictor import Predictor
from spatialflow.postprocess.panoptic import Instances
from spatialflow.postprocess.pipeline import Found
from spatialflow.training.run import TrainResult

BAD = MergeConfig(score_threshold=0.9, stuff_area=4000, using_bbox=True, bbox_threshold=0.2)


def evaluate_with(trained: TrainResult, merge: MergeConfig, out: Path, store: FoundStore | None = None):
    config = trained.model.config
    model = trained.model
    changed = config.model_copy(update={"model": config.model.model_copy(update={"merge": merge})})
    predictor = Predictor(model, "cpu", "fp32")
    predictor.config = changed
    predictor._model.config = changed
    keep = (lambda target, found: store.add(target.image_id, found)) if store else (lambda *_: None)
    result = evaluate_dataset(predictor, changed.data, out, on_found=keep)
    return predictor, changed, result


@pytest.fixture(scope="module")
def tuned(trained: TrainResult, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuned, Config, float]:
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "store").mkdir()
    store = FoundStore(folder / "store", BAD)
    predictor, config, result = evaluate_with(trained, BAD, folder / "out", store)
    calls: list[tuple[int, int]] = []
    found = tune_merge(
        predictor, config.data, folder / "out" / "panoptic.json", store, progress=lambda *c: calls.append(c)
    )
    assert calls == [(i, 12) for i in range(1, 13)]
    return found, config, result.all.pq


def test_first_quality_is_that_of_the_evaluation(tuned: tuple[Tuned, Config, float]) -> None:
    found, _, before = tuned
    assert found.before.all.pq == pytest.approx(before, abs=1e-12)


def test_best_setting_gives_its_quality_when_evaluated(
    tuned: tuple[Tuned, Config, float], trained: TrainResult, tmp_path: Path
) -> None:
    found, _, before = tuned
    _, _, result = evaluate_with(trained, found.config, tmp_path)
    assert result.all.pq == pytest.approx(found.result.all.pq, abs=1e-12)
    assert found.result.all.pq > before + 0.1


def test_no_single_change_of_the_grid_is_better(
    tuned: tuple[Tuned, Config, float], trained: TrainResult, tmp_path: Path
) -> None:
    """Of the scores: later groups and finer steps only ever took what is better."""
    found, _, _ = tuned
    for number, change in enumerate(tuning.GRID[0]):
        tried = MergeConfig.model_validate({**found.config.model_dump(), **change})
        _, _, result = evaluate_with(trained, tried, tmp_path / str(number))
        assert result.all.pq <= found.result.all.pq + 1e-12


def test_the_setting_given_stays_where_nothing_beats_it(tmp_path: Path) -> None:
    """An image without things and without stuff: every setting scores 0."""
    from make_model import categories
    from spatialflow.evaluation.segment_table import SegmentTable

    start = MergeConfig()
    store = FoundStore(tmp_path, start)
    nothing = Instances(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int64),
        np.zeros((0, 28, 28), np.float32),
    )
    classes = categories(1, 1)
    things = np.full((8, 8), classes.things_channel, np.uint8)
    store.add(1, Found(nothing, things, np.zeros(2, np.float32)))
    truth = (np.ones((8, 8), np.int32), SegmentTable(np.array([1]), np.array([0]), np.array([False])))
    best = tuning.tune(store, lambda image_id: truth, classes, classes, start)
    assert best.config == start
    assert best.result.all.pq == 0


def test_store_keeps_what_some_setting_lets_in(tmp_path: Path) -> None:
    scores = np.array([0.9, 0.3, 0.1, 0.06, 0.04], np.float32)
    things = Instances(
        np.arange(20, dtype=np.float32).reshape(5, 4),
        scores,
        np.arange(5),
        np.random.default_rng(0).random((5, 28, 28), np.float32),
    )
    found = Found(things, np.ones((3, 5), np.uint8), np.array([0.5, 0.25], np.float32))
    for folder, start, kept in (("a", MergeConfig(), 3), ("b", MergeConfig(score_threshold=0.05), 4)):
        (tmp_path / folder).mkdir()
        store = FoundStore(tmp_path / folder, start)
        store.add("x", found)
        read = store.read(0)
        assert store.image_ids == ["x"]
        assert len(read.things.scores) == kept
        for ours, theirs in zip(read.things, things, strict=True):
            assert np.array_equal(ours, theirs[:kept])
        assert np.array_equal(read.stuff, found.stuff)
        assert np.array_equal(read.stuff_scores, found.stuff_scores)


def test_overrides_name_what_changed() -> None:
    start = MergeConfig()
    best = MergeConfig(score_threshold=0.5, using_bbox=False)
    assert overrides(best, start) == ["model.merge.score_threshold=0.5", "model.merge.using_bbox=false"]
    assert overrides(start, start) == []
