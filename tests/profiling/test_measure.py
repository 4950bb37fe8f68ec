"""Measuring is predicting: the same pictures come out, and the stages make up the whole."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from make_model import tiny_model
from spatialflow.image_io import write_photo
from spatialflow.inference import Predictor
from spatialflow.profiling import machine
from spatialflow.profiling.measure import Measurement, Spread, measure
from spatialflow.profiling.report import (
    Subject,
    environment,
    stage_table,
    summary,
    to_json,
    to_markdown,
)
from spatialflow.profiling.stages import OTHER, STAGES
from spatialflow.profiling.untrained import CANDIDATES, let_candidates_pass, untrained_model


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{name}.jpg" for name in "abc"]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 256, (60 + number, 90, 3), np.uint8)
        write_photo(path, pixels)
    return paths


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    net = tiny_model(merge={"score_threshold": 0.1, "stuff_area": 1})
    scale = {"test_scale": (96, 64)}
    net.config = net.config.model_copy(update={"data": net.config.data.model_copy(update=scale)})
    return Predictor(net, "cpu", "fp32")


@pytest.fixture(scope="module")
def result(predictor: Predictor, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    return measure(predictor, photos[:1], tmp_path_factory.mktemp("out"), runs=5, warm_up=1)


def test_pictures_are_those_of_predict(predictor: Predictor, photos: list[Path], tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    result = measure(
        predictor, photos[:2], tmp_path, batch=2, runs=2, warm_up=1, progress=lambda *step: done.append(step)
    )
    assert done == [(n, 6) for n in range(1, 7)]
    for number, prediction in enumerate(predictor.predict_many(photos[:2])):
        prediction.save(tmp_path / "expected.png")
        assert (tmp_path / f"{number}.png").read_bytes() == (tmp_path / "expected.png").read_bytes()
    assert result.network_input == (2, 3, 64, 96)
    assert result.photo_sizes == ((60, 90), (61, 90))
    assert result.segments == sum(len(p.segments) for p in predictor.predict_many(photos[:2]))


def test_photos_take_turns(predictor: Predictor, photos: list[Path], tmp_path: Path) -> None:
    measure(predictor, photos, tmp_path, runs=1, warm_up=1)
    predictor.predict(photos[1]).save(tmp_path / "expected.png")  # the first was counted and warmed up with
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_stages_make_up_the_whole(result: Measurement) -> None:
    assert list(result.stages) == list(STAGES)
    for name, spread in result.stages.items():
        assert 0 < spread.p10 <= spread.median <= spread.p90, name
    assert result.stages[OTHER].median < 0.3 * result.stage_sum.median
    assert sum(s.median for s in result.stages.values()) == pytest.approx(result.stage_sum.median, rel=0.5)
    assert result.stage_sum.p10 < 2 * result.whole.p90  # on a busy machine they are only roughly alike
    assert result.whole.p10 < 2 * result.stage_sum.p90


def test_time_goes_to_the_stage_that_takes_it(
    predictor: Predictor, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spatialflow.postprocess import pipeline

    whole = pipeline.merge
    monkeypatch.setattr(pipeline, "merge", lambda *a: time.sleep(0.6) or whole(*a))
    result = measure(predictor, photos[:1], tmp_path, runs=1, warm_up=0)
    assert result.stages["merge"].median >= 0.6
    assert all(spread.median < 0.6 for name, spread in result.stages.items() if name != "merge")
    assert result.whole.median >= 0.6


def test_spread_by_hand() -> None:
    assert Spread.of([5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]) == Spread(6, 2, 10)


def test_peak_memory_is_of_its_own_time() -> None:
    before = machine.PeakMemory(torch.device("cpu"))
    start = before.read()
    block = torch.ones(64, 2**20)  # 256 MiB
    del block
    peak = before.read()
    assert peak - start > 200 * 2**20
    if before.kind == "process":
        assert machine.PeakMemory(torch.device("cpu")).read() < peak - 150 * 2**20


def test_untrained_models_have_their_hands_full(photos: list[Path]) -> None:
    config = tiny_model().config.model_copy(update={"name": "toy"})
    scale = {"test_scale": (320, 224)}
    config = config.model_copy(update={"data": config.data.model_copy(update=scale)})
    predictor = Predictor(untrained_model(config), "cpu", "fp32")
    let_candidates_pass(predictor, photos[0])
    (found,) = predictor.find([photos[0]])
    assert len(found.things.scores) == 100
    threshold = predictor.network.config.model.detection.score_threshold
    assert 0 < threshold < found.things.scores.min()
    assert CANDIDATES == 2000


def test_reports_say_the_same(result: Measurement, predictor: Predictor) -> None:
    subject = Subject("toy", "toy.ckpt", 12_345_678)
    where = environment(predictor.hardware)
    content = json.loads(json.dumps(to_json(subject, where, [result])))
    assert content["model"]["parameters"] == 12_345_678
    assert content["environment"]["precision"] == "fp32"
    assert content["environment"]["threads"] == torch.get_num_threads()
    assert content["results"][0]["stages"]["merge"]["median"] == result.stages["merge"].median
    text = to_markdown(subject, where, [result])
    assert "12.35 M parameters" in text
    assert torch.__version__ in text
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows][1:-2] == list(STAGES)
    shares = [float(row[3].strip(" %")) for row in rows[1:-2]]
    assert sum(shares) == pytest.approx(100, abs=50)  # medians do not add up exactly
    assert stage_table(result).row_count == len(STAGES) + 2
    assert any("peak memory" in line for line in summary(result))
