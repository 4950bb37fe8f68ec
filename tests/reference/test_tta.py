"""Test-time augmentation from the photo to the panoptic map: as the original's ``aug_test``."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import torch

from golden import OF_MODELS, PHOTOS, Models, decode_rle
from spatialflow import Predictor
from spatialflow.config import MergeConfig
from spatialflow.postprocess.masks import paste_mask
from spatialflow.postprocess.panoptic import merge
from spatialflow.postprocess.pipeline import Found
from spatialflow.postprocess.tta import mirror


class Case(NamedTuple):
    golden: dict[str, Any]
    folder: Path
    found: Found
    predictor: Predictor


@pytest.fixture(scope="module", params=OF_MODELS)
def one(request: pytest.FixtureRequest, models: Models, reference: Path, shared_data: Path) -> Case:
    folder = reference / "public" / request.param
    golden = json.loads((folder / "tta.json").read_text())
    model = models(request.param)
    tta = model.config.data.tta.model_copy(update={"scales": golden["scales"]})
    data = model.config.data.model_copy(update={"tta": tta})
    model.config = model.config.model_copy(update={"data": data})
    predictor = Predictor(model, device="cpu", precision="fp32", tta=True)
    (found,) = predictor.find([shared_data / "coco/images" / PHOTOS[0]])
    return Case(golden, folder, found, predictor)


def test_detections(one: Case) -> None:
    things = one.found.things
    assert things.labels.tolist() == one.golden["labels"]
    assert np.abs(things.scores - np.array(one.golden["scores"])).max() <= 1e-4
    assert np.abs(things.boxes - np.array(one.golden["boxes"])).max() <= 0.02


def test_masks(one: Case) -> None:
    things = one.found.things
    for i, rle in enumerate(one.golden["masks"]):
        expected = decode_rle(rle)
        mask = np.zeros_like(expected)
        window = paste_mask(things.masks[i], things.boxes[i], (expected.shape[0], expected.shape[1]))
        mask[window.slices] = window.pixels
        union = (mask | expected).sum()
        assert union == 0 or (mask & expected).sum() / union >= 0.995, i


def test_stuff(one: Case) -> None:
    picture = one.folder / f"tta_{Path(PHOTOS[0]).stem}_stuff_ori.png"
    expected = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
    assert one.found.stuff.shape == expected.shape
    assert (one.found.stuff == expected).mean() >= 0.999


@pytest.mark.parametrize("using_bbox", [False, True])
def test_panoptic_map(one: Case, using_bbox: bool) -> None:
    entry = one.golden[f"panoptic_using_bbox_{using_bbox}"]
    index_map = cv2.imread(str(one.folder / entry["index_map"]), cv2.IMREAD_UNCHANGED)
    prediction = merge(*one.found, one.predictor.categories, MergeConfig(using_bbox=using_bbox))
    theirs = np.array([0] + [s["category_id"] for s in entry["segments"]])[index_map]
    ours = np.array([0] + [s.category.id for s in prediction.segments])[prediction.segment_ids.numpy()]
    assert (ours == theirs).mean() >= 0.999


def test_boxes_of_mirrored_views(units: Any) -> None:
    boxes = torch.from_numpy(units["tta/boxes"])
    factor, width = torch.from_numpy(units["tta/scale_factor"]), int(units["tta/img_shape"][1])
    assert torch.allclose(mirror(boxes, width) / factor, torch.from_numpy(units["tta/map_back_flip"]))
    assert torch.allclose(boxes / factor, torch.from_numpy(units["tta/map_back"]))
    assert torch.allclose(mirror(boxes * factor, width), torch.from_numpy(units["tta/map_fwd_flip"]))
