"""Other libraries' objects, compared with what those libraries make of them."""

import sys

import numpy as np
import pytest
import supervision
import torch

from make_model import TOY
from make_predictions import of_map, scattered
from spatialflow.errors import SpatialFlowError
from spatialflow.structures import PanopticPrediction

EMPTY = PanopticPrediction(torch.zeros(4, 6, dtype=torch.int32), ())


def test_supervision_finds_boxes_and_areas_in_our_masks() -> None:
    one = scattered(4)
    found = one.to_supervision()
    inclusive = found.xyxy - np.array([0, 0, 1, 1])
    assert (supervision.mask_to_xyxy(found.mask) == inclusive).all()
    assert found.mask.sum(axis=(1, 2)).tolist() == [own.area for own in one]
    assert found["class_name"].tolist() == [own.category.name for own in one]
    assert found["segment_id"].tolist() == [own.id for own in one]
    assert np.allclose(found.confidence, [own.score for own in one])
    assert found.class_id.tolist() == [own.label for own in one]
    assert one.to_supervision(classes="category_id").class_id.tolist() == [own.category.id for own in one]


def test_supervision_takes_things_only_slices_and_annotates() -> None:
    one = scattered(4)
    things = one.to_supervision(things_only=True)
    assert len(things) == sum(own.is_thing for own in one)
    assert set(things["class_name"]) <= {"cat", "dog"}
    photo = np.zeros((37, 53, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(photo.copy(), things)
    assert (drawn.any(axis=2) == things.mask.any(axis=0)).all()
    assert len(things[things.confidence > 0.5]) == (things.confidence > 0.5).sum()
    assert EMPTY.to_supervision().mask.shape == (0, 4, 6)
    assert len(EMPTY.to_supervision()) == 0


def test_supervision_reads_our_dictionary_as_it_reads_transformers() -> None:
    one = scattered(5)
    theirs = supervision.Detections.from_transformers(one.to_huggingface(), dict(enumerate(map(str, TOY))))
    ours = one.to_supervision()
    mine = {(mask.tobytes(), name) for mask, name in zip(ours.mask, ours["class_name"], strict=True)}
    assert {
        (mask.tobytes(), name) for mask, name in zip(theirs.mask, theirs["class_name"], strict=True)
    } == mine
    assert len(mine) == len(one)


def test_without_supervision_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(SpatialFlowError, match="pip install supervision"):
        scattered(1).to_supervision()


def test_dictionary_of_transformers() -> None:
    one = scattered(6)
    got = one.to_huggingface("category_id")
    assert got["segmentation"].dtype == torch.int32
    assert got["segmentation"].equal(one.segment_ids)
    for info, own in zip(got["segments_info"], one, strict=True):
        assert list(info) == ["id", "label_id", "was_fused", "score"]
        assert info["id"] == own.id
        assert info["label_id"] == own.category.id
        assert info["was_fused"] is not own.is_thing
        assert info["score"] == pytest.approx(own.score, abs=1e-6)
    assert EMPTY.to_huggingface()["segments_info"] == []
    crowd = of_map(np.ones((2, 2), np.int32), {1: 0}, is_crowd=True)
    assert crowd.to_huggingface()["segments_info"][0]["was_fused"] is True
