"""Average precision: worked out by hand, and against pycocotools fed with files."""

import contextlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from make_model import TOY, make_target
from spatialflow.evaluation.average_precision import APResult, InstanceTable, Kind
from spatialflow.postprocess.masks import paste_mask
from spatialflow.postprocess.panoptic import Instances

SIZE = (100, 120)
Box = tuple[int, int, int, int]


def found(*detections: tuple[int, Box, float]) -> Instances:
    """Detections (label, box, score) whose masks fill their boxes."""
    boxes = np.array([box for _, box, _ in detections], np.float32).reshape(-1, 4)
    scores = np.array([score for _, _, score in detections], np.float32)
    labels = np.array([label for label, _, _ in detections], np.int64)
    return Instances(boxes, scores, labels, np.ones((len(detections), 28, 28), np.float32))


def test_by_hand() -> None:
    """Two cats, one found exactly and one not at all, after a better-scored false one.

    Precision at recall 0..0.5 is 1/2 and then 0: 51 of 101 recall points count.
    """
    table = InstanceTable(TOY)
    truth = make_target(SIZE, (0, (10, 10, 50, 60), False), (0, (60, 10, 100, 60), False))
    table.add(truth, found((0, (0, 70, 30, 90), 0.9), (0, (10, 10, 50, 60), 0.8)))
    for kind in ("bbox", "segm"):
        result = table.compute(kind)  # type: ignore[arg-type]
        expected = 51 / 101 / 2
        assert result.ap50 == pytest.approx(expected)
        assert result.per_class[TOY[0].id] == pytest.approx(result.ap)
    assert math.isnan(result.ap_small)
    assert result.ap_medium == pytest.approx(51 / 101)  # the false one is small, so it does not count there
    assert math.isnan(result.per_class[TOY[1].id])
    assert result.to_json()["per_class"][str(TOY[1].id)] is None
    json.dumps(result.to_json(), allow_nan=False)


def test_perfect_crowds_and_stuff() -> None:
    """A detection on a crowd is no false one; stuff is no object."""
    table = InstanceTable(TOY)
    stuff = TOY.num_things
    truth = make_target(
        SIZE, (stuff, (0, 0, 120, 50), False), (0, (10, 10, 50, 50), False), (0, (60, 0, 110, 90), True)
    )
    table.add(truth, found((0, (10, 10, 50, 50), 0.5), (0, (70, 20, 90, 40), 0.9)))
    assert table.compute("segm").ap == pytest.approx(1)
    assert table.compute("bbox").ap == pytest.approx(1)


@pytest.mark.parametrize("truth", [[], [(0, (10, 10, 50, 50), False)]])
def test_nothing_found(truth: list[tuple[int, Box, bool]]) -> None:
    table = InstanceTable(TOY)
    table.add(make_target(SIZE, *truth), found())
    ap = table.compute("bbox").ap
    assert ap == 0 if truth else math.isnan(ap)


def test_more_detections_than_the_library_measures_at_once() -> None:
    table = InstanceTable(TOY)
    table.add(make_target(SIZE, (0, (10, 10, 50, 50), False)), found(*[(0, (10, 10, 50, 50), 0.5)] * 300))
    assert table.compute("segm").ap == pytest.approx(1)


def random_images() -> list[tuple[torch.Tensor, Instances]]:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(8):
        boxes = [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in rng.integers(5, 55, (6, 4))]
        target = make_target(SIZE, *[(i % 2, box, i == 5) for i, box in enumerate(boxes)])
        moved = [
            (i % 2, tuple(int(v) for v in np.array(box) + rng.integers(-4, 5, 4)), float(rng.random()))
            for i, box in enumerate(boxes)
        ]
        things = found(*moved)  # type: ignore[arg-type]
        ellipse = np.hypot(*np.meshgrid(np.linspace(-1, 1, 28), np.linspace(-1, 1, 28))) < 1
        images.append((target, things._replace(masks=np.stack([ellipse] * 6).astype(np.float32))))
    return images  # type: ignore[return-value]


def polygons_of(mask: NDArray[np.bool_]) -> dict[str, object]:
    """Uncompressed run lengths, counted here and not by the library."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def by_the_library(tmp_path: Path, kind: str) -> NDArray[np.float64]:
    """The twelve numbers of pycocotools, from JSON files written without our code."""
    images, truth, detections = [], [], []
    for image_id, (target, things) in enumerate(random_images(), start=1):
        images.append({"id": image_id, "height": SIZE[0], "width": SIZE[1]})
        ids = target.id_map.numpy()  # type: ignore[attr-defined]
        columns = (target.ids, target.labels, target.is_crowd)  # type: ignore[attr-defined]
        for segment, label, crowd in zip(*(c.tolist() for c in columns), strict=True):
            mask = ids == segment
            rows, cols = np.nonzero(mask)
            if not len(rows):
                continue
            box = [int(cols.min()), int(rows.min()), int(np.ptp(cols)) + 1, int(np.ptp(rows)) + 1]
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": image_id,
                    "category_id": TOY[label].id,
                    "iscrowd": int(crowd),
                    "area": int(mask.sum()),
                    "bbox": box,
                    "segmentation": polygons_of(mask),
                }
            )
        for (x1, y1, x2, y2), score, label, probabilities in zip(*things, strict=True):
            window = paste_mask(probabilities, np.array([x1, y1, x2, y2], np.float32), SIZE)
            full = np.zeros(SIZE, bool)
            full[window.slices] = window.pixels
            entry = {"image_id": image_id, "category_id": TOY[int(label)].id, "score": float(score)}
            shape = (
                {"bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)]}
                if kind == "bbox"
                else {"segmentation": polygons_of(full)}
            )
            detections.append(entry | shape)
    categories = [{"id": c.id, "name": c.name} for c in TOY if c.is_thing]
    content = {"info": {}, "images": images, "annotations": truth, "categories": categories}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(str(tmp_path / "truth.json"))
        if kind == "segm":  # the library takes only compressed run lengths of results
            for entry in detections:
                entry["segmentation"] = gt.annToRLE({"image_id": entry["image_id"], **entry})
        evaluation = COCOeval(gt, gt.loadRes(detections), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats: NDArray[np.float64] = evaluation.stats
    return stats


class FirstOfTwo:
    """Stands for Ranks; what the other process has collected is at hand."""

    def __init__(self, other: InstanceTable) -> None:
        self.other = other

    def gather(self, value: object) -> list[object]:
        return [value, (self.other.images, self.other.truth, self.other.detections)]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_equal_to_the_library_fed_with_files(tmp_path: Path, kind: Kind) -> None:
    parts = [InstanceTable(TOY), InstanceTable(TOY)]  # as two processes collect them
    for number, (target, things) in enumerate(random_images()):
        object.__setattr__(target, "image_id", number)
        parts[number % 2].add(target, things)  # type: ignore[arg-type]
    table = parts[0]
    table.gather(FirstOfTwo(parts[1]))  # type: ignore[arg-type]
    ours: APResult = table.compute(kind)
    expected = by_the_library(tmp_path, kind)
    numbers = [ours.ap, ours.ap50, ours.ap75, ours.ap_small, ours.ap_medium]
    assert numbers == pytest.approx(expected[:5].tolist(), abs=1e-9)
    assert 0.02 < ours.ap < 0.9
    assert math.isnan(ours.ap_large)
    assert expected[5] == -1


def test_ids_of_images_may_be_numbers_and_texts() -> None:
    table = InstanceTable(TOY)
    for image_id in (3, "three"):
        target = make_target(SIZE, (0, (10, 10, 50, 60), False))
        object.__setattr__(target, "image_id", image_id)
        table.add(target, found((0, (10, 10, 50, 60), 0.9)))
    assert table.compute("segm").ap == pytest.approx(1)
