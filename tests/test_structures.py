"""What flows between the parts keeps its promises."""

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from make_model import TOY, make_batch, make_target
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


def test_targets_and_batches_move_whole() -> None:
    batch = make_batch(make_target((32, 40), (CAT, (0, 0, 9, 9), True)), make_target((50, 20)))
    moved = batch.to("meta")
    assert moved.images.is_meta
    assert moved.image_sizes == batch.image_sizes == ((32, 40), (50, 20))
    assert len(moved) == 2
    for before, after in zip(batch.targets, moved.targets, strict=True):
        for field in dataclasses.fields(before):
            old, new = getattr(before, field.name), getattr(after, field.name)
            if isinstance(old, torch.Tensor):
                assert new.is_meta
                assert not old.is_meta  # the one moved stays where it was
                assert (new.shape, new.dtype) == (old.shape, old.dtype)
            else:
                assert new == old


def test_batches_pass_between_processes() -> None:
    batch = make_batch(make_target((32, 40), (CAT, (0, 0, 9, 9), True)))
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again.images, batch.images)
    assert torch.equal(again.targets[0].id_map, batch.targets[0].id_map)
    assert again.targets[0].is_crowd.tolist() == [True]


def test_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction().segments = ()  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_target((2, 2)).image_id = 3  # type: ignore[misc]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(tmp_path: Path) -> None:
    one = prediction()
    there = PanopticPrediction(one.segment_ids.cuda(), one.segments)
    there.save(tmp_path / "a.png")
    assert np.array_equal(read_id_png(tmp_path / "a.png"), IDS.numpy())
    batch = make_batch(make_target((32, 40))).pin_memory().to("cuda", non_blocking=True)
    assert batch.images.is_cuda
    assert batch.targets[0].id_map.is_cuda
