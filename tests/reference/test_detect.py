"""From the photo to detections, masks, stuff map and panoptic map: as the original, but for its faults."""

import functools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from golden import Models, decode_rle
from spatialflow import PanopticPrediction, Predictor
from spatialflow.config import MergeConfig
from spatialflow.image_io import read_photo
from spatialflow.postprocess.masks import paste_mask
from spatialflow.postprocess.panoptic import merge
from spatialflow.postprocess.pipeline import Found

FILES = {
    "wide": ("detect.json", 0, "coco/images", "detect_{}"),
    "wide2": ("detect.json", 1, "coco/images", "detect_{}"),
    "portrait": ("detect_extra.json", 0, None, "detect_extra_{}"),
}
CASES = [
    pytest.param(f"{model}-{file}", marks=() if model == "r50" else pytest.mark.slow)
    for model in ("r50", "r101", "r101_dcn")
    for file in FILES
]


class Case(NamedTuple):
    photo: Path
    folder: Path
    prefix: str
    """Of the picture files."""
    golden: dict[str, Any]
    """Whole JSON file."""
    detections: dict[str, Any]
    index: int
    found: Found
    predictor: Predictor

    def panoptic(self, using_bbox: bool) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        entry = self.golden[f"panoptic_using_bbox_{using_bbox}"]["images"][self.index]
        return entry, cv2.imread(str(self.folder / entry["index_map"]), cv2.IMREAD_UNCHANGED)

    def merged(self, using_bbox: bool) -> PanopticPrediction:
        if using_bbox:  # the default
            return self.predictor.merge(self.found)
        things, stuff, scores = self.found
        return merge(things, stuff, scores, self.predictor.categories, MergeConfig(using_bbox=False))


@pytest.fixture(scope="module")
def predictors(models: Models) -> Callable[[str, tuple[int, int]], Predictor]:
    @functools.lru_cache(maxsize=1)
    def build(name: str, scale: tuple[int, int]) -> Predictor:
        model = models(name)
        data = model.config.data.model_copy(update={"test_scale": scale})
        model.config = model.config.model_copy(update={"data": data})
        return Predictor(model, device="cpu", precision="fp32")

    return build


@pytest.fixture(scope="module")
def one(
    request: pytest.FixtureRequest,
    predictors: Callable[[str, tuple[int, int]], Predictor],
    reference: Path,
    shared_data: Path,
) -> Case:
    name, _, case = request.param.partition("-")
    file, index, photos, prefix = FILES[case]
    folder = reference / "public" / name
    golden = json.loads((folder / file).read_text())
    image = golden["images"][index]
    stem = golden["panoptic_using_bbox_True"]["images"][index]["file_name"].removesuffix(".png")
    place = shared_data / photos if photos else reference / "public" / "images"
    photo = place / f"{stem}.jpg"
    predictor = predictors(name, tuple(golden["img_scale"]))
    (found,) = predictor.find([photo])
    return Case(photo, folder, prefix.format(stem), golden, image, index, found, predictor)


def for_cases(*cases: Any) -> pytest.MarkDecorator:
    """Run a test once a photo; the scope lets pytest run all tests of a photo one after the other."""
    return pytest.mark.parametrize("one", cases, indirect=True, scope="module")


@for_cases(*CASES)
def test_same_detections_in_the_same_order(one: Case) -> None:
    things = one.found.things
    assert things.labels.tolist() == one.detections["labels"]
    assert np.abs(things.scores - np.array(one.detections["scores"])).max() <= 1e-4
    assert np.abs(things.boxes - np.array(one.detections["boxes"])).max() <= 0.02


@for_cases(*CASES)
def test_same_masks(one: Case) -> None:
    things = one.found.things
    for i, rle in enumerate(one.detections["masks"]):
        expected = decode_rle(rle)
        assert expected.sum() == one.detections["mask_areas"][i]  # the test's own decoder
        mask = np.zeros_like(expected)
        window = paste_mask(things.masks[i], things.boxes[i], (expected.shape[0], expected.shape[1]))
        mask[window.slices] = window.pixels
        union = (mask | expected).sum()
        assert union == 0 or (mask & expected).sum() / union >= 0.995, i


@for_cases(*CASES)
def test_same_stuff_map(one: Case) -> None:
    expected = cv2.imread(str(one.folder / f"{one.prefix}_stuff_ori.png"), cv2.IMREAD_UNCHANGED)
    assert one.found.stuff.shape == expected.shape
    assert (one.found.stuff == expected).mean() >= 0.999


@pytest.mark.parametrize("using_bbox", [False, True])
@for_cases(*CASES)
def test_same_panoptic_map(one: Case, using_bbox: bool) -> None:
    entry, index_map = one.panoptic(using_bbox)
    prediction = one.merged(using_bbox)
    ids = prediction.segment_ids.numpy()

    category_of = np.array([0] + [s["category_id"] for s in entry["segments"]])
    ours = np.zeros(len(prediction.segments) + 1, int)
    for segment in prediction.segments:
        ours[segment.id] = segment.category.id
    assert (ours[ids] == category_of[index_map]).mean() >= 0.999
    # not only the classes: the partition into segments is the same as well
    overlaps = Counter(zip(index_map.ravel().tolist(), ids.ravel().tolist(), strict=True))
    partner: dict[int, int] = {}
    for (theirs, mine), _ in overlaps.most_common():
        partner.setdefault(theirs, mine)
    assert len(set(partner.values())) == len(partner)
    same = sum(n for (theirs, mine), n in overlaps.items() if partner[theirs] == mine)
    assert same / ids.size >= 0.999
    # the original lists an instance twice if its box was filled, too, and segments that have no pixel
    real = [s for s in entry["segments"] if s["area"] > 0 and not s["duplicate_entry"]]
    assert Counter(s.category.id for s in prediction.segments) == Counter(s["category_id"] for s in real)


@pytest.mark.parametrize("using_bbox", [False, True])
@for_cases(*CASES)
def test_segments_are_valid(one: Case, using_bbox: bool) -> None:
    prediction = one.merged(using_bbox)
    areas = np.bincount(prediction.segment_ids.numpy().ravel())
    assert [s.id for s in prediction.segments] == list(range(1, len(areas)))  # unique and deterministic
    for segment in prediction.segments:
        rows, columns = np.nonzero(prediction.mask(segment).numpy())
        assert segment.area == len(rows) == areas[segment.id] > 0
        assert segment.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert 0 < segment.score <= 1
        assert segment.is_thing == segment.category.is_thing


def test_the_fault_to_be_mended_does_occur(reference: Path) -> None:
    """Else the tests above would not show that segments are listed once."""
    golden = json.loads((reference / "public" / "r50" / "detect.json").read_text())
    images = golden["panoptic_using_bbox_True"]["images"]
    assert any(s["duplicate_entry"] for image in images for s in image["segments"])


@for_cases("r50-wide")
def test_predict_is_find_and_merge(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(one.predictor, "find", lambda photos: asked.append(photos) or [one.found])
    predicted = one.predictor.predict(one.photo)
    ((photo,),) = asked
    np.testing.assert_array_equal(photo, read_photo(one.photo))
    merged = one.merged(using_bbox=True)
    assert torch.equal(predicted.segment_ids, merged.segment_ids)
    assert predicted.segments == merged.segments
