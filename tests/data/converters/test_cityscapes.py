"""Cityscapes to COCO panoptic: equal to Cityscapes' own, with photos that are found, and each fault."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import cityscapes_to_panoptic
from spatialflow.data.converters.cityscapes import cityscapes_categories
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError, OutputError
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png

VALUES = np.array(
    [
        [0, 7, 7, 23, 23],  # unlabeled, road, sky
        [24, 24000, 24001, 25, 33003],  # a group, two persons, riders, a bicycle
        [9, 6, 29, 29000, 30],  # parking, ground, caravans, trailers: not evaluated
    ],
    np.uint16,
)
PHOTO = "leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png"
TRUTH = "gtFine/train/ulm/ulm_000000_000019_gtFine_instanceIds.png"


def save(path: Path, pixels: NDArray[np.integer]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "cityscapes"
    save(root / PHOTO, np.zeros((3, 5, 3), np.uint8))
    save(root / TRUTH, VALUES)
    return root


@pytest.mark.parametrize("split", ["train", "val"])
def test_equal_to_their_own(shared_data: Path, tmp_path: Path, split: str) -> None:
    root = shared_data / "cityscapes_half"
    cityscapes_to_panoptic(root, tmp_path / "out.json", split=split)
    expected = root / "gtFine" / f"cityscapes_panoptic_{split}_trainId.json"
    ours, theirs = read_json(tmp_path / "out.json"), read_json(expected)
    assert ours["annotations"] == theirs["annotations"]
    assert ours["categories"] == theirs["categories"]
    assert [image["id"] for image in ours["images"]] == [image["id"] for image in theirs["images"]]
    for image in ours["images"]:
        assert (root / "leftImg8bit" / split / image["file_name"]).is_file()
    for entry in theirs["annotations"]:
        pngs = (folder / entry["file_name"] for folder in (tmp_path / "out", expected.with_suffix("")))
        np.testing.assert_array_equal(*map(read_id_png, pngs))
    data = CocoPanoptic(
        tmp_path / "out.json",
        Categories.load(expected),
        root / "leftImg8bit" / split,
        scales=[(256, 128)],
        train=True,
    )
    assert len(data) == len(ours["images"])
    assert data[0].image.shape == (3, 128, 256)


def test_each_pixel(root: Path, tmp_path: Path) -> None:
    result = cityscapes_to_panoptic(root, tmp_path / "out.json")
    assert (result.images, result.segments) == (1, 7)
    truth = read_truth(tmp_path / "out.json")
    (annotation,) = truth.annotations.values()
    assert annotation.file_name == "ulm_000000_000019_gtFine_panoptic.png"
    found = [(s.id, s.category_id, s.is_crowd, s.area, s.bbox) for s in annotation.segments]
    assert found == [
        (7, 0, False, 2, (1, 0, 2, 1)),
        (23, 10, False, 2, (3, 0, 2, 1)),
        (24, 11, True, 1, (0, 1, 1, 1)),
        (25, 12, True, 1, (3, 1, 1, 1)),
        (24000, 11, False, 1, (1, 1, 1, 1)),
        (24001, 11, False, 1, (2, 1, 1, 1)),
        (33003, 18, False, 1, (4, 1, 1, 1)),
    ]
    expected = VALUES.astype(np.int32)
    expected[2] = 0
    np.testing.assert_array_equal(read_id_png(tmp_path / "out" / annotation.file_name), expected)
    (image,) = truth.images.values()
    assert (image.id, image.file_name) == ("ulm_000000_000019", "ulm/ulm_000000_000019_leftImg8bit.png")


def test_label_ids_are_not_needed_and_not_minded(root: Path, tmp_path: Path) -> None:
    cityscapes_to_panoptic(root, tmp_path / "one.json")
    save(root / TRUTH.replace("instanceIds", "labelIds"), np.zeros((3, 5), np.uint8))
    cityscapes_to_panoptic(root, tmp_path / "other.json")
    assert read_json(tmp_path / "one.json") == read_json(tmp_path / "other.json")


def test_categories() -> None:
    categories = Categories.from_json(cityscapes_categories())
    assert (categories.num_things, categories.num_stuff) == (8, 11)
    assert [entry["id"] for entry in cityscapes_categories()] == list(range(19))


FAULTS: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda root: (root / PHOTO).unlink(), "train", r"ulm_000000_000019_leftImg8bit\.png: no such image"),
    (
        lambda root: save(root / PHOTO, np.zeros((3, 4, 3), np.uint8)),
        "train",
        "is 5x3 pixels, but its photo .* is 4x3",
    ),
    (
        lambda root: save(root / TRUTH, np.full((3, 5), 34, np.uint8)),
        "train",
        "has the value 34, which is neither",
    ),
    (lambda root: save(root / TRUTH, np.full((3, 5), 34000, np.uint16)), "train", "has the value 34000"),
    (lambda root: save(root / TRUTH, np.zeros((3, 5, 3), np.uint8)), "train", "has 3 channels"),
    (
        lambda root: (root / TRUTH).write_bytes(b"\x89PNG\r\n\x1a\n"),
        "train",
        "instanceIds.png: the PNG is truncated",
    ),
    (
        lambda root: (root / TRUTH).unlink(),
        "train",
        r"gtFine/train: no CITY/\*_gtFine_instanceIds\.png in it",
    ),
    (
        lambda root: save(root / PHOTO.replace("000019", "000020"), np.zeros((3, 5, 3), np.uint8)),
        "train",
        r"1 photos have no _gtFine_instanceIds\.png in it, such as ulm_000000_000020_leftImg8bit\.png",
    ),
    (
        lambda root: None,
        "val",
        "leftImg8bit/val: no such folder; name the folder that has leftImg8bit and gtFine",
    ),
    (lambda root: None, "../train", "is no name of a folder"),
    (lambda root: None, "", "is no name of a folder"),
    (lambda root: (root / "gtFine").rename(root / "gt"), "train", "gtFine/train: no such folder"),
    (
        lambda root: [save(root / p.replace("/ulm/", "/bonn/"), VALUES) for p in (PHOTO, TRUTH)],
        "train",
        "two images have the id 'ulm_000000_000019'",
    ),
]


@pytest.mark.parametrize(("change", "split", "message"), FAULTS)
def test_faults(
    root: Path, tmp_path: Path, change: Callable[[Path], object], split: str, message: str
) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        cityscapes_to_panoptic(root, tmp_path / "new" / "out.json", split=split)
    assert not (tmp_path / "new").exists()


def test_their_own_files_are_not_replaced(root: Path) -> None:
    own = root / "gtFine" / "cityscapes_panoptic_train_trainId.json"
    own.write_text("{}")
    with pytest.raises(OutputError, match="was not made by spatialflow convert"):
        cityscapes_to_panoptic(root, own)
    with pytest.raises(OutputError, match="is what is converted"):
        cityscapes_to_panoptic(root, root / "gtFine" / "train.json", overwrite=True)
