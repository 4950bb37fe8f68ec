"""labelme's files, written by hand: each kind of shape to the pixel, photos, and each fault."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_exports import CAT, DOG, GRASS, category_map, id_map, write, write_classes, write_photo
from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import ExportConversion, labelme_to_panoptic
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError
from spatialflow.files import read_json

SHAPES: list[dict[str, Any]] = [
    {
        "label": "cat",
        "points": [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]],
        "group_id": None,
        "description": "",
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    }
]


def base64_png(pixels: Any) -> str:
    encoded = io.BytesIO()
    Image.fromarray(np.array(pixels)).save(encoded, "PNG")
    return base64.b64encode(encoded.getvalue()).decode()


def content(shapes: Any = None, **changes: Any) -> dict[str, Any]:
    """What labelme 5 writes of a photo of 6x4 pixels."""
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": SHAPES if shapes is None else shapes,
        "imagePath": "a.jpg",
        "imageData": None,
        "imageHeight": 4,
        "imageWidth": 6,
    } | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_classes(tmp_path)
    write_photo(tmp_path / "data" / "a.jpg")
    write(tmp_path / "data" / "a.json", content())
    return tmp_path / "data"


def convert(folder: Path, **options: Any) -> ExportConversion:
    out = folder.parent / "out.json"
    return labelme_to_panoptic(folder, out, **{"classes": folder.parent / "classes.yaml"} | options)


def shape(kind: str, points: list[list[float]], label: str = "cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points} | more


def test_what_is_written(folder: Path) -> None:
    result = convert(folder)
    assert str(result) == f"{folder.parent / 'out.json'}: 1 images, 1 segments"
    written = read_json(folder.parent / "out.json")
    assert written["images"] == [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 6}]
    segment = {"id": 1, "category_id": CAT, "iscrowd": 0, "area": 4, "bbox": [0, 0, 2, 2]}
    assert written["annotations"] == [{"image_id": 1, "file_name": "a.png", "segments_info": [segment]}]
    assert [(c["id"], c["name"], c["isthing"]) for c in written["categories"]] == [
        (1, "cat", 1),
        (2, "dog", 1),
        (3, "grass", 0),
        (4, "sky", 0),
    ]
    read_truth(folder.parent / "out.json")


def test_loads_for_training(folder: Path) -> None:
    write_photo(folder / "a.jpg", (48, 64))
    cat = shape("circle", [[30, 20], [40, 20]])
    write(folder / "a.json", content([cat], imageHeight=48, imageWidth=64))
    convert(folder)
    out = folder.parent / "out.json"
    data = CocoPanoptic(out, Categories.load(out), folder, scales=[(64, 48)], train=True)
    assert data[0].target.labels.tolist() == [0]


KINDS = [
    (shape("polygon", [[1, 1], [4, 1], [4, 3], [1, 3]]), ["......", ".###..", ".###..", "......"]),
    (shape("polygon", [[-5, 1], [9, 1], [9, 2.4], [-5, 2.4]]), ["......", "######", "......", "......"]),
    ({"label": "cat", "points": [[0, 0], [2, 0], [0, 2]]}, ["#.....", "......", "......", "......"]),
    (shape("rectangle", [[4, 3], [1, 1]]), ["......", ".###..", ".###..", "......"]),
    (shape("rectangle", [[1, 1], [4, 1], [4, 3], [1, 3]]), ["......", ".###..", ".###..", "......"]),
    (
        shape("oriented_rectangle", [[3, 0], [5, 2], [3, 4], [1, 2]]),
        ["..##..", ".####.", "..##..", "......"],
    ),
    (shape("circle", [[3, 2], [3, 4]]), ["..##..", ".####.", ".####.", "..##.."]),
    (
        shape("mask", [[4, 2], [6, 3]], mask=base64_png([[True, False, True], [True, True, True]])),
        ["......", "......", "....#.", "....##"],
    ),
    (
        shape("mask", [[-1, 0], [1.0, 1.0]], mask=base64_png(np.uint8([[255, 0, 255], [1, 7, 0]]))),
        [".#....", "#.....", "......", "......"],
    ),
]


@pytest.mark.parametrize(("drawn", "expected"), KINDS)
def test_kinds(folder: Path, drawn: dict[str, Any], expected: list[str]) -> None:
    write(folder / "a.json", content([drawn]))
    convert(folder)
    assert category_map(folder.parent / "out.json") == [[int(c == "#") for c in row] for row in expected]


def test_groups_flags_and_what_has_no_area(folder: Path) -> None:
    left, right = [[0, 0], [1, 4]], [[5, 0], [6, 4]]
    shapes = [
        shape("rectangle", left, group_id=7),
        shape("rectangle", right, group_id=7, flags={"iscrowd": True, "blurred": True}),
        shape("rectangle", [[1, 0], [2, 4]], "dog", group_id=7),
        shape("rectangle", [[2, 0], [3, 4]], "grass"),
        shape("rectangle", [[4, 0], [5, 4]], "grass", group_id=1),
        shape("point", [[1, 1]], "nose"),
        shape("linestrip", [[1, 1], [2, 2]]),
        shape("line", [[1, 1], [2, 2]]),
        shape("polygon", [[1, 1], [1, 1], [1, 1]]),
        shape("rectangle", [[50, 50], [60, 60]]),
    ]
    write(folder / "a.json", content(shapes))
    result = convert(folder)
    assert category_map(folder.parent / "out.json")[0] == [CAT, DOG, GRASS, 0, GRASS, CAT]
    infos = read_json(folder.parent / "out.json")["annotations"][0]["segments_info"]
    assert [info["iscrowd"] for info in infos] == [1, 0, 0]
    assert result.notes == (
        "3 shapes have no area by their kind and are left out (line 1, linestrip 1, point 1)",
        "2 shapes have no pixel (no area, or outside the image) and are left out",
    )
    assert str(result).endswith("; ".join(result.notes))


def test_overlap(folder: Path) -> None:
    shapes = [shape("rectangle", [[0, 0], [3, 4]]), shape("rectangle", [[2, 0], [6, 4]], "dog")]
    write(folder / "a.json", content(shapes))
    with pytest.raises(DataError, match=r"image 1 \(a\.jpg\): 4 pixels are in more than one segment"):
        convert(folder)
    assert convert(folder, overlap="order").overlapping == 4
    assert category_map(folder.parent / "out.json")[0] == [CAT, CAT, DOG, DOG, DOG, DOG]
    assert convert(folder, overlap="smaller-on-top").overlapping == 4
    assert category_map(folder.parent / "out.json")[0] == [CAT, CAT, CAT, DOG, DOG, DOG]


def test_unknown_labels(folder: Path) -> None:
    write(folder / "a.json", content([*SHAPES, shape("rectangle", [[4, 0], [6, 4]], "Dogg")]))
    with pytest.raises(DataError, match=r"shapes\[1\]\.label: 'Dogg' is not .* did you mean 'dog'\?"):
        convert(folder)
    result = convert(folder, ignore_unknown=True)
    assert result.notes == ("1 shapes have labels that are not among the classes and are left out (Dogg 1)",)
    assert category_map(folder.parent / "out.json")[0] == [CAT, CAT, 0, 0, 0, 0]


def test_photos_below_and_names(folder: Path) -> None:
    """Folders, backslashes, accents in two forms, a photo without shapes, hidden and other JSON files."""
    write_photo(folder / "süß" / "im" / "e\u0301.png")
    name = "im\\\u00e9.png"
    write(folder / "süß" / "b.json", content([], imagePath=name, imageHeight=None, imageWidth=None))
    write(folder / ".hidden.json", "{")
    write(folder / "._a.json", "\0\1")
    write(folder / "coco.json", {"images": [], "annotations": []})
    result = convert(folder)
    written = read_json(folder.parent / "out.json")
    assert [image["file_name"] for image in written["images"]] == ["a.jpg", "süß/im/e\u0301.png"]
    assert [a["file_name"] for a in written["annotations"]] == ["a.png", "süß/b.png"]
    assert (folder.parent / "out" / "süß" / "b.png").is_file()
    assert id_map(folder.parent / "out.json", 1) == [[0] * 6] * 4
    assert result.notes == (
        "1 images have no shape and are void",
        "1 files are no annotations and are left out (coco.json 1)",
    )


def test_photos_elsewhere(folder: Path) -> None:
    """With a folder of photos, the end of a path is enough; it cannot lead out of the folder."""
    write(folder / "a.json", content(imagePath="..\\..\\photos\\deep\\a.jpg"))
    with pytest.raises(DataError, match=r"imagePath: .* leaves its folder; .* \(--images\)"):
        convert(folder)
    write_photo(folder.parent / "photos" / "deep" / "a.jpg")
    convert(folder, images=folder.parent / "photos")
    assert read_json(folder.parent / "out.json")["images"][0]["file_name"] == "deep/a.jpg"
    write(folder / "a.json", content(imagePath="C:\\Users\\me\\a.jpg"))
    convert(folder, images=folder.parent / "photos")
    write_photo(folder.parent / "photos" / "other" / "a.jpg")
    with pytest.raises(DataError, match="is in several folders"):
        convert(folder, images=folder.parent / "photos")
    write(folder / "a.json", content(imagePath="none.jpg"))
    with pytest.raises(DataError, match=r"the photo 'none\.jpg' is not in"):
        convert(folder, images=folder.parent / "photos")


@pytest.mark.parametrize(
    "path", ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "C:\\a.jpg", "\\\\nas\\a.jpg", "", ".", 7]
)
def test_paths_that_leave_the_folder(folder: Path, path: object) -> None:
    write(folder / "a.json", content(imagePath=path))
    with pytest.raises(DataError, match=r"a\.json: imagePath: "):
        convert(folder)


def test_the_photo_inside_the_file(folder: Path) -> None:
    held = base64_png(np.zeros((4, 6, 3), np.uint8))
    (folder / "a.jpg").unlink()
    write(folder / "a.json", content(imageData=held, imageHeight=None, imageWidth=None))
    assert convert(folder).notes == (
        "1 photos are only inside their JSON files; training needs them as files",
    )
    assert np.shape(id_map(folder.parent / "out.json")) == (4, 6)
    write(folder / "a.json", content(imageData=held, imageWidth=7))
    with pytest.raises(DataError, match="imageData: is 6x4 pixels, 7x4 are stated"):
        convert(folder)
    write(folder / "a.json", content())
    assert convert(folder).notes == ("1 photos were not found, so their size is as the export states it",)


@pytest.mark.parametrize(("stored", "stated"), [((6, 4), (4, 6)), ((4, 6), (6, 4)), ((4, 6), (4, 6))])
def test_size_upright_or_as_stored(folder: Path, stored: tuple[int, int], stated: tuple[int, int]) -> None:
    """By EXIF orientation 6 a photo stored with one size is looked at with the other; either may be meant."""
    write_photo(folder / "a.jpg", stored, orientation=6)
    write(folder / "a.json", content(imageHeight=stated[0], imageWidth=stated[1]))
    convert(folder)
    assert np.shape(id_map(folder.parent / "out.json")) == stated
    write(folder / "a.json", content(imageHeight=None, imageWidth=None))
    convert(folder)
    assert np.shape(id_map(folder.parent / "out.json")) == stored[::-1]


FAULTS: list[tuple[Any, str]] = [
    (content(imageWidth=7), "says 7x4 pixels, but its photo .* is 6x4"),
    (content(imageWidth=0), "imageWidth: 1 or more pixels"),
    (content(imageWidth="6"), "imageWidth: a whole number"),
    (content(shapes={}), "shapes: a list is expected"),
    ({"imagePath": "a.jpg"}, "shapes: the key is missing"),
    ({"shapes": []}, "imagePath: the key is missing"),
    (content([3]), r"shapes\[0\]: an object with label is expected"),
    (content([{"points": []}]), r"shapes\[0\]\.label: the key is missing"),
    (content([{"label": "cat"}]), r"shapes\[0\]\.points: the key is missing"),
    (content([shape("polygon", [], label=3)]), r"label: the name of a class is expected, got 3"),  # type: ignore[arg-type]
    (content([shape("blob", [])]), "shape_type: 'blob' is unknown"),
    (content([shape(["x"], [])]), "shape_type: "),  # type: ignore[arg-type]
    (content([shape("polygon", [[1, 2], [3]])]), r"points\[1\]: \[x, y\] is expected"),
    (content([shape("polygon", [[1, 2], [3, "4"]])]), r"points\[1\]"),
    (content([shape("polygon", [[1, 2], [3, float("nan")]])]), r"points\[1\]"),
    (content([shape("polygon", [[1, 2], [3, 1e300]])]), r"points\[1\]"),
    (content([shape("circle", [[1, 2]])]), "two points are expected of a circle, got 1"),
    (content([shape("rectangle", [[1, 2], [3, 4]], group_id=[1])]), "group_id: a whole number or null"),
    (content([shape("mask", [[0, 0], [1, 1]])]), "mask: the key is missing"),
    (content([shape("mask", [[0, 0], [1, 1]], mask=None)]), "mask: a picture as base64"),
    (content([shape("mask", [[0, 0], [1, 1]], mask="%%%")]), "mask: is no picture that can be decoded"),
    (
        content([shape("mask", [[0, 0], [1, 1]], mask=base64_png([[True] * 3]))]),
        "the PNG is 3x1, the box .* 2x2",
    ),
    (
        content([shape("mask", [[0, 0], [0, 0]], mask=base64_png(np.zeros((1, 1, 3), np.uint8)))]),
        "a PNG of one channel is expected, it has 3",
    ),
    (content([shape("mask", [[0, 0], [9, 9]], mask=base64_png(np.ones((10, 10), np.uint8))[:60])]), "mask: "),
    ('{"shapes": [], "imagePath": "a.jpg"', "is not valid JSON"),
    ("", "the file is empty"),
    ('["imagePath"]', "imagePath|an object with imagePath is expected"),
]


@pytest.mark.parametrize(("written", "message"), FAULTS)
def test_faults(folder: Path, written: Any, message: str) -> None:
    write(folder / "a.json", written)
    before = set(folder.parent.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        convert(folder)
    assert str(caught.value).startswith(f"{folder / 'a.json'}: ")
    assert "\n" not in str(caught.value)
    assert set(folder.parent.rglob("*")) == before


def test_one_photo_twice(folder: Path) -> None:
    write(folder / "b.json", content())
    with pytest.raises(DataError, match=r"b\.json: imagePath: 'a\.jpg' is the photo of .*a\.json too"):
        convert(folder)


def test_no_files(folder: Path, tmp_path: Path) -> None:
    (folder / "a.json").unlink()
    with pytest.raises(DataError, match="no labelme JSON file"):
        convert(folder)
    with pytest.raises(DataError, match="none: no such folder of labelme JSON files"):
        labelme_to_panoptic(tmp_path / "none", tmp_path / "o.json", classes=tmp_path / "classes.yaml")
    with pytest.raises(DataError, match="none: no such folder of photos"):
        convert(folder, images=tmp_path / "none")


def test_again_with_the_result_inside(folder: Path) -> None:
    """The files of an earlier conversion are none of labelme's, and are replaced."""
    for _ in range(2):
        labelme_to_panoptic(folder, folder / "panoptic.json", classes=folder.parent / "classes.yaml")
    assert len(read_json(folder / "panoptic.json")["annotations"]) == 1


def test_workers_make_no_difference(folder: Path) -> None:
    for i in range(30):
        write_photo(folder / f"{i}.png")
        write(
            folder / f"{i}.json", content([shape("circle", [[i / 5, 2], [3, i / 10]])], imagePath=f"{i}.png")
        )
    seen: list[tuple[int, int]] = []
    convert(folder, workers=1, progress=lambda done, total: seen.append((done, total)))
    one = read_json(folder.parent / "out.json")
    convert(folder, workers=4)
    assert read_json(folder.parent / "out.json") == one
    assert seen == [(i, 31) for i in range(1, 32)]
