"""Panoptic quality of files: the reference implementation's numbers, and each bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import edit_json, pack_folder, write_panoptic_set
from spatialflow.errors import DataError
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.image_io import write_id_png


@pytest.fixture(scope="session")
def golden(reference: Path) -> Path:
    """40 pairs of files with the reference implementation's results."""
    return reference / "public" / "pq"


@pytest.fixture(scope="session")
def expected(golden: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((golden / "expected.json").read_text())
    return content


def assert_equal(result: PQResult, reference: dict[str, Any]) -> None:
    ours = result.to_json()
    for name in ("All", "Things", "Stuff"):
        assert ours[name] == pytest.approx(reference[name], abs=1e-9)
    assert ours["per_class"].keys() == reference["per_class"].keys()
    for category_id, qualities in reference["per_class"].items():
        for name in ("pq", "sq", "rq"):
            assert ours["per_class"][category_id][name] == pytest.approx(qualities[name], abs=1e-9)


def subset(golden: Path, folder: Path, image_ids: set[int]) -> tuple[Path, Path]:
    """The golden files with only these images."""
    for name in ("gt", "pred"):
        content = json.loads((golden / f"{name}.json").read_text())
        content["images"] = [i for i in content["images"] if i["id"] in image_ids]
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] in image_ids]
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / "gt.json", folder / "pred.json"


def test_golden_all(golden: Path, expected: dict[str, Any]) -> None:
    assert_equal(evaluate_pq(golden / "gt.json", golden / "pred.json"), expected["all_images"])


def test_golden_groups(golden: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    ids = [pair["image_id"] for pair in expected["pairs"]]
    for span, reference in expected["groups_of_10"].items():
        first, last = (int(n) for n in span.split("-"))
        files = subset(golden, tmp_path, set(ids[first : last + 1]))
        assert_equal(evaluate_pq(*files, golden / "gt", golden / "pred"), reference)


def test_golden_pairs(golden: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    for pair in expected["pairs"]:
        files = subset(golden, tmp_path, {pair["image_id"]})
        result = evaluate_pq(*files, golden / "gt", golden / "pred", workers=1)
        if "error" in pair["pq"]:  # the reference divides by zero where a group has no category
            empty = [group for group in (result.all, result.things, result.stuff) if group.n == 0]
            assert empty, pair["kind"]
            assert all((group.pq, group.sq, group.rq) == (0, 0, 0) for group in empty)
        else:
            assert_equal(result, pair["pq"])
        for category_id, quality in result.per_class.items():
            stat = pair["stat"].get(str(category_id), {"iou": 0, "tp": 0, "fp": 0, "fn": 0})
            found = {"iou": quality.iou, "tp": quality.tp, "fp": quality.fp, "fn": quality.fn}
            assert found == pytest.approx(stat, abs=1e-9), (pair["kind"], category_id)


GOLDEN_FAULTS = {
    "png_id_not_in_json": ["image 100", "segment 10763063 is in the PNG but not in segments_info"],
    "json_id_not_in_png": ["image 100", "segment 123456 is in segments_info but has no pixel in the PNG"],
    "unknown_category": ["image 100", "segment 10763063", "category_id 9999"],
    "missing_image": ["image 100", "has no prediction"],
    "missing_folder": ["no_such_folder", "no such folder"],
    "size_mismatch": ["image 100", "56x24", "57x24"],
}


def test_golden_malformed(golden: Path, expected: dict[str, Any]) -> None:
    assert {case["name"] for case in expected["malformed"]} == GOLDEN_FAULTS.keys()
    for case in expected["malformed"]:
        name = golden / "malformed" / case["name"]
        with pytest.raises(DataError) as caught:
            evaluate_pq(f"{name}_gt.json", f"{name}_pred.json", golden / "gt", golden / case["pred_folder"])
        assert "\n" not in str(caught.value)
        for part in GOLDEN_FAULTS[case["name"]]:
            assert part in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_workers_change_nothing(golden: Path, workers: int) -> None:
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))

    result = evaluate_pq(golden / "gt.json", golden / "pred.json", workers=workers, progress=progress)
    assert result == evaluate_pq(golden / "gt.json", golden / "pred.json", workers=3)
    assert calls == [(done, 40) for done in range(1, 41)]


def write_pair(folder: Path) -> tuple[Path, Path]:
    """One image with two segments, predicted perfectly."""
    ids = np.array([[1, 1, 1], [2, 2, 0]], np.int32)
    segments = [
        {"id": 1, "category_id": 1, "iscrowd": 0, "area": 3},
        {"id": 2, "category_id": 2, "iscrowd": 0, "area": 2},
    ]
    categories = [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}]
    for name in ("gt", "pred"):
        write_id_png(folder / name / "a.png", ids)
        content = {
            "images": [{"id": "a", "file_name": "a.jpg", "height": 2, "width": 3}],
            "annotations": [{"image_id": "a", "file_name": "a.png", "segments_info": segments}],
            "categories": categories,
        }
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / "gt.json", folder / "pred.json"


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_truth_without_annotations_has_no_quality(tmp_path: Path) -> None:
    gt, pred = write_pair(tmp_path)
    assert evaluate_pq(gt, pred).all.pq == 1
    edit(gt, lambda c: c.update(annotations=[]))  # the prediction of an image without truth is left out
    assert evaluate_pq(gt, pred).all.n == 0


def test_prediction_of_only_annotations_is_enough(tmp_path: Path) -> None:
    gt, pred = write_pair(tmp_path)
    edit(pred, lambda c: [c.pop("images"), c.pop("categories")])
    edit(
        pred, lambda c: [s.pop(k) for s in c["annotations"][0]["segments_info"] for k in ("area", "iscrowd")]
    )
    assert evaluate_pq(gt, pred).all.pq == 1


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


FILE_FAULTS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "prediction PNG missing": (lambda d: (d / "pred/a.png").unlink(), ["pred/a.png", "no such", "image 'a'"]),
    "truth PNG missing": (lambda d: (d / "gt/a.png").unlink(), ["gt/a.png", "no such", "image 'a'"]),
    "PNG truncated": (lambda d: truncate(d / "pred/a.png"), ["pred/a.png", "truncated", "image 'a'"]),
    "PNG is text": (lambda d: (d / "gt/a.png").write_text("x" * 99), ["gt/a.png", "not a PNG"]),
    "PNG of another size": (
        lambda d: write_id_png(d / "pred/a.png", np.ones((3, 2), np.int32)),
        ["pred.json: image 'a'", "2x3", "3x2"],
    ),
    "truth JSON missing": (lambda d: (d / "gt.json").unlink(), ["gt.json", "no such file"]),
    "no prediction": (
        lambda d: edit(d / "pred.json", lambda c: c.update(annotations=[])),
        ["pred.json", "image 'a'"],
    ),
}


@pytest.mark.parametrize("name", FILE_FAULTS)
def test_file_faults(name: str, tmp_path: Path) -> None:
    damage, expected = FILE_FAULTS[name]
    gt, pred = write_pair(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        evaluate_pq(gt, pred)
    assert "\n" not in str(caught.value)
    for part in expected:
        assert part in str(caught.value)


def test_of_several_faults_the_first_is_reported(golden: Path, tmp_path: Path) -> None:
    for name in ("gt", "pred"):
        content = json.loads((golden / f"{name}.json").read_text())
        for annotation in content["annotations"][-20:]:
            annotation["file_name"] = f"missing{annotation['image_id']}.png"
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"missing120\.png"):
        evaluate_pq(tmp_path / "gt.json", tmp_path / "pred.json", golden / "gt", golden / "pred", workers=2)


@pytest.mark.parametrize("named", [True, False])
def test_pngs_in_archives(tmp_path: Path, named: bool) -> None:
    gt, pred = write_pair(tmp_path)
    write_id_png(tmp_path / "pred" / "a.png", np.array([[1, 1, 2], [2, 2, 0]], np.int32))
    expected = evaluate_pq(gt, pred)
    assert expected.all.pq == pytest.approx((2 / 3 + 2 / 3) / 2)
    folder = tmp_path / "elsewhere" if named else tmp_path
    archives = [pack_folder(tmp_path / name, folder / f"{name}.zip") for name in ("gt", "pred")]
    assert evaluate_pq(gt, pred, *(archives if named else [])) == expected


def test_predictions_of_other_photos_under_the_same_ids_are_refused(tmp_path: Path) -> None:
    """As `predict` writes them, which counts its photos."""
    truth = write_panoptic_set(tmp_path / "truth")
    pred = write_panoptic_set(tmp_path / "pred")
    assert evaluate_pq(truth, pred).all.pq == 1
    edit_json(pred, lambda content: content["images"][0].update(file_name="folder/first.jpg"))
    assert evaluate_pq(truth, pred).all.pq == 1  # folder and suffix may differ
    edit_json(pred, lambda content: content["images"][0].update(file_name="third.jpg"))
    with pytest.raises(DataError, match=r"image 1 is 'third\.jpg', but 'first\.png' in .*truth"):
        evaluate_pq(truth, pred)
    edit_json(pred, lambda content: content.update(images=[None, {"id": 1}]))
    assert evaluate_pq(truth, pred).all.pq == 1
