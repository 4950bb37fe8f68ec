"""``spatialflow evaluate`` beyond panoptic quality: tuning, and photos without truth."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from make_cli import Command
from make_data import edit_json
from spatialflow.files import write_json

BAD = ("model.merge.score_threshold=0.9", "model.merge.stuff_area=4000")


def test_tune_prints_overrides_that_give_its_quality(
    spatialflow: Command, recipe: Path, weights: Path, tmp_path: Path
) -> None:
    numbers = tmp_path / "n.json"
    device = ("--device", "cpu", "--precision", "fp32")
    code, said, err = spatialflow(
        "evaluate",
        recipe,
        *BAD,
        "-c",
        weights,
        "--out",
        tmp_path / "a",
        "--tune",
        "--json-out",
        numbers,
        *device,
    )
    assert code == 0, err
    assert "best found" in said
    content = json.loads(numbers.read_text())
    tuned = content["tuned"]
    assert tuned["All"]["pq"] > content["All"]["pq"]
    line = next(line for line in said.splitlines() if line.startswith("best of "))
    changes = line.split(": ")[1].split()
    assert changes == tuned["overrides"]
    again = spatialflow(
        *("evaluate", recipe, *BAD, *changes, "-c", weights, "--out", tmp_path / "b"),
        *("--json-out", numbers, *device),
    )
    assert again.code == 0
    assert json.loads(numbers.read_text())["All"]["pq"] == pytest.approx(tuned["All"]["pq"], abs=1e-12)


@pytest.fixture
def unlabelled(recipe: Path, easy_data: Path, tmp_path: Path) -> Path:
    """The recipe, with its validation photos for test images."""
    data = yaml.safe_load(recipe.read_text())["data"]
    truth = json.loads(Path(data["val"]).read_text())
    listed_in = tmp_path / "annotations" / "image_info_test-dev2017.json"
    write_json(listed_in, {"images": truth["images"]})
    shutil.copytree(easy_data / "images", tmp_path / "test2017")
    content = yaml.safe_load(recipe.read_text())
    content["data"]["test"] = str(listed_in)
    recipe.write_text(yaml.safe_dump(content))
    return recipe


def test_test_dev_is_packed_and_checked(
    spatialflow: Command, unlabelled: Path, weights: Path, tmp_path: Path
) -> None:
    command = ("evaluate", unlabelled, "-c", weights, "--split", "test-dev", "--algorithm", "mine")
    code, said, err = spatialflow(*command, "--device", "cpu")
    assert code == 0, err
    archive = tmp_path / "runs" / "easy" / "test-dev" / "panoptic_test-dev2017_mine_results.zip"
    assert f"archive: {archive} (" in said
    assert "nothing is wrong" in said
    with zipfile.ZipFile(archive) as packed:
        assert len(packed.namelist()) == 1 + 4
    listed_in = tmp_path / "annotations" / "image_info_test-dev2017.json"
    categories = yaml.safe_load(unlabelled.read_text())["data"]["categories"]
    check = ("data", "check-submission", archive, listed_in, "--categories", categories)
    assert spatialflow(*check).out.strip() == f"{archive}: nothing is wrong"
    edit_json(listed_in, lambda content: content["images"].pop())
    code, _, err = spatialflow(*check)
    assert code == 1
    assert err.startswith("problem: predictions of images that are not in the list: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "test"), "--split test: is unknown; choose among val, test-dev"),
        (("--split", "test-dev", "--tune"), "--split test-dev: has no truth"),
        (("--split", "test-dev", "--metrics", "bbox"), "--split test-dev: has no truth"),
        (("--split", "test-dev", "--per-class"), "--split test-dev: has no truth"),
        (("--split", "test-dev", "--algorithm", "a/b"), "--algorithm a/b: becomes part of a file name"),
        (("--algorithm", "a"), "--algorithm: names the archive of --split test-dev"),
        (
            ("--metrics", "panoptic", "boxes"),
            "override 'boxes': expected key.sub=value, or after --metrics one of",
        ),
    ],
)
def test_what_does_not_go_together(
    spatialflow: Command, unlabelled: Path, weights: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = spatialflow("evaluate", unlabelled, "-c", weights, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
