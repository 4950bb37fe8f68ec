"""What flows between the parts keeps its promises."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from make_model import TOY
from make_predictions import scattered
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png
from spatialflow.structures import PanopticPrediction, Segment

CAT, GRASS = 0, 2
IDS = torch.tensor([[1, 1, 0, 2], [1, 2, 2, 2]], dtype=torch.int32)


def segment(segment_id: int, label: int, **more: Any) -> Segment:
    values: dict[str, Any] = {"score": 0.5, "area": 1, "box": (0, 0, 1, 1)}
    return Segment(segment_id, label, TOY[label], label < 2, **values | more)


def prediction() -> PanopticPrediction:
    cat = segment(1, CAT, score=0.876543, area=3, box=(0, 0, 2, 2))
    return PanopticPrediction(IDS, (cat, segment(2, GRASS, area=4, box=(1, 0, 4, 2))))


def test_masks() -> None:
    one = prediction()
    assert one.mask(one.segments[0]).tolist() == [[True, True, False, False], [True, False, False, False]]
    assert one.mask(one.segments[1]).dtype == torch.bool


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (segment(1, CAT),),
        (segment(1, CAT), segment(2, GRASS), segment(3, CAT)),
        (segment(1, CAT), segment(2, GRASS), segment(2, GRASS)),
        (segment(1, CAT), segment(3, GRASS)),
    ],
)
def test_map_and_list_must_name_the_same_segments(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match="segment_ids has segments"):
        PanopticPrediction(IDS, segments)


def test_an_empty_prediction_is_fine() -> None:
    empty = PanopticPrediction(torch.zeros(3, 4, dtype=torch.int32), ())
    assert empty.to_coco(1, "a.png")["segments_info"] == []


def test_saved_png_and_coco_entry(tmp_path: Path) -> None:
    one = prediction()
    one.save(tmp_path / "out" / "a.png")
    assert np.array_equal(read_id_png(tmp_path / "out" / "a.png"), IDS.numpy())
    pixels = np.asarray(Image.open(tmp_path / "out" / "a.png").convert("RGB")).astype(int)
    assert np.array_equal(pixels @ [1, 256, 65536], IDS.numpy())
    entry = one.to_coco("x7", "a.png")
    assert json.loads(json.dumps(entry)) == {
        "image_id": "x7",
        "file_name": "a.png",
        "segments_info": [
            {
                "id": 1, "category_id": 3, "isthing": 1, "iscrowd": 0, "area": 3, "bbox": [0, 0, 2, 2],
                "score": 0.876543,
            },
            {
                "id": 2, "category_id": 20, "isthing": 0, "iscrowd": 0, "area": 4, "bbox": [1, 0, 3, 2],
                "score": 0.5,
            },
        ],
    }  # fmt: skip


def test_plot_takes_arrays_and_tensors() -> None:
    photo = np.full((2, 4, 3), 128, np.uint8)
    picture = prediction().plot(photo)
    width, height = picture.size
    assert width == 2 * height
    assert prediction().plot(torch.from_numpy(photo).permute(2, 0, 1)).tobytes() == picture.tobytes()


def test_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction().segments = ()  # type: ignore[misc]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(tmp_path: Path) -> None:
    one = prediction()
    there = one.to("cuda")
    there.save(tmp_path / "a.png")
    assert np.array_equal(read_id_png(tmp_path / "a.png"), IDS.numpy())
    assert there == one
    assert "on cuda:0" in repr(there)
    assert there.mask(1).is_cuda
    assert there.rle(1) == one.rle(1)
    assert there.with_ids({1: 1 << 20}).to("cpu") == one.with_ids({1: 1 << 20})
    assert there.to_semantic().cpu().equal(one.to_semantic())
    assert there.to_supervision().mask.shape == (2, 2, 4)


def test_masks_by_segment_by_id_and_all_together() -> None:
    one = scattered(1)
    for own, mask in zip(one, one.masks(), strict=True):
        assert mask.equal(one.segment_ids == own.id)
        assert one.mask(own.id).equal(mask)
        assert one.segment(own.id) == own
    assert len(one) == len(one.segments) == len(one.masks())
    assert one.masks([one.segments[2]]).shape == (1, 37, 53)
    assert one.masks([]).shape == (0, 37, 53)


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_and_polygons_are_the_mask(seed: int) -> None:
    one = scattered(seed)
    for own in one:
        mask = one.mask(own).numpy()
        rle = json.loads(json.dumps(one.rle(own)))
        assert rle["counts"] == coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        assert (coco_mask.decode(rle) == mask).all()
        drawn = coco_mask.merge(coco_mask.frPyObjects(one.polygons(own), *mask.shape))
        assert (coco_mask.decode(drawn) == mask).all()


@pytest.mark.parametrize("call", ["mask", "rle", "polygons", "segment"])
def test_an_unknown_segment_is_named(call: str) -> None:
    for unknown in (77, segment(77, CAT)):
        with pytest.raises(DataError, match=r"segment 77: is not of this prediction, whose ids are 1, 2"):
            getattr(prediction(), call)(unknown)
    with pytest.raises(DataError, match="whose ids are none"):
        PanopticPrediction(torch.zeros(2, 2, dtype=torch.int32), ()).mask(1)


@pytest.mark.parametrize("call", ["mask", "rle", "polygons", "segment"])
def test_a_segment_of_another_prediction_is_refused(call: str) -> None:
    one = prediction()
    getattr(one, call)(copy.deepcopy(one).segments[0])
    with pytest.raises(DataError, match=r"segment 1: grass is of another prediction; here this id is a cat"):
        getattr(one, call)(segment(1, GRASS))
    with pytest.raises(DataError, match="of another prediction"):
        one.masks([segment(1, CAT)])


def test_other_ids() -> None:
    one = scattered(3)
    new = {own.id: (1 << 24) - 1 - place for place, own in enumerate(one)}
    renamed = one.with_ids(new)
    for own, other in zip(one, renamed, strict=True):
        assert other == dataclasses.replace(own, id=new[own.id])
        assert renamed.mask(other).equal(one.mask(own))
    assert renamed.with_ids({value: key for key, value in new.items()}) == one
    first, second, *_ = one.segments
    swapped = one.with_ids({first.id: second.id, second.id: first.id})
    assert swapped.mask(second.id).equal(one.mask(first.id))


@pytest.mark.parametrize(
    ("new", "message"),
    [({1: 2}, "segment id 2: two segments"), ({1: 0}, "segment id 0: give one of"),
     ({1: 1 << 24}, "give one of 1..16777215"), ({9: 3}, "segment 9: is not of this")],
)  # fmt: skip
def test_other_ids_that_cannot_be(new: dict[int, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prediction().with_ids(new)


def test_semantic_map_by_hand() -> None:
    one = prediction()
    assert one.to_semantic().tolist() == [[0, 0, 255, 2], [0, 2, 2, 2]]
    assert one.to_semantic("category_id", void=-1).tolist() == [[3, 3, -1, 20], [3, 20, 20, 20]]
    with pytest.raises(DataError, match="void: 20 is the category_id of 'grass'"):
        one.to_semantic("category_id", void=20)


def test_equal_copies() -> None:
    one = scattered(2)
    for again in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), one.to("cpu"), copy.copy(one)):
        assert type(again) is PanopticPrediction
        assert again == one
        assert hash(again) == hash(one)
    other = dataclasses.replace(one.segments[0], score=0.123)
    assert PanopticPrediction(one.segment_ids, (other, *one.segments[1:])) != one
    moved = one.segment_ids.clone()
    moved[one.segment_ids == one.segments[0].id] = one.segments[1].id
    moved[0, 0] = one.segments[0].id
    assert PanopticPrediction(moved, one.segments) != one
    assert one != "a text"
    assert one.to("meta").segment_ids.is_meta


def test_repr_says_what_there_is() -> None:
    assert repr(prediction()) == "PanopticPrediction(2x4, 1 thing: 1 cat; 1 stuff: grass; 12 % void)"
    empty = PanopticPrediction(torch.zeros(3, 4, dtype=torch.int32), ())
    assert repr(empty) == "PanopticPrediction(3x4, 0 things; 0 stuff; 100 % void)"
    assert repr(empty.to("meta")).startswith("PanopticPrediction(3x4 on meta,")


def test_crops() -> None:
    one = prediction()
    photo = np.random.default_rng(0).integers(1, 256, (2, 4, 3), np.uint8)
    cut = np.asarray(one.crop(2, photo))
    assert cut.shape == (2, 3, 4)
    assert cut[..., 3].tolist() == [[0, 0, 255], [255, 255, 255]]
    mask = cut[..., 3] > 0
    assert (cut[mask][:, :3] == photo[:, 1:][mask]).all()
    assert (cut[~mask] == 0).all()
    box = one.crop(1, Image.fromarray(photo), transparent=False, padding=1)
    assert box.mode == "RGB"
    assert (np.asarray(box) == photo[:, :3]).all()
    with pytest.raises(DataError, match="image: is 4x1 pixels and the prediction 4x2"):
        one.crop(1, photo[:1])
    with pytest.raises(DataError, match="padding"):
        one.crop(1, photo, padding=-1)


def test_crowds_are_drawn_calmly_and_called_so() -> None:
    crowd = segment(1, CAT, is_crowd=True).as_drawn()
    assert (crowd.category.name, crowd.is_thing) == ("cat (crowd)", False)
    assert segment(1, CAT).as_drawn() == segment(1, CAT)
