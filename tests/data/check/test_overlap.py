"""Photos that are in a set twice, or in training and validation, and categories that differ."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_data import CAT, DOG, ToyImage, ToySegment, edit_json, write_panoptic_set
from make_faults import CLEAN, Planter, clean_set, offenders, rows
from spatialflow.data.check import check_dataset

VAL = (ToyImage("v"), ToyImage("w"))


@pytest.fixture
def train(tmp_path: Path) -> Planter:
    return clean_set(tmp_path)


@pytest.fixture
def val(train: Planter) -> Planter:
    """A validation set in the folder of the training set, whose photos are in one folder with its."""
    return Planter(write_panoptic_set(train.path.parents[1], VAL, "panoptic_val"))


def test_sets_apart(train: Planter, val: Planter) -> None:
    assert rows(train.check()) == {"photo-unlisted": 2}
    assert rows(train.check(validation=[val.path])) == {}


def test_one_file_in_both(train: Planter, val: Planter) -> None:
    val.image(1, file_name="a.png")
    report = train.check(validation=[val.path])
    assert rows(report) == {"overlap-file": 1, "photo-unlisted": 1}
    assert offenders(report, "overlap-file") == ["a.png"]
    assert report.has_errors


def test_a_link_is_the_file(train: Planter, val: Planter) -> None:
    val.photo("w").unlink()
    val.photo("w").symlink_to(train.photo("b"))
    assert rows(train.check(validation=[val.path])) == {"overlap-file": 1}


def test_one_name_in_both_where_the_photo_is_not_there(train: Planter, tmp_path: Path) -> None:
    other = write_panoptic_set(tmp_path / "other", [ToyImage("a", (50, 64)), ToyImage("v")])
    assert rows(train.check(validation=[other])) == {}  # another photo of that name
    (tmp_path / "other/images/a.png").unlink()
    report = train.check(validation=[other])
    assert rows(report) == {"overlap-file": 1}
    assert offenders(report, "overlap-file")[0].startswith("a.png (by its name")


def test_photos_of_validation_in_the_folder_that_is_named(train: Planter, tmp_path: Path) -> None:
    other = write_panoptic_set(tmp_path / "other", CLEAN[:1])
    shutil.rmtree(tmp_path / "other/images")
    report = train.check(validation=[other], images=train.photo().parent)
    assert offenders(report, "overlap-file") == ["a.png"]


def test_a_copy_under_another_name_and_in_another_format(train: Planter, val: Planter) -> None:
    Image.open(train.photo("b")).save(val.photo("w").with_suffix(".bmp"))
    val.photo("w").unlink()
    val.image(1, file_name="w.bmp")
    report = train.check(validation=[val.path])
    assert rows(report) == {"overlap-content": 1}
    assert offenders(report, "overlap-content") == ["w.bmp is b.png"]


def scene(seed: int, shift: int = 0) -> Image.Image:
    """A smooth picture, as photos are, since noise does not survive JPEG."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return small.resize((160, 120), Image.Resampling.BICUBIC).crop((shift, 0, 128 + shift, 96))


def test_a_recompressed_copy_looks_alike_but_the_next_frame_does_not(tmp_path: Path) -> None:
    train = write_panoptic_set(tmp_path / "train", [ToyImage("t", (96, 128)), ToyImage("u", (96, 128))])
    val = write_panoptic_set(
        tmp_path / "val", [ToyImage("v", (96, 128), suffix=".jpg"), ToyImage("w", (96, 128))]
    )
    scene(1).save(tmp_path / "train/images/t.png")
    scene(1).save(tmp_path / "val/images/v.jpg", quality=30)
    scene(1, shift=8).save(tmp_path / "val/images/w.png")
    report = check_dataset(train, validation=[val])
    assert rows(report) == {"overlap-similar": 1, "category-unused": 2}
    assert offenders(report, "overlap-similar") == ["v.jpg looks like t.png"]
    assert not report.has_errors


def test_photos_without_detail_do_not_look_alike(tmp_path: Path) -> None:
    paths = [write_panoptic_set(tmp_path / part, [ToyImage(part)]) for part in ("t", "v")]
    for part, grey in (("t", 100), ("v", 101)):
        pixels = np.full((48, 64, 3), grey, np.uint8)
        pixels[0, 0] = 0
        Image.fromarray(pixels).save(tmp_path / part / f"images/{part}.png")
    assert "overlap-similar" not in rows(check_dataset(paths[0], validation=paths[1:]))


def test_several_validation_sets(train: Planter, tmp_path: Path) -> None:
    others = [write_panoptic_set(tmp_path / name, [image]) for name, image in zip("xy", CLEAN, strict=False)]
    report = train.check(validation=others)
    assert offenders(report, "overlap-content") == ["a.png is a.png", "b.png is b.png"]


def test_a_category_that_means_something_else(train: Planter, val: Planter) -> None:
    edit_json(val.path, lambda content: content["categories"][0].update(name="cow"))
    report = train.check(validation=[val.path])
    assert rows(report) == {"val-category-differs": 1}
    expected = "id 3: thing 'cow' in panoptic_val.json, thing 'cat' in training"
    assert offenders(report, "val-category-differs") == [expected]


def test_a_category_that_differs_but_is_not_used(train: Planter, val: Planter) -> None:
    edit_json(val.path, lambda content: content["categories"][1].update(name="cow"))
    assert rows(train.check(validation=[val.path])) == {}


def test_a_category_that_only_validation_shows(tmp_path: Path) -> None:
    train = write_panoptic_set(tmp_path, [ToyImage("t")], "panoptic_train")
    image = ToyImage("v", segments=(ToySegment(CAT, (0, 0, 40, 40)), ToySegment(DOG, (40, 0, 60, 40))))
    val = write_panoptic_set(tmp_path, [image], "panoptic_val")
    report = check_dataset(train, validation=[val])
    assert rows(report) == {"val-category-new": 1, "category-unused": 2}
    assert offenders(report, "val-category-new") == ["dog"]
