"""COCO detection to panoptic: polygons and run lengths, overlaps, categories, and each fault."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from make_data import CATEGORIES, write_panoptic_set
from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import OverlapPolicy, detection_to_panoptic, panoptic_to_detection
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import ConfigError, DataError, OutputError
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_id_png


def square(x1: int, y1: int, x2: int, y2: int) -> list[list[int]]:
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def content(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One image of 6x4 pixels and one of 3x2."""
    return {
        "info": {"year": 2017},
        "images": [
            {"id": 1, "file_name": "a.b.jpg", "height": 4, "width": 6, "license": 2},
            {"id": "two", "file_name": "deep/c.png", "height": 2, "width": 3},
        ],
        "annotations": [{"image_id": 1, "iscrowd": 0, **annotation} for annotation in annotations],
        "categories": CATEGORIES,
    } | changes


def write(path: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    write_json(path, content(*annotations, **changes))
    return path


CAT_MASK = {"category_id": 3, "segmentation": square(0, 0, 3, 3), "area": 999.5, "bbox": [0, 0, 99, 99]}
SKY_MASK = {"category_id": 21, "segmentation": square(2, 2, 6, 4)}


def test_each_pixel(tmp_path: Path) -> None:
    runs = {"size": [2, 3], "counts": [1, 2, 2, 1]}
    crowd = {"image_id": "two", "category_id": 7, "iscrowd": 1, "segmentation": runs}
    source = write(tmp_path / "det.json", CAT_MASK, crowd, {**SKY_MASK, "segmentation": square(3, 2, 6, 4)})
    result = detection_to_panoptic(source, tmp_path / "pan.json")
    assert str(result) == f"{tmp_path / 'pan.json'}: 2 images, 3 segments"
    assert read_id_png(tmp_path / "pan" / "a.b.png").tolist() == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 2, 2, 2],
        [0, 0, 0, 2, 2, 2],
    ]
    assert read_id_png(tmp_path / "pan" / "deep" / "c.png").tolist() == [[0, 1, 0], [1, 0, 1]]
    written = read_json(tmp_path / "pan.json")
    assert written["annotations"] == [
        {
            "image_id": 1,
            "file_name": "a.b.png",
            "segments_info": [
                {"id": 1, "category_id": 3, "iscrowd": 0, "area": 9, "bbox": [0, 0, 3, 3]},
                {"id": 2, "category_id": 21, "iscrowd": 0, "area": 6, "bbox": [3, 2, 3, 2]},
            ],
        },
        {
            "image_id": "two",
            "file_name": "deep/c.png",
            "segments_info": [{"id": 1, "category_id": 7, "iscrowd": 1, "area": 3, "bbox": [0, 0, 3, 2]}],
        },
    ]
    assert written["info"] == {"year": 2017}
    assert [image.get("license") for image in written["images"]] == [2, None]
    assert written["categories"] == CATEGORIES
    read_truth(tmp_path / "pan.json")


@pytest.mark.parametrize(
    ("policy", "order", "areas"),
    [
        ("order", (CAT_MASK, SKY_MASK), {3: 8, 21: 8}),
        ("order", (SKY_MASK, CAT_MASK), {3: 9, 21: 7}),
        ("smaller-on-top", (CAT_MASK, SKY_MASK), {3: 8, 21: 8}),
        ("smaller-on-top", (SKY_MASK, CAT_MASK), {3: 8, 21: 8}),
    ],
)
def test_overlap(
    tmp_path: Path, policy: OverlapPolicy, order: tuple[dict[str, Any], ...], areas: dict[int, int]
) -> None:
    """The sky has 8 pixels, the cat 9; one is in both."""
    source = write(tmp_path / "det.json", *order)
    result = detection_to_panoptic(source, tmp_path / "pan.json", overlap=policy)
    assert (result.overlapping, result.overlapping_images) == (1, 1)
    assert "1 pixels of 1 images were in several masks" in str(result)
    infos = read_json(tmp_path / "pan.json")["annotations"][0]["segments_info"]
    assert {info["category_id"]: info["area"] for info in infos} == areas


def test_overlap_is_refused_by_default(tmp_path: Path) -> None:
    source = write(tmp_path / "det.json", CAT_MASK, SKY_MASK)
    with pytest.raises(
        DataError, match=r"det\.json: image 1 \(a\.b\.jpg\): 1 pixels are in more than one segment"
    ):
        detection_to_panoptic(source, tmp_path / "new" / "pan.json")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="overlap: 'some' is unknown"):
        detection_to_panoptic(source, tmp_path / "pan.json", overlap="some")  # type: ignore[arg-type]


def test_masks_without_pixels_are_left_out_and_told(tmp_path: Path) -> None:
    outside = {"category_id": 3, "segmentation": square(50, 50, 60, 60)}
    source = write(tmp_path / "det.json", outside, {"category_id": 3, "segmentation": []}, CAT_MASK)
    result = detection_to_panoptic(source, tmp_path / "pan.json")
    assert (result.dropped, result.segments) == (2, 1)
    assert "2 masks have no pixel and are left out" in str(result)


def test_no_annotations(tmp_path: Path) -> None:
    assert detection_to_panoptic(write(tmp_path / "det.json"), tmp_path / "pan.json").segments == 0
    assert not read_id_png(tmp_path / "pan" / "a.b.png").any()
    assert len(read_truth(tmp_path / "pan.json").annotations) == 2


def test_categories(tmp_path: Path) -> None:
    """Those of the file if they say what is a thing, else COCO's; or those of the file that is named."""
    plain = [{"id": 1, "name": "person", "supercategory": "person"}]
    person = {**CAT_MASK, "category_id": 1}
    source = write(tmp_path / "det.json", person, categories=plain)
    detection_to_panoptic(source, tmp_path / "pan.json")
    assert read_truth(tmp_path / "pan.json").categories == Categories.load("coco_panoptic")
    mine = [{"id": 1, "name": "person", "isthing": 1, "supercategory": "human"}]
    write_json(tmp_path / "mine.json", mine)
    detection_to_panoptic(source, tmp_path / "pan.json", categories=tmp_path / "mine.json")
    (written,) = read_json(tmp_path / "pan.json")["categories"]
    assert written.pop("color") == list(Categories.from_json(mine)[0].color)
    assert written == mine[0]
    other = write(tmp_path / "other.json", person, categories=[{"id": 1, "name": "boat"}])
    with pytest.raises(
        DataError, match=r"other\.json: categories: id 1 is 'boat' there, but 'person' in coco_panoptic"
    ):
        detection_to_panoptic(other, tmp_path / "x.json")
    with pytest.raises(DataError, match=r"isthing is missing"):
        detection_to_panoptic(source, tmp_path / "x.json", categories=source)
    with pytest.raises(DataError, match=r"none\.json: no such file"):
        detection_to_panoptic(source, tmp_path / "x.json", categories=tmp_path / "none.json")
    with pytest.raises(OutputError, match="is what is converted"):
        detection_to_panoptic(
            source, tmp_path / "mine.json", categories=tmp_path / "mine.json", overwrite=True
        )


def test_two_photos_of_one_stem(tmp_path: Path) -> None:
    images = [
        {"id": i, "file_name": name, "height": 4, "width": 6} for i, name in enumerate(("a.jpg", "a.png"), 1)
    ]
    source = write(tmp_path / "det.json", CAT_MASK, images=images)
    detection_to_panoptic(source, tmp_path / "pan.json")
    assert read_id_png(tmp_path / "pan" / "a.png").any()
    assert not read_id_png(tmp_path / "pan" / "a.2.png").any()


def test_backslashes_become_slashes(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "deep\\a.jpg", "height": 4, "width": 6}]
    detection_to_panoptic(write(tmp_path / "det.json", CAT_MASK, images=images), tmp_path / "pan.json")
    truth = read_truth(tmp_path / "pan.json")
    assert truth.images[1].file_name == "deep/a.jpg"
    assert read_id_png(tmp_path / "pan" / "deep" / "a.png").any()


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"annotations": None}, "annotations: the list is missing"),
    ({"annotations": [1]}, r"annotations\[0\]: an object with image_id is expected, got 1"),
    ({"annotations": [{"category_id": 1}]}, r"annotations\[0\].image_id: the key is missing"),
    ({"annotations": [{"image_id": 9}]}, r"annotations\[0\].image_id: 9 is not the id of any entry"),
    ({"annotations": [{"image_id": [1]}]}, r"annotations\[0\].image_id: a whole number or a text"),
    ({"annotations": [{"image_id": 1, "segments_info": []}]}, "needs no conversion"),
    ({"annotations": [{"image_id": 1}]}, r"annotations\[0\].category_id: the key is missing"),
    ({"annotations": [{"image_id": 1, "category_id": "3"}]}, "category_id: a whole number is expected"),
    (
        {"annotations": [{"image_id": 1, "category_id": 3}]},
        r"annotations\[0\].segmentation: the key is missing",
    ),
    (
        {"annotations": [{"image_id": 1, "category_id": 3, "segmentation": [], "iscrowd": []}]},
        "iscrowd: 0 or 1",
    ),
    (
        {"annotations": [{"image_id": 1, "category_id": 3, "segmentation": {"size": [6, 4], "counts": "1"}}]},
        r"annotations\[0\].segmentation.size: \[4, 6\] .* is expected, got \[6, 4\] \(image 1\)",
    ),
    (
        {"annotations": [{"image_id": 1, "category_id": 3, "segmentation": [[1, 2, "x"]]}]},
        r"segmentation.\[0\]: a list",
    ),
    (
        {"annotations": [{**CAT_MASK, "image_id": 1, "category_id": 5}]},
        r"category 5 is not among the categories",
    ),
    ({"images": [{"id": 1, "file_name": "a.jpg", "height": 10**6, "width": 10**6}]}, "is too large"),
    ({"images": 3}, "images: a list is expected, got 3"),
    ({"images": [{"id": 1, "file_name": "../a.jpg", "height": 4, "width": 6}]}, "leaves its folder"),
    ({"images": [{"id": 1, "file_name": "..\\a.jpg", "height": 4, "width": 6}]}, "leaves its folder"),
    ({"images": [{"id": 1, "file_name": ".", "height": 4, "width": 6}]}, "the name of a file is expected"),
    (
        {"images": [{"id": 1, "file_name": "a\0.jpg", "height": 4, "width": 6}]},
        "is no name that a file can have",
    ),
    ({"images": [{"id": 1, "file_name": "a.jpg", "height": 0, "width": 6}]}, "1 or more pixels"),
    ({"categories": [{"id": 3, "isthing": 1}]}, r"categories\[0\]: name is missing"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_faults(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    source = write(tmp_path / "det.json", **changes)
    with pytest.raises(DataError, match=message) as caught:
        detection_to_panoptic(source, tmp_path / "new" / "pan.json")
    assert str(caught.value).startswith(f"{source}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("whole", [[], [{"image_id": 1}], 3, {"annotations": []}])
def test_another_kind_of_file(tmp_path: Path, whole: object) -> None:
    write_json(tmp_path / "det.json", whole)
    with pytest.raises(DataError, match="images: the key is missing"):
        detection_to_panoptic(tmp_path / "det.json", tmp_path / "pan.json")


def test_a_panoptic_file(tmp_path: Path) -> None:
    source = write_panoptic_set(tmp_path)
    with pytest.raises(DataError, match="needs no conversion"):
        detection_to_panoptic(source, tmp_path / "pan.json")


def test_loads_for_training(tmp_path: Path) -> None:
    source = write_panoptic_set(tmp_path)
    panoptic_to_detection(source, tmp_path / "det.json")
    detection_to_panoptic(tmp_path / "det.json", tmp_path / "annotations" / "back.json", categories=source)
    categories = Categories.load(source)
    one, other = (
        CocoPanoptic(path, categories, scales=[(64, 64)], train=True)
        for path in (source, tmp_path / "annotations" / "back.json")
    )
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.image, second.image)
        assert torch.equal(first.target.labels, second.target.labels)
        assert torch.equal(first.target.boxes, second.target.boxes)
        assert np.array_equal(first.target.id_map > 0, second.target.id_map > 0)
