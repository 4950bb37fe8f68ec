"""COCO-panoptic JSON: what is read, and that each fault is one line naming file, field and remedy."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spatialflow.data.panoptic_json import ImageInfo, read_prediction, read_truth
from spatialflow.data.reading import segments_folder
from spatialflow.errors import DataError
from spatialflow.panoptic_annotation import ImageAnnotation, SegmentInfo

TRUTH: dict[str, Any] = {
    "images": [
        {"id": 5, "file_name": "a.jpg", "height": 4, "width": 6},
        {"id": "aachen_0", "file_name": "aachen/b.jpg", "height": 4, "width": 6},
        {"id": 6, "file_name": "no_annotation.jpg", "height": 1, "width": 1},
    ],
    "annotations": [
        {
            "image_id": 5,
            "file_name": "a.png",
            "segments_info": [
                {"id": 9, "category_id": 2, "iscrowd": 1, "area": 4, "bbox": [0, 1, 2, 2.5]},
                {"id": 16777215, "category_id": 7, "iscrowd": 0, "area": 8.0},
            ],
        },
        {"image_id": "aachen_0", "file_name": "b.png", "segments_info": []},
    ],
    "categories": [{"id": 2, "name": "cat", "isthing": 1}, {"id": 7, "name": "sky", "isthing": 0}],
}
PREDICTION: dict[str, Any] = {
    "annotations": [
        {"image_id": 5, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 2}]},
    ]
}


def write(folder: Path, content: Any) -> Path:
    path = folder / "panoptic.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_truth(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path, TRUTH))
    assert list(truth.images) == [5, "aachen_0", 6]
    assert truth.images["aachen_0"] == ImageInfo("aachen_0", "aachen/b.jpg", 4, 6)
    assert truth.annotations[5] == ImageAnnotation(
        5,
        "a.png",
        (SegmentInfo(9, 2, True, 4, (0, 1, 2, 2.5)), SegmentInfo(16777215, 7, False, 8, None)),
    )
    assert truth.annotations["aachen_0"].segments == ()
    assert 6 not in truth.annotations
    assert truth.categories is not None
    assert [c.name for c in truth.categories] == ["cat", "sky"]


def test_prediction_needs_only_annotations(tmp_path: Path) -> None:
    prediction = read_prediction(write(tmp_path, PREDICTION))
    assert prediction.categories is None
    assert prediction.images == {}
    assert prediction.annotations[5].segments == (SegmentInfo(1, 2, False, None, None),)


def test_prediction_may_repeat_a_segment_but_not_contradict_itself(tmp_path: Path) -> None:
    content = copy.deepcopy(PREDICTION)
    segments = content["annotations"][0]["segments_info"]
    segments.append({"id": 1, "category_id": 2})
    assert len(read_prediction(write(tmp_path, content)).annotations[5].segments) == 1
    segments[1]["category_id"] = 7
    with pytest.raises(
        DataError, match=r"annotations\[0\]\.segments_info\[1\]\.id: segment 1 is listed twice"
    ):
        read_prediction(write(tmp_path, content))


def test_real_files(shared_data: Path) -> None:
    coco = read_truth(shared_data / "coco/annotations/panoptic_mini_val.json")
    assert len(coco.images) == len(coco.annotations) == 25
    assert coco.categories is not None
    assert (coco.categories.num_things, coco.categories.num_stuff) == (80, 53)
    assert segments_folder(coco.path) == shared_data / "coco/annotations/panoptic_mini_val"
    cityscapes = read_truth(shared_data / "cityscapes_half/gtFine/cityscapes_panoptic_val.json")
    assert list(cityscapes.images) == ["aachen_000006_000019"]


def image(content: Any) -> dict[str, Any]:
    return content["images"][0]


def annotation(content: Any) -> dict[str, Any]:
    return content["annotations"][0]


def segment(content: Any) -> dict[str, Any]:
    return content["annotations"][0]["segments_info"][0]


SEGMENT = "annotations[0].segments_info[0]"
FAULTS: dict[str, tuple[Callable[[Any], object], list[str]]] = {
    "no images": (lambda c: c.pop("images"), ["images: the key is missing"]),
    "no annotations": (
        lambda c: c.pop("annotations"),
        ["annotations: the key is missing", "not a COCO-panoptic"],
    ),
    "no categories": (lambda c: c.pop("categories"), ["categories: the key is missing"]),
    "images no list": (lambda c: c.update(images={}), ["images: a list is expected"]),
    "annotations no list": (lambda c: c.update(annotations=3), ["annotations: a list is expected"]),
    "annotation no object": (lambda c: c.update(annotations=[3]), ["annotations[0]: an object", "image_id"]),
    "image without height": (lambda c: image(c).pop("height"), ["images[0].height: the key is missing"]),
    "image of no width": (lambda c: image(c).update(width=0), ["images[0].width", "got 0"]),
    "image id of a wrong type": (lambda c: image(c).update(id=1.5), ["images[0].id", "got 1.5"]),
    "image id twice": (lambda c: c["images"][1].update(id=5), ["images[1].id: image 5 is given twice"]),
    "photo above its folder": (
        lambda c: image(c).update(file_name="../a.jpg"),
        ["images[0].file_name", "leaves"],
    ),
    "PNG at an absolute path": (
        lambda c: annotation(c).update(file_name="/a.png"),
        ["annotations[0].file_name"],
    ),
    "PNG without name": (
        lambda c: annotation(c).update(file_name=""),
        ["annotations[0].file_name", "image 5"],
    ),
    "annotation twice": (
        lambda c: c["annotations"][1].update(image_id=5),
        ["annotations[1].image_id: image 5 is given twice"],
    ),
    "annotation of no image": (lambda c: annotation(c).update(image_id=99), ["annotations[0].image_id: 99"]),
    "no segments_info": (
        lambda c: annotation(c).pop("segments_info"),
        ["annotations[0].segments_info", "image 5"],
    ),
    "segments_info no list": (lambda c: annotation(c).update(segments_info={}), ["segments_info: a list"]),
    "segment no object": (lambda c: annotation(c).update(segments_info=[1]), [f"{SEGMENT}: an object"]),
    "segment without id": (lambda c: segment(c).pop("id"), [f"{SEGMENT}.id: the key is missing", "image 5"]),
    "segment id as text": (lambda c: segment(c).update(id="9"), [f"{SEGMENT}.id", "got '9'"]),
    "segment id as bool": (lambda c: segment(c).update(id=True), [f"{SEGMENT}.id", "got True"]),
    "segment id 0": (lambda c: segment(c).update(id=0), [f"{SEGMENT}.id: 0 is void", "1..16777215"]),
    "segment id negative": (lambda c: segment(c).update(id=-1), [f"{SEGMENT}.id: -1", "1..16777215"]),
    "segment id too large": (
        lambda c: segment(c).update(id=2**24),
        [f"{SEGMENT}.id: 16777216", "1..16777215"],
    ),
    "segment id twice": (
        lambda c: annotation(c)["segments_info"][1].update(id=9),
        ["annotations[0].segments_info[1].id: segment 9 is listed twice", "image 5"],
    ),
    "category unknown": (
        lambda c: segment(c).update(category_id=3),
        [f"{SEGMENT}.category_id: 3 is not among the categories", "image 5", "segment 9"],
    ),
    "category as text": (lambda c: segment(c).update(category_id="2"), [f"{SEGMENT}.category_id", "got '2'"]),
    "no iscrowd": (lambda c: segment(c).pop("iscrowd"), [f"{SEGMENT}.iscrowd: the key is missing"]),
    "iscrowd 2": (lambda c: segment(c).update(iscrowd=2), [f"{SEGMENT}.iscrowd", "got 2"]),
    "no area": (lambda c: segment(c).pop("area"), [f"{SEGMENT}.area: the key is missing"]),
    "area negative": (lambda c: segment(c).update(area=-1), [f"{SEGMENT}.area", "got -1"]),
    "area in part": (lambda c: segment(c).update(area=1.5), [f"{SEGMENT}.area", "got 1.5"]),
    "area infinite": (lambda c: segment(c).update(area=float("inf")), [f"{SEGMENT}.area", "got inf"]),
    "area huge": (lambda c: segment(c).update(area=10**400), [f"{SEGMENT}.area"]),
    "bbox of three": (lambda c: segment(c).update(bbox=[1, 2, 3]), [f"{SEGMENT}.bbox: four numbers"]),
    "bbox not a number": (lambda c: segment(c).update(bbox=[0, 0, 1, float("nan")]), [f"{SEGMENT}.bbox"]),
    "bbox negative": (lambda c: segment(c).update(bbox=[0, 0, -1, 1]), [f"{SEGMENT}.bbox", "negative"]),
    "category without isthing": (
        lambda c: c["categories"][0].pop("isthing"),
        ["categories[0]: isthing", "convert it to COCO panoptic"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, tmp_path: Path) -> None:
    damage, expected = FAULTS[name]
    content = copy.deepcopy(TRUTH)
    damage(content)
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_truth(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in expected:
        assert part in message


DETECTION_BOX = {"id": 1, "image_id": 5, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}
WRONG_FILES = {
    "detection annotations": (TRUTH | {"annotations": [DETECTION_BOX]}, "convert it to COCO panoptic"),
    "detection results": ([DETECTION_BOX], "bare list of results"),
    "another JSON": ({"name": "x"}, "not a COCO-panoptic file"),
    "a number": (3, "not a COCO-panoptic file"),
    "truncated": ('{"images": [', "not valid JSON"),
}


@pytest.mark.parametrize("read", [read_truth, read_prediction])
@pytest.mark.parametrize("name", WRONG_FILES)
def test_wrong_file(name: str, read: Callable[[Path], object], tmp_path: Path) -> None:
    content, expected = WRONG_FILES[name]
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=expected) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_truth(tmp_path / "none.json")


def test_segments_folder(tmp_path: Path) -> None:
    json_path = tmp_path / "panoptic_val2017.json"
    with pytest.raises(DataError, match=r"panoptic_val2017: no such folder"):
        segments_folder(json_path)
    (tmp_path / "panoptic_val2017").mkdir()
    assert segments_folder(json_path) == tmp_path / "panoptic_val2017"
    assert segments_folder(json_path, tmp_path) == tmp_path
