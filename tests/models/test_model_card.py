"""The model card: its figures are those of the evaluation, and what was not given it does not have."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from make_model import TOY, tiny_model
from spatialflow.errors import DataError
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.models.model_card import model_card
from spatialflow.models.spatialflow import SpatialFlow

# sum of IoU, TP, FP, FN of each label; worked out by hand below
COUNTS = np.array([[1.5, 2, 1, 1], [0, 0, 0, 0], [3.0, 4, 0, 0], [0.0, 0, 1, 3]])


@pytest.fixture(scope="module")
def net() -> SpatialFlow:
    return tiny_model()


@pytest.fixture
def result() -> PQResult:
    return PQResult.from_counts(COUNTS, TOY)


def metrics(text: str) -> dict[str, float]:
    results = ModelCard(text).data.eval_results or []
    return {r.metric_name: r.metric_value for r in results}


def test_figures_are_those_of_the_evaluation(net: SpatialFlow, result: PQResult) -> None:
    text = model_card(net, repo_id="me/toy", evaluation=result, dataset="two photos", license="mit")
    # things: 1.5 / (2 + 0.5 + 0.5) = 50 %, the other does not occur; stuff: 3 / 4 = 75 % and 0
    assert metrics(text)["PQ (things)"] == 50
    assert metrics(text)["PQ (stuff)"] == 37.5
    assert metrics(text)["PQ"] == pytest.approx(41.67)
    assert "| All | 41.7 |" in text
    assert "| Things | 50.0 | 75.0 | 66.7 | 1 |" in text
    names = [c.name for c in TOY]
    assert f"| {names[0]} | thing | 50.0 | 75.0 | 66.7 | 2 | 1 | 1 |" in text
    assert f"| {names[1]} | thing | - | - | - | 0 | 0 | 0 |" in text
    assert f"| {names[3]} | stuff | 0.0 | 0.0 | 0.0 | 0 | 1 | 3 |" in text
    data = ModelCard(text).data
    assert data.library_name == "spatialflow"
    assert data.pipeline_tag == "image-segmentation"
    assert data.license == "mit"
    assert "panoptic-segmentation" in data.tags
    assert {r.dataset_name for r in data.eval_results or []} == {"two photos"}


def test_without_an_evaluation_there_is_no_figure(net: SpatialFlow) -> None:
    text = model_card(net, repo_id="me/toy")
    assert "No evaluation was given" in text
    assert metrics(text) == {}
    assert "PQ" not in text
    assert ModelCard(text).data.license == "unknown"
    assert "licence of the weights was not stated" in text


def test_a_file_says_the_same_as_the_result(net: SpatialFlow, result: PQResult, tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps(result.to_json()))
    told = [model_card(net, repo_id="toy", evaluation=e) for e in (result, result.to_json(), path, str(path))]
    assert len(set(told)) == 1
    assert "The data were not named" in told[0]


def test_average_precision_and_groups_without_categories(net: SpatialFlow, result: PQResult) -> None:
    numbers = result.to_json() | {"bbox": {"ap": 0.123}, "segm": {"ap": None}}
    numbers["Things"] = {"pq": 0.0, "sq": 0.0, "rq": 0.0, "n": 0}
    text = model_card(net, repo_id="toy", evaluation=numbers)
    assert metrics(text)["Box AP"] == 12.3
    assert "Mask AP" not in text
    assert "PQ (things)" not in metrics(text)
    assert "| Things | - | - | - | 0 |" in text


def _without(numbers: dict[str, Any], *path: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(numbers))
    target = copy
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]
    return copy


@pytest.mark.parametrize(
    "path", [("All",), ("Stuff", "sq"), ("per_class",), ("per_class", "1"), ("per_class", "1", "tp")]
)
def test_what_is_no_evaluation_of_this_model(
    net: SpatialFlow, result: PQResult, path: tuple[str, ...]
) -> None:
    numbers = result.to_json()
    first = str(TOY[0].id)
    spoilt = _without(numbers, *(first if key == "1" else key for key in path))
    with pytest.raises(DataError, match=r"evaluation: (All|Stuff|per_class)"):
        model_card(net, repo_id="toy", evaluation=spoilt)


def test_the_example_runs(net: SpatialFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    net.save_pretrained("toy model")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)).save("photo.jpg")
    (code,) = re.findall(r"```python\n(.*?)```", Path("toy model/README.md").read_text(), re.DOTALL)
    exec(code, {})
    assert Image.open("panoptic.png").size == (80, 60)
