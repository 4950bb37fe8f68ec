"""The data set: golden targets of the original, odd photos, odd annotations."""

import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from make_data import CAT, CATEGORIES, DOG, GRASS, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.image_io import read_photo
from spatialflow.ops.masks import binary_masks, semantic_map

TOY = Categories.from_json(CATEGORIES)
SAME = (64, 48)
"""Scale that leaves the toy images as they are."""


def toy_set(json_path: Path, **options: Any) -> CocoPanoptic:
    return CocoPanoptic(json_path, TOY, **{"scales": [SAME], **options})


@pytest.mark.parametrize(
    ("case", "name", "flip", "png"),
    [("single0", "000000142238", 0.0, 0), ("single1_flip", "000000439180", 1.0, 1)],
)
def test_targets_equal_the_original(
    shared_data: Path, reference: Path, case: str, name: str, flip: float, png: int
) -> None:
    golden = json.loads((reference / "public" / "r50" / "loss.json").read_text())
    expected = golden["cases"][case]
    dataset = CocoPanoptic(
        shared_data / "coco" / "annotations" / "panoptic_real.json",
        coco_panoptic(),
        scales=[golden["train_scale"]],
        flip=flip,
        train=True,
    )
    index = next(i for i in range(len(dataset)) if dataset.info(i).file_name == f"{name}.jpg")
    image, target = dataset[index]
    height, width = expected["metas"][0]["img_shape"][:2]
    assert image.shape == (3, height, width)
    assert image.dtype == torch.uint8

    instances = (target.labels < 80) & ~target.is_crowd
    truth = expected["gt"][0]
    assert target.boxes[instances].tolist() == truth["boxes"]
    assert target.labels[instances].tolist() == truth["labels"]
    areas = binary_masks(target.id_map, target.ids[instances]).sum(dim=(1, 2))
    assert areas.tolist() == truth["mask_areas"]

    semantic = semantic_map(target, dataset.categories)
    values, counts = semantic.unique(return_counts=True)
    histogram = dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))
    assert histogram == expected["seg_hist"][0]
    unflipped = semantic.flip(1) if flip else semantic
    stuff = cv2.imread(str(reference / "public" / "r50" / f"loss_seg_target_{png}.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(unflipped.numpy(), stuff[:height, :width])


def test_a_target_by_hand(tmp_path: Path) -> None:
    toy = ToyImage(
        "a",
        segments=(
            ToySegment(SKY, (0, 0, 64, 20)),
            ToySegment(CAT, (10, 8, 40, 30)),
            ToySegment(DOG, (30, 20, 64, 48), is_crowd=True),
        ),
    )
    dataset = toy_set(write_panoptic_set(tmp_path, [toy]), train=True)
    image, target = dataset[0]
    assert np.array_equal(image.permute(1, 2, 0).numpy(), toy.pixels())
    assert np.array_equal(target.id_map.numpy(), toy.id_map())
    assert target.id_map.dtype == torch.int32
    assert target.ids.tolist() == [1001, 1002, 1003]
    assert target.labels.tolist() == [3, 0, 1]
    assert target.is_crowd.tolist() == [False, False, True]
    assert target.boxes.tolist() == [[0, 0, 64, 20], [10, 8, 40, 30], [30, 20, 64, 48]]
    assert (target.image_id, target.file_name, target.original_size) == (1, "a.png", (48, 64))
    semantic = semantic_map(target, TOY)
    assert [semantic[y, x].item() for y, x in [(0, 0), (10, 20), (40, 50), (40, 0)]] == [1, 2, 2, 255]


def test_resized_and_flipped_masks_are_those_of_opencv(tmp_path: Path) -> None:
    toy = ToyImage("a")
    image, target = toy_set(write_panoptic_set(tmp_path, [toy]), scales=[(90, 50)], flip=1.0)[0]
    assert image.shape == (3, 50, 67)
    assert target.original_size == (48, 64)
    mask = (toy.id_map() == 1002).astype(np.uint8)
    expected = cv2.resize(mask, (67, 50), interpolation=cv2.INTER_NEAREST)[:, ::-1] == 1
    assert np.array_equal(binary_masks(target.id_map, torch.tensor([1002]))[0].numpy(), expected)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", ".png"), ("L", ".jpg"), ("CMYK", ".jpg"), ("RGBA", ".png"), ("P", ".png")]
)
def test_photos_of_other_modes_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    toy = ToyImage("a", mode=mode, suffix=suffix)
    image, target = toy_set(write_panoptic_set(tmp_path, [toy]))[0]
    assert image.shape == (3, 48, 64)
    assert target.id_map.shape == (48, 64)
    if mode == "L":
        assert torch.equal(image[0], image[1])
        assert torch.equal(image[0], image[2])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_rotated_photo_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    toy = ToyImage("a", orientation=orientation)
    image, target = toy_set(write_panoptic_set(tmp_path, [toy]))[0]
    assert np.array_equal(image.permute(1, 2, 0).numpy(), toy.pixels())
    assert target.original_size == (48, 64)


def test_a_photo_annotated_as_stored_is_not_turned(tmp_path: Path) -> None:
    toy = ToyImage("a", segments=[ToySegment(CAT, (5, 5, 20, 20))])
    path = write_panoptic_set(tmp_path, [toy])
    exif = Image.Exif()
    exif[0x0112] = 6  # upright it would be 48 wide and 64 high, unlike its PNG
    Image.fromarray(toy.pixels()).save(tmp_path / "images" / "a.png", exif=exif)
    image, _ = toy_set(path)[0]
    assert np.array_equal(image.permute(1, 2, 0).numpy(), toy.pixels())


def test_images_without_things_stuff_or_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_panoptic_set(
        tmp_path,
        [
            ToyImage("stuff", segments=[ToySegment(SKY, (0, 0, 64, 48))]),
            ToyImage("thing", segments=[ToySegment(CAT, (3, 3, 9, 9))]),
            ToyImage("void", segments=[]),
            ToyImage("crowd", segments=[ToySegment(CAT, (3, 3, 9, 9), is_crowd=True)]),
            ToyImage("small", size=(31, 64), segments=[ToySegment(CAT, (3, 3, 9, 9))]),
        ],
    )

    def names(**options: Any) -> list[str]:
        dataset = toy_set(path, **options)
        return [Path(dataset.info(i).file_name).stem for i in range(len(dataset))]

    with caplog.at_level(logging.INFO):
        assert names(train=True) == ["thing", "crowd"]
    assert (
        "2 of 5 images are used; left out: 0 without annotation, 2 without things, 1 smaller" in caplog.text
    )
    assert names(train=True, keep_images_without_things=True) == ["stuff", "thing", "void", "crowd"]
    assert names() == ["stuff", "thing", "void", "crowd", "small"]

    everything = toy_set(path)
    void = everything[2].target
    assert len(void.ids) == 0
    assert void.boxes.shape == (0, 4)
    assert void.boxes.dtype == torch.float32
    assert (semantic_map(void, TOY) == 255).all()
    assert (semantic_map(everything[0].target, TOY) == 1).all()
    assert set(semantic_map(everything[3].target, TOY).unique().tolist()) == {2, 255}


def test_data_without_thing_classes_are_all_trained_on(tmp_path: Path) -> None:
    stuff = [category for category in CATEGORIES if not category["isthing"]]
    toy = ToyImage("a", segments=[ToySegment(GRASS, (0, 0, 64, 48))])
    path = write_panoptic_set(tmp_path, [toy], categories=stuff)
    assert len(CocoPanoptic(path, Categories.from_json(stuff), scales=[SAME], train=True)) == 1


def test_a_thing_whose_box_is_empty_is_no_target_in_training_and_one_in_evaluation(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage("a", segments=[ToySegment(CAT, (10, 10, 11, 11))])])
    edit_json(path, lambda c: c["annotations"][0]["segments_info"][0].update(bbox=[10, 10, 0, 0]))
    assert toy_set(path, train=True)[0].target.is_crowd.tolist() == [True]
    assert toy_set(path)[0].target.is_crowd.tolist() == [False]


@pytest.mark.filterwarnings("error")
def test_the_original_of_a_photo_that_is_resized_and_mirrored(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage("a", segments=[ToySegment(CAT, (3, 4, 20, 30))])])
    dataset = CocoPanoptic(path, TOY, scales=[(32, 24)], flip=1.0)
    image, target = dataset.original(0)
    assert np.array_equal(image.permute(1, 2, 0), read_photo(dataset.images / "a.png"))
    assert target.boxes.tolist() == [[3, 4, 20, 30]]
    assert target.id_map.shape == image.shape[1:] != dataset[0].image.shape[1:]
    assert target.id_map[4, 3] == target.ids[0]


def test_images_without_annotation_are_left_out(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    edit_json(path, lambda content: content["annotations"].pop(0))
    dataset = toy_set(path)
    assert [dataset.info(i).file_name for i in range(len(dataset))] == ["second.png"]


def test_one_pixel_objects(tmp_path: Path) -> None:
    toy = ToyImage("a", segments=[ToySegment(CAT, (63, 47, 64, 48)), ToySegment(DOG, (0, 0, 1, 1))])
    target = toy_set(write_panoptic_set(tmp_path, [toy]), train=True)[0].target
    assert target.boxes.tolist() == [[63, 47, 64, 48], [0, 0, 1, 1]]
    assert not target.is_crowd.any()
    assert binary_masks(target.id_map, target.ids).sum(dim=(1, 2)).tolist() == [1, 1]


def test_a_segment_that_vanishes_in_the_resize_keeps_its_row(tmp_path: Path) -> None:
    toy = ToyImage("a", segments=[ToySegment(CAT, (63, 47, 64, 48))])
    target = toy_set(write_panoptic_set(tmp_path, [toy]), scales=[(32, 24)])[0].target
    assert target.ids.tolist() == [1001]
    assert not (target.id_map == 1001).any()
    assert target.boxes.tolist() == [[31.5, 23.5, 32, 24]]


@pytest.mark.parametrize(
    ("bbox", "is_crowd"),
    [
        ([5, 5, 0.9, 4], True),
        ([5, 5, 4, 0.9], True),
        ([5, 5, 1, 1], False),
        ([64, 5, 4, 4], True),  # wholly to the right of the image
        ([63.5, 5, 4, 4], False),
        ([-4, 5, 4, 4], True),
    ],
)
def test_boxes_the_original_does_not_train_on_become_crowds(
    tmp_path: Path, bbox: list[float], is_crowd: bool
) -> None:
    segments = [ToySegment(CAT, (5, 5, 9, 9)), ToySegment(SKY, (5, 10, 9, 14))]
    path = write_panoptic_set(tmp_path, [ToyImage("a", segments=segments)])

    def give_box(content: dict[str, Any]) -> None:
        for info in content["annotations"][0]["segments_info"]:
            info["bbox"] = bbox

    edit_json(path, give_box)
    target = toy_set(path, train=True)[0].target
    assert target.is_crowd.tolist() == [is_crowd, False]  # stuff has no such rule
    assert (semantic_map(target, TOY)[5:9, 5:9] == TOY.things_channel).all()


def test_boxes_are_found_where_the_file_has_none(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    expected = [example.target.boxes.tolist() for example in map(toy_set(path).__getitem__, range(2))]

    def drop_boxes(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            for info in annotation["segments_info"]:
                del info["bbox"]

    edit_json(path, drop_boxes)
    dataset = toy_set(path)
    assert [dataset[i].target.boxes.tolist() for i in range(2)] == expected


def test_reading_twice_draws_the_same_and_images_differ(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(f"a{i}") for i in range(8)])
    dataset = toy_set(path, scales=[(64, 48), (128, 96)], flip=0.5, seed=-3)
    shapes = [example.image.shape for example in dataset]
    assert [dataset[i].image.shape for i in range(8)] == shapes
    assert len(set(shapes)) > 3
    other = toy_set(path, scales=[(64, 48), (128, 96)], flip=0.5, seed=4)
    assert [example.image.shape for example in other] != shapes


@pytest.mark.parametrize("place", ["images", "toy", "annotations/images", "annotations"])
def test_photos_are_found_in_the_usual_places(tmp_path: Path, place: str) -> None:
    path = write_panoptic_set(tmp_path)
    photos = list((tmp_path / "images").iterdir())
    (tmp_path / place).mkdir(exist_ok=True)
    for photo in photos:
        photo.replace(tmp_path / place / photo.name)
    assert toy_set(path)[0].image.shape == (3, 48, 64)


@pytest.mark.parametrize(
    "image_name", ["aachen_1_2_gtFine_leftImg8bit.png", "aachen/aachen_1_2_leftImg8bit.png"]
)
def test_photos_of_cityscapes(tmp_path: Path, image_name: str) -> None:
    """Its own panoptic files call photos by a name that is none of a file; converters by the file's."""
    truth = write_panoptic_set(tmp_path, [ToyImage("first")], "cityscapes_panoptic_val_trainId")
    photo = tmp_path / "leftImg8bit" / "val" / "aachen" / "aachen_1_2_leftImg8bit.png"
    photo.parent.mkdir(parents=True)
    (tmp_path / "images" / "first.png").rename(photo)
    edit_json(truth, lambda content: content["images"][0].update(file_name=image_name))
    data = CocoPanoptic(truth, Categories.load(truth), scales=((64, 64),))
    assert data.images == tmp_path / "leftImg8bit" / "val"
    assert np.array_equal(data.original(0).image.permute(1, 2, 0).numpy(), ToyImage("first").pixels())
