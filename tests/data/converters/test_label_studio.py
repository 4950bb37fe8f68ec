"""Label Studio's JSON, written by hand: regions to the pixel, which annotation counts, photos, each fault."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_exports import (
    CAT,
    DOG,
    GRASS,
    category_map,
    encode_brush,
    id_map,
    write,
    write_classes,
    write_photo,
)
from spatialflow.data.converters import ExportConversion, label_studio_to_panoptic
from spatialflow.errors import DataError
from spatialflow.files import read_json

IMAGE = "/data/upload/1/1a2b3c4d-a.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_classes(tmp_path)
    write_photo(tmp_path / "photos" / "a.jpg")
    return tmp_path


def region(kind: str, value: dict[str, Any], label: str = "cat", **changes: Any) -> dict[str, Any]:
    return {
        "id": "x1",
        "type": f"{kind}labels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 6,
        "original_height": 4,
        "image_rotation": 0,
        "origin": "manual",
        "value": {f"{kind}labels": [label]} | value,
    } | changes


def columns(first: int, last: int, label: str = "cat", **changes: Any) -> dict[str, Any]:
    """A rectangle of whole columns."""
    width = (last - first) / 6 * 100
    value = {"x": first / 6 * 100, "y": 0, "width": width, "height": 100, "rotation": 0}
    return region("rectangle", value, label, **changes)


def task(*regions: dict[str, Any], image: Any = IMAGE, **changes: Any) -> dict[str, Any]:
    annotation = {
        "id": 1,
        "was_cancelled": False,
        "result": list(regions),
        "updated_at": "2024-01-01T00:00:00Z",
    }
    return {"id": 7, "data": {"image": image}, "annotations": [annotation], "predictions": []} | changes


def convert(folder: Path, content: Any, **options: Any) -> ExportConversion:
    source = write(folder / "export.json", content)
    given = {"classes": folder / "classes.yaml", "images": folder / "photos"}
    return label_studio_to_panoptic(source, folder / "out.json", **given | options)


def test_what_is_written(folder: Path) -> None:
    assert convert(folder, [task(columns(0, 2))]).notes == ()
    written = read_json(folder / "out.json")
    assert written["images"] == [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 6}]
    segment = {"id": 1, "category_id": CAT, "iscrowd": 0, "area": 8, "bbox": [0, 0, 2, 4]}
    assert written["annotations"] == [{"image_id": 1, "file_name": "a.png", "segments_info": [segment]}]


BRUSH = np.array([[c == "#" for c in row] for row in ["#.....", ".##...", "......", "....##"]])
THIRD = 100 / 6
KINDS = [
    (
        region("brush", {"format": "rle", "rle": encode_brush(BRUSH)}),
        ["#.....", ".##...", "......", "....##"],
    ),
    (
        region("polygon", {"points": [[THIRD, 25], [4 * THIRD, 25], [4 * THIRD, 75], [THIRD, 75]]}),
        ["......", ".###..", ".###..", "......"],
    ),
    (
        region("polygon", {"points": [[-50, 50], [150, 50], [150, 150]]}),
        ["......", "......", "######", "..####"],
    ),
    (
        region("rectangle", {"x": 2 * THIRD, "y": 0, "width": 3 * THIRD, "height": 25, "rotation": 90}),
        [".#....", ".#....", ".#....", "......"],
    ),
    (
        region("ellipse", {"x": 50, "y": 50, "radiusX": 2 * THIRD, "radiusY": 50, "rotation": 0}),
        ["..##..", ".####.", ".####.", "..##.."],
    ),
]


@pytest.mark.parametrize(("drawn", "expected"), KINDS)
def test_kinds(folder: Path, drawn: dict[str, Any], expected: list[str]) -> None:
    convert(folder, [task(drawn)])
    assert category_map(folder / "out.json") == [[int(c == "#") for c in row] for row in expected]


@pytest.mark.parametrize("width", [7, 640, 1333, 4032])
def test_percentages_of_half_pixels_are_exact(folder: Path, width: int) -> None:
    """Edges through centres of pixels, which percentages do not hold exactly."""
    write_photo(folder / "photos" / "a.jpg", (2, width))
    for left in range(0, width - 1, max(1, width // 9)):
        value = {"x": (left + 0.5) / width * 100, "y": 0, "width": 1 / width * 100, "height": 100}
        convert(folder, [task(region("rectangle", value, original_width=width, original_height=2))])
        (annotation,) = read_json(folder / "out.json")["annotations"]
        assert [info["bbox"] for info in annotation["segments_info"]] == [[left, 0, 1, 2]]


def test_labels_in_a_result_of_their_own(folder: Path) -> None:
    drawn = columns(0, 2)
    del drawn["value"]["rectanglelabels"]
    drawn["type"] = "rectangle"
    labels = {"id": "x1", "type": "labels", "value": {**drawn["value"], "labels": ["dog"]}}
    others = [
        {"id": "x1", "type": "choices", "value": {"choices": ["blurred"]}},
        {"from_id": "x1", "to_id": "x2", "type": "relation", "direction": "right"},
        region("keypoint", {"x": 1, "y": 1, "width": 1}, "nose", id="x2"),
    ]
    result = convert(folder, [task(drawn, labels, *others)])
    assert category_map(folder / "out.json")[0] == [DOG, DOG, 0, 0, 0, 0]
    assert result.notes == ("1 shapes have no area by their kind and are left out (keypoint 1)",)


def test_stuff_is_one_segment_and_things_are_not(folder: Path) -> None:
    parts = [columns(0, 1, "grass"), columns(1, 2), columns(2, 3, "grass"), columns(3, 4), columns(4, 4)]
    result = convert(folder, [task(*parts)])
    assert id_map(folder / "out.json")[0] == [1, 2, 1, 3, 0, 0]
    assert category_map(folder / "out.json")[0] == [GRASS, CAT, GRASS, CAT, 0, 0]
    assert result.notes == ("1 shapes have no pixel (no area, or outside the image) and are left out",)


def test_overlap(folder: Path) -> None:
    content = [task(columns(0, 4), columns(2, 6, "dog"))]
    with pytest.raises(DataError, match=r"export\.json: image 1 \(a\.jpg\): 8 pixels are in more than one"):
        convert(folder, content)
    assert convert(folder, content, overlap="order").overlapping == 8
    assert category_map(folder / "out.json")[0] == [CAT, CAT, DOG, DOG, DOG, DOG]


def annotation(time: str | None, label: str, **changes: Any) -> dict[str, Any]:
    return {"result": [columns(0, 6, label)], "updated_at": time, "was_cancelled": False} | changes


def test_the_latest_annotation_counts(folder: Path) -> None:
    annotations = [
        annotation("2024-03-01T10:00:00.000000Z", "dog"),
        annotation("2024-02-01T10:00:00.000000Z", "cat"),
        annotation("2024-04-01T10:00:00.000000Z", "cat", was_cancelled=True),
    ]
    result = convert(folder, [task(annotations=annotations)])
    assert category_map(folder / "out.json")[0] == [DOG] * 6
    assert result.notes == ("1 tasks have several annotations, of which the latest is taken",)
    annotations = [annotation(None, "cat"), annotation(None, "dog", created_at=None)]
    convert(folder, [task(annotations=annotations)])
    assert category_map(folder / "out.json")[0] == [DOG] * 6  # the last without a time


def test_tasks_without_annotation(folder: Path) -> None:
    write_photo(folder / "photos" / "b.jpg", (2, 3))
    cancelled = task(annotations=[annotation("2024", "cat", was_cancelled=True)], image="c.jpg")
    for name in ("c.jpg", "d.jpg"):
        write_photo(folder / "photos" / name)
    empty = task(image="b.jpg")
    result = convert(folder, [cancelled, empty, task(annotations=[], image="d.jpg")])
    assert (result.images, result.segments) == (1, 0)
    assert id_map(folder / "out.json") == [[0] * 3] * 2
    assert result.notes == (
        "1 images have no shape and are void",
        "2 tasks have no annotation (or only cancelled ones) and are left out",
    )
    assert convert(folder, []).images == 0
    completions = task(columns(0, 6))
    completions["completions"] = completions.pop("annotations")
    assert convert(folder, [completions]).segments == 1


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/data/upload/1/1a2b3c4d-a.jpg", "a.jpg"),
        ("/data/upload/1a2b3c4d-a.jpg", "1a2b3c4d-a.jpg"),
        ("/data/upload/12/1a2b3c4d-S%C3%BC%C3%9F_%25.jpg", "Süß_%.jpg"),
        ("/data/local-files/?d=project/set%201/a.jpg", "set 1/a.jpg"),
        ("http://localhost:8080/data/local-files/?d=project/a%2Bb.jpg", "a+b.jpg"),
        ("http://localhost:8080/data/upload/1/1a2b3c4d-a.jpg", "a.jpg"),
        ("https://example.org/photos/deep/a%20b.jpg?token=1#x", "deep/a b.jpg"),
        ("s3://bucket/photos/a.jpg", "photos/a.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("../../a.jpg", "a.jpg"),
        ("/data/upload/1/1a2b3c4d-u\u0308.jpg", "\u00fc.jpg"),
    ],
)
def test_photos(folder: Path, address: str, file: str) -> None:
    (folder / "photos" / "a.jpg").unlink()
    write_photo(folder / "photos" / file)
    convert(folder, [task(columns(0, 6), image=address)])
    (image,) = read_json(folder / "out.json")["images"]
    assert image["file_name"] == file
    assert (folder / "photos" / image["file_name"]).is_file()


def test_photos_that_are_not_here(folder: Path) -> None:
    result = convert(folder, [task(columns(0, 6))], images=None)
    assert result.notes == ("1 photos were not found, so their size is as the export states it",)
    assert read_json(folder / "out.json")["images"][0]["file_name"] == "1a2b3c4d-a.jpg"
    with pytest.raises(DataError, match=r"tasks\[0\]\.data\.image: '\.\./a\.jpg' leaves its folder"):
        convert(folder, [task(columns(0, 6), image="../a.jpg")], images=None)
    with pytest.raises(DataError, match="leaves its folder"):
        convert(folder, [task(columns(0, 6), image="/data/local-files/?d=..%2Fa.jpg")], images=None)
    with pytest.raises(DataError, match="states no width and height"):
        convert(folder, [task()], images=None)
    with pytest.raises(DataError, match=r"the photo 'b\.jpg' is not in .*photos"):
        convert(folder, [task(columns(0, 6), image="b.jpg")])


def test_key_of_the_photo(folder: Path) -> None:
    content = [task(columns(0, 6), data={"name": "x", "photo": IMAGE})]
    convert(folder, content)
    content[0]["data"]["mask"] = "b.png"
    with pytest.raises(DataError, match=r"which of name, photo, mask is the photo .*--image-key"):
        convert(folder, content)
    convert(folder, content, image_key="photo")


FAULTS: list[tuple[Any, str]] = [
    ({}, "a list of tasks is expected"),
    ([3], r"tasks\[0\]: an object with data is expected"),
    ([{"image": "a.jpg", "label": []}], r"tasks\[0\]\.data: the key is missing"),
    ([task(data=3)], r"tasks\[0\]\.data: an object with the photo"),
    ([task(data={})], r"tasks\[0\]\.data: which of"),
    ([task(image=None)], r"tasks\[0\]\.data\.image: the path or address"),
    ([task(image="data:image/png;base64,AAAA")], r"data\.image: the path or address"),
    ([task(image=["a.jpg"])], r"data\.image: the path or address"),
    ([task(annotations=None)], r"tasks\[0\]\.annotations: a list of objects"),
    ([task(annotations=[7])], r"tasks\[0\]\.annotations: a list of objects"),
    ([task(annotations=[{"result": None}])], r"tasks\[0\]\.annotations\[0\]\.result: a list"),
    (
        [task(columns(0, 6)), task(columns(0, 6))],
        r"tasks\[1\]\.data: 'a\.jpg' is the photo of tasks",
    ),
    ([task(columns(0, 6, original_width=7))], r"tasks\[0\] \(a\.jpg\): says 7x4 pixels, but its photo"),
    ([task(columns(0, 6), columns(0, 6, original_width=7))], r"result\[1\]\.original_width: differs"),
    ([task(columns(0, 6, original_height=None))], r"result\[0\]\.original_height: a whole number"),
    ([task(columns(0, 6, image_rotation=90))], r"result\[0\]\.image_rotation: 90 is not supported"),
    ([task(columns(0, 6, "catt"))], r"result\[0\]\.value\.rectanglelabels: 'catt' is not .* mean 'cat'\?"),
    ([task(region("rectangle", {"rectanglelabels": ["cat", "dog"]}))], "one label is expected"),
    ([task(region("rectangle", {"rectanglelabels": []}))], "'' is not among the classes"),
    ([task(region("rectangle", {"x": 1}))], r"result\[0\]\.value\.y: the key is missing"),
    ([task(region("rectangle", {"x": 1, "y": "1"}))], r"value\.y: a number is expected"),
    ([task(region("polygon", {"points": [[1, 2], [3]]}))], r"value\.points\[1\]: \[x, y\] is expected"),
    ([task(region("polygon", {"points": 3}))], r"value\.points: a list of"),
    ([task(region("brush", {"format": "png"}))], r"value\.format: 'rle' is expected"),
    ([task(region("brush", {}))], r"value\.rle: the key is missing"),
    ([task(region("brush", {"rle": [1, 2]}))], r"value\.rle: no brush of this image: it ends too early"),
    (
        [task(region("brush", {"rle": encode_brush(BRUSH[:, :5])}))],
        r"value\.rle: no brush of this image: it has 80 values, 6x4 pixels need 96",
    ),
    ([task(region("bitmask", {}))], r"result\[0\]\.type: bitmasks are not supported"),
]


@pytest.mark.parametrize(("content", "message"), FAULTS)
def test_faults(folder: Path, content: Any, message: str) -> None:
    write(folder / "export.json", content)
    before = set(folder.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        convert(folder, content)
    assert str(caught.value).startswith(f"{folder / 'export.json'}: ")
    assert "\n" not in str(caught.value)
    assert set(folder.rglob("*")) == before


def test_unknown_labels_may_be_left_out(folder: Path) -> None:
    unlabelled = region("rectangle", {**columns(4, 6)["value"], "rectanglelabels": []})
    result = convert(folder, [task(columns(0, 2), columns(2, 4, "Katze"), unlabelled)], ignore_unknown=True)
    assert category_map(folder / "out.json")[0] == [CAT, CAT, 0, 0, 0, 0]
    assert result.notes[0].startswith("2 shapes have labels that are not among the classes")
