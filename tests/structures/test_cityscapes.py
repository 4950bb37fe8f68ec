"""The formats of the Cityscapes benchmark.

The golden numbers are what evalPanopticSemanticLabeling of cityscapesscripts 2.3.0 says of these very files;
its evalInstanceLevelSemanticLabeling gave the perfect ones an average precision of 1. The package cannot be
installed beside the tests, as it asks for the ``typing`` package of Python 3.4.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from make_predictions import of_map
from spatialflow.categories import Categories
from spatialflow.data.converters.cityscapes import cityscapes_categories
from spatialflow.errors import DataError
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.image_io import read_id_png
from spatialflow.label_png import read_label_png
from spatialflow.structures import PanopticPrediction

CATEGORIES = Categories.from_json(cityscapes_categories())
ROAD, PERSON, CAR = (CATEGORIES.label(train_id) for train_id in (0, 11, 13))
NAME = "aachen_000001_000019"


def street() -> PanopticPrediction:
    ids = np.zeros((6, 8), np.int32)
    ids[3:], ids[1:4, 1:3], ids[0:2, 5:8], ids[5, 5] = 4, 9, 2, 7
    return of_map(ids, {4: ROAD, 9: CAR, 2: PERSON, 7: CAR}, CATEGORIES)


def test_both_formats_by_hand(tmp_path: Path) -> None:
    one = street()
    entry = one.to_cityscapes(tmp_path, f"leftImg8bit/val/aachen/{NAME}_leftImg8bit.png")
    assert entry["image_id"] == NAME
    assert entry["file_name"] == f"{NAME}_panoptic.png"
    infos = entry["segments_info"]
    assert [(info["id"], info["category_id"]) for info in infos] == [
        (7, 7), (26000, 26), (24000, 24), (26001, 26),
    ]  # fmt: skip
    ids = read_id_png(tmp_path / "cityscapes_panoptic" / entry["file_name"])
    for info, own in zip(infos, one, strict=True):
        assert (ids == info["id"]).tolist() == one.mask(own).tolist()
        assert (info["area"], info["score"]) == (own.area, own.score)
    lines = [line.split() for line in (tmp_path / "instances" / f"{NAME}.txt").read_text().splitlines()]
    assert [line[1] for line in lines] == ["26", "24", "26"]
    things = [own for own in one if own.is_thing]
    for (path, _, score), own in zip(lines, things, strict=True):
        mask = read_label_png(tmp_path / "instances" / path)
        assert mask.dtype == np.uint8
        assert (mask > 0).tolist() == one.mask(own).tolist()
        assert float(score) == own.score


def test_a_crowd_is_no_instance(tmp_path: Path) -> None:
    crowd = of_map(np.full((2, 2), 5, np.int32), {5: PERSON}, CATEGORIES, is_crowd=True)
    (info,) = crowd.to_cityscapes(tmp_path, NAME)["segments_info"]
    assert (info["id"], info["category_id"], info["iscrowd"]) == (24, 24, 1)
    assert (tmp_path / "instances" / f"{NAME}.txt").read_text() == ""


def test_more_than_a_thousand_instances_keep_apart(tmp_path: Path) -> None:
    ids = np.arange(1, 1104, dtype=np.int32).reshape(1, -1)
    labels = dict.fromkeys(range(1, 1102), PERSON) | {1102: CAR, 1103: ROAD}
    entry = of_map(ids, labels, CATEGORIES).to_cityscapes(tmp_path, NAME)
    assert len({info["id"] for info in entry["segments_info"]}) == 1103


def test_what_is_not_of_cityscapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"photo\.jpg: is no name of a Cityscapes photo"):
        street().to_cityscapes(tmp_path, "photo.jpg")
    cats = of_map(np.ones((2, 2), np.int32), {1: 0})
    with pytest.raises(DataError, match="'cat' is no class that Cityscapes evaluates"):
        cats.to_cityscapes(tmp_path, NAME)
    assert list(tmp_path.iterdir()) == []


def predicted(entry: dict, truth: Path, is_perfect: bool) -> PanopticPrediction:  # type: ignore[type-arg]
    """The truth without crowds; if not perfect, moved by 2 rows, 3 columns, and without each fourth thing."""
    one = PanopticPrediction.from_coco(entry, truth.with_suffix(""), Categories.load(truth))
    ids = one.segment_ids.numpy().copy()
    gone = [own.id for own in one if own.is_crowd]
    if not is_perfect:
        ids = np.roll(ids, (2, 3), (0, 1))
        gone += [own.id for own in one if own.is_thing and not own.is_crowd][::4]
    ids[np.isin(ids, gone)] = 0
    labels = {own.id: own.label for own in one if own.id in ids}
    return of_map(ids, dict(sorted(labels.items())), Categories.load(truth))


@pytest.mark.parametrize(
    ("split", "is_perfect", "pq", "sq", "rq"),
    [
        ("train", True, 1.0, 1.0, 1.0),
        ("val", True, 1.0, 1.0, 1.0),
        ("train", False, 0.44509178877942324, 0.5080417752133423, 0.5421626984126985),
        ("val", False, 0.49166065020526706, 0.5504219314163485, 0.6),
    ],
)
def test_our_evaluation_says_what_theirs_does(
    split: str, is_perfect: bool, pq: float, sq: float, rq: float, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "cityscapes_half" / "gtFine"
    truth = folder / f"cityscapes_panoptic_{split}_trainId.json"
    entries = [
        predicted(entry, truth, is_perfect).to_cityscapes(tmp_path, entry["image_id"])
        for entry in json.loads(truth.read_text())["annotations"]
    ]
    (tmp_path / "cityscapes_panoptic.json").write_text(json.dumps({"annotations": entries}))
    result = evaluate_pq(
        folder / f"cityscapes_panoptic_{split}.json", tmp_path / "cityscapes_panoptic.json"
    ).all
    assert (result.pq, result.sq, result.rq) == pytest.approx((pq, sq, rq), abs=1e-12)
