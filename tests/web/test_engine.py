"""One pass through the network, many merges."""

from pathlib import Path

import numpy as np
import pytest

from make_web import draw_photos
from spatialflow.checkpoints import load_model
from spatialflow.errors import DataError
from spatialflow.inference import Predictor
from spatialflow.web.engine import Engine, Thresholds


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def engine() -> Engine:
    return Engine(Predictor(load_model("tiny"), "cpu", "fp32"))


@pytest.mark.parametrize(("confidence", "overlap"), [(0.33, 0.37), (0.06, 0.37), (0.7, 0.0), (0.1, 0.95)])
def test_a_merge_is_what_a_model_with_these_thresholds_predicts(
    engine: Engine, photos: list[Path], confidence: float, overlap: float
) -> None:
    model = load_model("tiny")
    merge = {"score_threshold": confidence, "overlap_threshold": overlap}
    config = model.config.model_dump()
    config["model"]["merge"] |= merge
    model.config = type(model.config).model_validate(config)
    other = Predictor(model, "cpu", "fp32")
    for photo in photos[:3]:
        expected = other.predict(photo)
        merged = engine.merge(engine.look(photo), Thresholds(confidence, overlap))
        assert np.array_equal(merged.segment_ids, expected.segment_ids)
        assert merged.segments == expected.segments


def test_lower_confidence_lets_more_things_in(engine: Engine, photos: list[Path]) -> None:
    counts = []
    looks = [engine.look(photo) for photo in photos]
    for confidence in (0.05, 0.33, 0.9):
        merged = [engine.merge(look, Thresholds(confidence, 0.9)) for look in looks]
        counts.append(sum(s.is_thing for prediction in merged for s in prediction.segments))
        assert all(s.score >= confidence for p in merged for s in p.segments if s.is_thing)
    assert counts[0] > counts[1] > counts[2] > 0


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_what_is_no_threshold_is_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"confidence: .*0 to 1"):
        Thresholds(value, 0.5)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"overlap: .*0 to 1"):
        Thresholds(0.5, value)  # type: ignore[arg-type]


def test_photos_make_place_for_later_ones(engine: Engine, photos: list[Path]) -> None:
    looks = [engine.look(photo) for photo in photos[:3]]
    small = Engine(engine.predictor, held_bytes=looks[0].nbytes + looks[1].nbytes)
    first, second = small.hold(looks[0]), small.hold(looks[1])
    assert small.held(first) is looks[0]  # used, so that the second is the oldest
    third = small.hold(looks[2])
    with pytest.raises(DataError, match="drop it here again"):
        small.held(second)
    assert (small.held(first), small.held(third)) == (looks[0], looks[2])
    small.drop(third)
    small.drop(third)
    with pytest.raises(DataError, match="again"):
        small.held(third)
