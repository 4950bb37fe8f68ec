"""ADE20K to COCO panoptic: the published rule pixel by pixel, real images, and each fault."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import ade20k_to_panoptic
from spatialflow.data.converters.ade20k import ade20k_categories
from spatialflow.data.converters.ade20k_labels import INSTANCE_CATEGORIES
from spatialflow.data.panoptic_json import PanopticFile, read_truth
from spatialflow.errors import DataError, OutputError
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png

WALL, SKY, BED, PERSON, FLAG = 1, 3, 8, 13, 150  # in annotations
BED_THING, PERSON_THING, FLAG_THING = 1, 4, 100  # in annotations_instance
SEMANTIC = np.array(
    [[0, WALL, WALL, SKY, SKY], [BED, BED, WALL, FLAG, SKY], [BED, PERSON, PERSON, 0, WALL]], np.uint8
)
CLASS = np.array(
    [
        [0, 0, 0, 0, 0],
        [BED_THING, BED_THING, BED_THING, FLAG_THING, 0],  # the third lies over wall
        [
            BED_THING,
            PERSON_THING,
            0,
            FLAG_THING,
            0,
        ],  # the fourth over void
    ],
    np.uint8,
)
NUMBER = np.array([[0, 0, 0, 0, 0], [1, 1, 1, 255, 0], [2, 9, 0, 255, 0]], np.uint8)
INSTANCES = np.stack([CLASS, NUMBER, np.zeros_like(CLASS)], axis=2)
NAME = "ADE_train_00000001"


def save(path: Path, pixels: NDArray[np.integer]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def photo(root: Path, name: str = NAME) -> Path:
    return root / "images" / "training" / f"{name}.jpg"


def semantic(root: Path, name: str = NAME) -> Path:
    return root / "annotations" / "training" / f"{name}.png"


def instances(root: Path, name: str = NAME) -> Path:
    return root / "annotations_instance" / "training" / f"{name}.png"


def add(root: Path, name: str = NAME) -> None:
    save(photo(root, name), np.zeros((3, 5, 3), np.uint8))
    save(semantic(root, name), SEMANTIC)
    save(instances(root, name), INSTANCES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add(tmp_path / "ade")
    return tmp_path / "ade"


def test_each_pixel(root: Path, tmp_path: Path) -> None:
    result = ade20k_to_panoptic(root, tmp_path / "out.json")
    assert str(result) == f"{tmp_path / 'out.json'}: 1 images, 6 segments"
    truth = read_truth(tmp_path / "out.json")
    (annotation,) = truth.annotations.values()
    assert (annotation.image_id, annotation.file_name) == (NAME, f"{NAME}.png")
    assert [(s.id, s.category_id, s.is_crowd, s.area, s.bbox) for s in annotation.segments] == [
        (WALL, 0, False, 3, (1, 0, 4, 3)),
        (SKY, 2, False, 3, (3, 0, 2, 2)),
        (256 + BED_THING, 7, False, 3, (0, 1, 3, 1)),
        (2 * 256 + BED_THING, 7, False, 1, (0, 2, 1, 1)),
        (9 * 256 + PERSON_THING, 12, False, 1, (1, 2, 1, 1)),
        (255 * 256 + FLAG_THING, 149, False, 2, (3, 1, 1, 2)),
    ]
    flag = 255 * 256 + 100
    assert read_id_png(tmp_path / "out" / f"{NAME}.png").tolist() == [
        [0, 1, 1, 3, 3],
        [257, 257, 257, flag, 3],
        [513, 2308, 0, flag, 1],
    ]
    assert truth.images[NAME].file_name == f"{NAME}.jpg"


def test_one_number_for_two_classes_is_two_segments(root: Path, tmp_path: Path) -> None:
    """The challenge counts all instances of an image through; others count those of each class."""
    pixels = INSTANCES.copy()
    pixels[..., 1] = pixels[..., 0] > 0
    save(instances(root), pixels)
    assert ade20k_to_panoptic(root, tmp_path / "out.json").segments == 5


def test_classes_without_a_number_are_no_instances(root: Path, tmp_path: Path) -> None:
    pixels = INSTANCES.copy()
    pixels[..., 1] = 0
    save(instances(root), pixels)
    ade20k_to_panoptic(root, tmp_path / "out.json")
    ids = read_id_png(tmp_path / "out" / f"{NAME}.png")
    np.testing.assert_array_equal(ids, np.where(np.isin(SEMANTIC, [WALL, SKY]), SEMANTIC, 0))


def test_classes() -> None:
    """100 things among 150; the numbering of the instances at places known from the published mapping."""
    entries = ade20k_categories()
    assert [entry["id"] for entry in entries] == list(range(150))
    categories = Categories.from_json(entries)
    assert (categories.num_things, categories.num_stuff) == (100, 50)
    published = {1: 8, 5: 15, 18: 36, 57: 89, 65: 103, 100: 150}
    assert {k: INSTANCE_CATEGORIES[k - 1] + 1 for k in published} == published
    assert entries[INSTANCE_CATEGORIES[57 - 1]]["name"] == "booth"


def test_classes_are_those_of_others(shared_data: Path) -> None:
    theirs = read_json(shared_data / "ade20k" / "ade20k_panoptic_validation.json")["categories"]
    assert ade20k_categories() == theirs


def restore_instances(truth: PanopticFile, segments: Path, root: Path, split: str) -> None:
    """The ``annotations_instance`` PNGs that panoptic truth was made of."""
    for annotation in truth.annotations.values():
        ids = read_id_png(segments / annotation.file_name)
        pixels = np.zeros((*ids.shape, 3), np.uint8)
        things = [s for s in annotation.segments if s.category_id in INSTANCE_CATEGORIES]
        for number, segment in enumerate(things, 1):
            value = INSTANCE_CATEGORIES.index(segment.category_id) + 1
            pixels[ids == segment.id] = (value, number, 0)
        save(root / "annotations_instance" / split / annotation.file_name, pixels)


@pytest.mark.parametrize("split", ["training", "validation"])
def test_real_images(shared_data: Path, tmp_path: Path, split: str) -> None:
    """With instances taken from the panoptic truth there, that truth comes out again."""
    theirs = shared_data / "ade20k"
    for folder in ("images", "annotations"):
        shutil.copytree(theirs / folder / split, tmp_path / "ade" / folder / split)
    expected = read_truth(theirs / f"ade20k_panoptic_{split}.json")
    restore_instances(expected, theirs / f"ade20k_panoptic_{split}", tmp_path / "ade", split)
    ade20k_to_panoptic(tmp_path / "ade", tmp_path / "out.json", split=split)
    made = read_truth(tmp_path / "out.json")
    assert made.images == expected.images
    for image_id, annotation in expected.annotations.items():
        ids = read_id_png(theirs / f"ade20k_panoptic_{split}" / annotation.file_name)
        our_ids = read_id_png(tmp_path / "out" / made.annotations[image_id].file_name)
        ours = {s.id: s for s in made.annotations[image_id].segments}
        assert len(ours) == len(annotation.segments)
        for segment in annotation.segments:
            (own_id,) = np.unique(our_ids[ids == segment.id]).tolist()
            own = ours[own_id]
            assert (own.category_id, own.is_crowd, own.area) == (segment.category_id, False, segment.area)
            assert own.bbox == segment.bbox
        assert not our_ids[ids == 0].any()


def test_loads_for_training(root: Path, tmp_path: Path) -> None:
    for path in (photo(root), semantic(root), instances(root)):
        with Image.open(path) as image:
            image.resize((80, 48), Image.Resampling.NEAREST).save(path)
    ade20k_to_panoptic(root, tmp_path / "out.json")
    data = CocoPanoptic(
        tmp_path / "out.json",
        Categories.load(tmp_path / "out.json"),
        root / "images" / "training",
        scales=[(64, 64)],
        train=True,
    )
    assert sorted(data[0].target.labels.tolist()) == [0, 0, 3, 99, 100, 102]


def test_photos_by_name(root: Path, tmp_path: Path) -> None:
    for number in (3, 2):
        add(root, f"ADE_train_0000000{number}")
    assert ade20k_to_panoptic(root, tmp_path / "out.json", workers=2).images == 3
    assert [image["id"][-1] for image in read_json(tmp_path / "out.json")["images"]] == ["1", "2", "3"]


FAULTS: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda root: None, "validation", r"images/validation: no such folder; name the folder ADEChallenge"),
    (lambda root: None, "../training", "is no name of a folder; choose training or validation"),
    (lambda root: None, ".", "is no name of a folder"),
    (lambda root: None, "a\\b", "is no name of a folder"),
    (lambda root: None, "a\0b", "is no name of a folder"),
    (
        lambda root: shutil.rmtree(root / "annotations_instance"),
        "training",
        r"annotations_instance/training: no such folder; .* unpack annotations_instance\.tar there",
    ),
    (lambda root: photo(root).unlink(), "training", r"images/training: no \*\.jpg in it"),
    (lambda root: semantic(root).unlink(), "training", r"annotations/training/ADE_.*png: no such PNG"),
    (lambda root: instances(root).unlink(), "training", r"_instance/training/ADE_.*png: no such PNG"),
    (lambda root: photo(root).write_bytes(b"x"), "training", "is not an image that can be read"),
    (
        lambda root: instances(root).write_bytes(instances(root).read_bytes()[:-9]),
        "training",
        "the PNG is truncated",
    ),
    (
        lambda root: save(semantic(root), SEMANTIC[:2]),
        "training",
        r"annotations/.*png: is 5x2 pixels, but its photo .* is 5x3; both must",
    ),
    (
        lambda root: save(instances(root), INSTANCES[:, :4]),
        "training",
        r"annotations_instance/.*png: is 4x3 pixels, but its photo",
    ),
    (lambda root: save(semantic(root), INSTANCES), "training", "has 3 channels, one of 8 bits is expected"),
    (lambda root: save(instances(root), CLASS), "training", "8-bit red, green and blue are expected"),
    (
        lambda root: save(semantic(root), np.full((3, 5), 151, np.uint8)),
        "training",
        r"has the value 151, but classes are 1\.\.150",
    ),
    (
        lambda root: save(instances(root), np.full((3, 5, 3), (101, 7, 0), np.uint8)),
        "training",
        r"instance 7 \(green\) has the class 101 \(red\), but classes are 1\.\.100",
    ),
    (
        lambda root: save(instances(root), np.full((3, 5, 3), (0, 7, 0), np.uint8)),
        "training",
        r"instance 7 \(green\) has the class 0",
    ),
]


@pytest.mark.parametrize(("change", "split", "message"), FAULTS)
def test_faults(
    root: Path, tmp_path: Path, change: Callable[[Path], object], split: str, message: str
) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        ade20k_to_panoptic(root, tmp_path / "new" / "out.json", split=split)
    assert not (tmp_path / "new").exists()


def test_what_is_read_is_not_replaced(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is what is converted"):
        ade20k_to_panoptic(root, root / "annotations" / "training.json", overwrite=True)
