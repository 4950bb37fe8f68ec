"""The data set: each bad input gives one line that names the file and the remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_data import CATEGORIES, DOG, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.errors import DataError
from spatialflow.image_io import write_id_png

SAME = (64, 48)


def toy_set(json_path: Path, **options: Any) -> CocoPanoptic:
    return CocoPanoptic(json_path, Categories.from_json(CATEGORIES), scales=[SAME], **options)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


PNG = Path("annotations/panoptic_toy/first.png")
JSON = Path("annotations/panoptic_toy.json")
PHOTO = Path("images/first.png")


def first_segments(content: dict[str, Any]) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = content["annotations"][0]["segments_info"]
    return segments


BAD_FILES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "photo missing": (lambda d: (d / PHOTO).unlink(), [str(PHOTO), "no such image"]),
    "photo truncated": (lambda d: truncate(d / PHOTO), [str(PHOTO), "truncated"]),
    "photo is text": (lambda d: (d / PHOTO).write_text("x"), [str(PHOTO), "not an image"]),
    "PNG missing": (lambda d: (d / PNG).unlink(), [str(PNG), "no such panoptic PNG"]),
    "PNG truncated": (lambda d: truncate(d / PNG), [str(PNG), "truncated"]),
    "PNG unlike JSON": (
        lambda d: write_id_png(d / PNG, np.zeros((48, 63), np.int32)),
        [str(PNG), "63x48", "64x48", "image 1 ", "panoptic_toy.json", "correct height and width"],
    ),
    "photo unlike PNG": (
        lambda d: Image.new("RGB", (65, 48)).save(d / PHOTO),
        [str(PNG), "64x48", str(PHOTO), "65x48"],
    ),
    "id not in JSON": (
        lambda d: edit_json(d / JSON, lambda c: first_segments(c).pop()),
        [str(PNG), "segment 1002 has pixels", "image 1 ", "panoptic_toy.json", "add it"],
    ),
    "id not in PNG": (
        lambda d: edit_json(d / JSON, lambda c: first_segments(c)[0].update(id=77)),
        [str(PNG), "segment 1001 has pixels"],
    ),
    "id without pixels": (
        lambda d: edit_json(
            d / JSON,
            lambda c: first_segments(c).append({**first_segments(c)[0], "id": 77}),
        ),
        [str(PNG), "segment 77 has no pixel", "image 1 ", "panoptic_toy.json", "drop it"],
    ),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_bad_files_give_one_line(tmp_path: Path, fault: str) -> None:
    damage, expected = BAD_FILES[fault]
    path = write_panoptic_set(tmp_path)
    damage(tmp_path)
    dataset = toy_set(path, images=tmp_path / "images")
    with pytest.raises(DataError) as caught:
        dataset[0]
    for words in expected:
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert dataset[1].target.ids.tolist() == [1001, 1002]


def test_missing_folders_give_one_line(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    with pytest.raises(DataError, match=r"elsewhere: no such folder of photos.*name the folder"):
        toy_set(path, images=tmp_path / "elsewhere")
    (tmp_path / "images").rename(tmp_path / "photos")
    with pytest.raises(DataError, match=r"first\.png is in none of") as caught:
        toy_set(path)
    for tried in ["images", "toy", "annotations/images", "annotations"]:
        assert str(tmp_path / tried) in str(caught.value)
    assert len(toy_set(path, images=tmp_path / "photos")) == 2
    (tmp_path / "annotations" / "panoptic_toy").rename(tmp_path / "pngs")
    with pytest.raises(DataError, match=r"panoptic_toy: no such folder of panoptic PNGs"):
        toy_set(path, images=tmp_path / "photos")
    assert len(toy_set(path, images=tmp_path / "photos", segments=tmp_path / "pngs")) == 2


def test_nothing_to_train_on(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage("a", segments=[ToySegment(SKY, (0, 0, 64, 48))])])
    with pytest.raises(DataError, match=r"none of them can be used .*1 without things"):
        toy_set(path, train=True)
    edit_json(path, lambda content: content.update(images=[], annotations=[]))
    with pytest.raises(DataError, match="images: the list is empty"):
        toy_set(path)


def test_categories_of_another_data_set(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path)
    # id 3 is COCO's car
    with pytest.raises(DataError, match=r"id 3 is the thing 'cat', but .* thing 'car'; use data"):
        CocoPanoptic(path, coco_panoptic(), scales=[SAME])
    only_stuff = Categories.from_json(CATEGORIES[2:])
    with pytest.raises(DataError, match="classes have no such id"):
        CocoPanoptic(path, only_stuff, scales=[SAME])
    without_dog = Categories.from_json([c for c in CATEGORIES if c["id"] != DOG])
    assert len(CocoPanoptic(path, without_dog, scales=[SAME])) == 2  # no segment is a dog
