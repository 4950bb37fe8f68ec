"""COCO's formats: round trips, and what COCO's own code says of them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from make_model import TOY
from make_predictions import scattered
from spatialflow.categories import Categories
from spatialflow.errors import DataError
from spatialflow.structures import PanopticPrediction


@pytest.mark.parametrize("seed", range(4))
def test_round_trip_is_exact(seed: int, tmp_path: Path) -> None:
    one = scattered(seed)
    one = one.with_ids({own.id: own.id * 1_234_567 for own in one})
    one.save(tmp_path / "pngs" / "a.png")
    entry = json.loads(json.dumps(one.to_coco(7, "a.png")))
    with zipfile.ZipFile(tmp_path / "pngs.zip", "w") as archive:
        archive.write(tmp_path / "pngs" / "a.png", "a.png")
    for place in (tmp_path / "pngs", str(tmp_path / "pngs" / "a.png"), tmp_path / "pngs.zip"):
        again = PanopticPrediction.from_coco(entry, place, TOY)
        assert again == one
        assert again.segment_ids.dtype == torch.int32
    assert again.to_coco(7, "a.png") == entry


def test_truth_without_scores_and_with_crowds(tmp_path: Path) -> None:
    one = scattered(0)
    one.save(tmp_path / "a.png")
    entry = one.to_coco("x", "a.png")
    for info in entry["segments_info"]:
        del info["score"], info["isthing"]
        info["iscrowd"] = 1
    truth = PanopticPrediction.from_coco(entry, tmp_path / "a.png", TOY)
    assert {(own.score, own.is_crowd) for own in truth} == {(1.0, True)}
    assert truth.to_instances("x") == []
    assert [own.box for own in truth] == [own.box for own in one]
    assert {info["iscrowd"] for info in truth.to_coco("x", "a.png")["segments_info"]} == {1}


def broken(change: Any) -> dict[str, Any]:
    entry = scattered(0).to_coco(3, "a.png")
    change(entry)
    return entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("segments_info"), "annotation of a.png: segments_info: the key is missing"),
        (lambda e: e.update(file_name="../a.png"), "file_name: '../a.png' leaves its folder"),
        (lambda e: e["segments_info"][1].update(id=0), r"segments_info\[1\].id: 0 is void"),
        (lambda e: e["segments_info"][1].update(id="3"), r"segments_info\[1\].id: a whole number"),
        (lambda e: e["segments_info"][0].update(category_id=99), r"\[0\].category_id: 99 is not among"),
        (lambda e: e["segments_info"][0].update(score=1.5), r"\[0\].score: a number 0..1 is .* got 1.5"),
        (lambda e: e["segments_info"][0].update(score=float("nan")), r"\[0\].score: a number 0..1"),
        (lambda e: e["segments_info"].pop(), "has pixels but is not in segments_info of the annotation"),
        (lambda e: e["segments_info"].append({"id": 999, "category_id": 3}), "segment 999 has no pixel"),
    ],
)  # fmt: skip
def test_faults_are_named(change: Any, message: str, tmp_path: Path) -> None:
    scattered(0).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=message) as caught:
        PanopticPrediction.from_coco(broken(change), tmp_path, TOY)
    assert "\n" not in str(caught.value)


def test_files_that_are_missing_or_no_annotation(tmp_path: Path) -> None:
    entry = scattered(0).to_coco(3, "a.png")
    with pytest.raises(DataError, match=r"b\.png: no such panoptic PNG"):
        PanopticPrediction.from_coco(entry, tmp_path / "b.png", TOY)
    with pytest.raises(DataError, match=r"a\.png: no such panoptic PNG"):
        PanopticPrediction.from_coco(entry, tmp_path, TOY)
    with pytest.raises(DataError, match=r"b\.zip: no such folder"):
        PanopticPrediction.from_coco(entry, tmp_path / "b.zip", TOY)
    with pytest.raises(DataError, match="annotation: an object with image_id is expected"):
        PanopticPrediction.from_coco([entry], tmp_path, TOY)  # type: ignore[arg-type]


def test_instances_of_the_truth_score_one_in_cocos_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    images = {number: scattered(number) for number in (1, 2, 3)}
    truth, results = [], []
    for image_id, one in images.items():
        results += json.loads(json.dumps(one.to_instances(image_id)))
        for own in one:
            mask = np.asfortranarray(one.mask(own).numpy(), np.uint8)
            if own.is_thing:
                rle = coco_mask.encode(mask)
                truth.append(
                    {"id": len(truth) + 1, "image_id": image_id, "category_id": own.category.id, "iscrowd": 0,
                     "bbox": coco_mask.toBbox(rle).tolist(), "area": int(mask.sum()), "segmentation": rle}
                )  # fmt: skip
    data = COCO()
    data.dataset = {
        "info": {},
        "images": [{"id": number, "height": 37, "width": 53} for number in images],
        "annotations": truth,
        "categories": [{"id": c.id} for c in TOY if c.is_thing],
    }
    data.createIndex()
    found = data.loadRes(results)
    for kind in ("segm", "bbox"):
        evaluation = COCOeval(data, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == 1.0
    assert [r["score"] for r in results] == [s.score for one in images.values() for s in one if s.is_thing]
    capsys.readouterr()


def test_official_annotations_come_back_as_they_are(shared_data: Path) -> None:
    path = shared_data / "coco" / "annotations" / "panoptic_real.json"
    categories = Categories.load(path)
    for entry in json.loads(path.read_text())["annotations"][:5]:
        one = PanopticPrediction.from_coco(entry, path.with_suffix(""), categories)
        written = one.to_coco(entry["image_id"], entry["file_name"])
        for mine, theirs in zip(written["segments_info"], entry["segments_info"], strict=True):
            assert {key: mine[key] for key in ("id", "category_id", "iscrowd", "area", "bbox")} == {
                key: theirs[key] for key in ("id", "category_id", "iscrowd", "area", "bbox")
            }
