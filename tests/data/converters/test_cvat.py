"""CVAT's exports, written by hand: XML for images and COCO 1.0, to the pixel, and each fault."""

from pathlib import Path
from typing import Any

import pytest

from make_exports import CAT, DOG, GRASS, category_map, id_map, write, write_classes, write_photo
from spatialflow.data.converters import ExportConversion, cvat_to_panoptic
from spatialflow.errors import DataError
from spatialflow.files import read_json

XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>1</id><name>t</name><size>2</size><mode>annotation</mode></task></meta>
  <image id="0" name="a.jpg" width="6" height="4">SHAPES
  </image>
  <image id="1" name="sub/b.png" width="3" height="2">
  </image>
</annotations>
"""
CAT_BOX = (
    '<box label="cat" source="manual" occluded="0" xtl="0.00" ytl="0.00" xbr="2.00" ybr="4.00" z_order="0"/>'
)


@pytest.fixture
def task(tmp_path: Path) -> Path:
    write_classes(tmp_path)
    write_photo(tmp_path / "task" / "images" / "a.jpg")
    write_photo(tmp_path / "task" / "images" / "sub" / "b.png", (2, 3))
    return tmp_path / "task"


def convert(task: Path, **options: Any) -> ExportConversion:
    out = task.parent / "out.json"
    return cvat_to_panoptic(task, out, **{"classes": task.parent / "classes.yaml"} | options)


def convert_xml(task: Path, *shapes: str, **options: Any) -> ExportConversion:
    write(task / "annotations.xml", XML.replace("SHAPES", "".join(shapes)))
    return convert(task, **options)


def test_what_is_written(task: Path) -> None:
    result = convert_xml(task, CAT_BOX)
    assert result.notes == ("1 images have no shape and are void",)
    written = read_json(task.parent / "out.json")
    assert written["images"] == [
        {"id": 1, "file_name": "a.jpg", "height": 4, "width": 6},
        {"id": 2, "file_name": "sub/b.png", "height": 2, "width": 3},
    ]
    segment = {"id": 1, "category_id": CAT, "iscrowd": 0, "area": 8, "bbox": [0, 0, 2, 4]}
    assert written["annotations"] == [
        {"image_id": 1, "file_name": "a.png", "segments_info": [segment]},
        {"image_id": 2, "file_name": "sub/b.png", "segments_info": []},
    ]
    assert id_map(task.parent / "out.json", 1) == [[0] * 3] * 2


KINDS = [
    (
        '<polygon label="cat" points="1.00,1.00;4.00,1.00;4.00,3.00;1.00,3.00"/>',
        ["......", ".###..", ".###..", "......"],
    ),
    ('<polygon label="cat" points="-9,2;99,2;99,99;-9,99"/>', ["......", "......", "######", "######"]),
    ('<box label="cat" xtl="1" ytl="1" xbr="5" ybr="3" rotation="90.00"/>', ["..##.."] * 4),
    ('<ellipse label="cat" cx="3" cy="2" rx="2" ry="2"/>', ["..##..", ".####.", ".####.", "..##.."]),
    (
        '<ellipse label="cat" cx="3" cy="2" rx="3" ry="1" rotation="90"/>',
        ["..##..", "..##..", "..##..", "..##.."],
    ),
    (  # row by row in its box of 3x2, from what is outside
        '<mask label="cat" rle="1, 2, 2, 1" left="2" top="1" width="3" height="2"/>',
        ["......", "...##.", "....#.", "......"],
    ),
    (
        '<mask label="cat" rle="0, 6" left="4" top="3" width="3" height="2"/>',
        ["......", "......", "......", "....##"],
    ),
]


@pytest.mark.parametrize(("drawn", "expected"), KINDS)
def test_kinds(task: Path, drawn: str, expected: list[str]) -> None:
    convert_xml(task, drawn)
    assert category_map(task.parent / "out.json") == [[int(c == "#") for c in row] for row in expected]


def box(label: str, x1: int, x2: int, *, z: int = 0, group: int = 0, more: str = "", inner: str = "") -> str:
    place = f'xtl="{x1}" ytl="0" xbr="{x2}" ybr="4" z_order="{z}"'
    return f'<box label="{label}" {place} group_id="{group}" {more}>{inner}</box>'


def test_groups_attributes_and_what_is_left_out(task: Path) -> None:
    result = convert_xml(
        task,
        box("cat", 0, 1, group=3),
        box("dog", 1, 2, group=3, more='occluded="1"'),
        box("cat", 5, 6, group=3, inner='<attribute name="IsCrowd">true</attribute>'),
        box("grass", 2, 3),
        box("grass", 4, 5, inner='<attribute name="iscrowd">true</attribute>'),
        box("cat", 3, 4, more='outside="1"'),
        box("cat", 3, 3),
        '<polyline label="lane" points="1,1;2,2"/><points label="nose" points="1,1"/>',
        '<tag label="blurred"/><cuboid label="cat"/><skeleton label="man"><points label="1"/></skeleton>',
    )
    assert category_map(task.parent / "out.json")[0] == [CAT, DOG, GRASS, 0, GRASS, CAT]
    infos = read_json(task.parent / "out.json")["annotations"][0]["segments_info"]
    assert [info["iscrowd"] for info in infos] == [1, 0, 0]
    assert result.notes == (
        "5 shapes have no area by their kind and are left out "
        "(cuboid 1, points 1, polyline 1, skeleton 1, tag 1)",
        "1 shapes have no pixel (no area, or outside the image) and are left out",
        "1 shapes are marked as outside and are left out",
        "1 images have no shape and are void",
    )


def test_z_order(task: Path) -> None:
    shapes = box("cat", 0, 4, z=1), box("dog", 2, 6), box("grass", 3, 5)
    with pytest.raises(DataError, match=r"annotations\.xml: image 1 \(a\.jpg\): 12 pixels are in more"):
        convert_xml(task, *shapes)
    assert convert_xml(task, *shapes, overlap="order").overlapping == 12
    assert category_map(task.parent / "out.json")[0] == [CAT, CAT, CAT, CAT, GRASS, DOG]
    convert_xml(task, *shapes, overlap="smaller-on-top")
    assert category_map(task.parent / "out.json")[0] == [CAT, CAT, CAT, GRASS, GRASS, DOG]


def test_unknown_labels(task: Path) -> None:
    with pytest.raises(DataError, match=r"image 'a\.jpg': box\[0\]\.label: 'cats' is not .* mean 'cat'\?"):
        convert_xml(task, box("cats", 0, 4))
    notes = convert_xml(task, box("cats", 0, 4), ignore_unknown=True).notes
    assert "1 shapes have labels that are not among the classes and are left out (cats 1)" in notes


def test_photos(task: Path, tmp_path: Path) -> None:
    """Named by Windows, elsewhere, or not there."""
    text = XML.replace("SHAPES", CAT_BOX).replace("sub/b.png", "sub\\b.png")
    write(task / "annotations.xml", text)
    convert(task)
    assert read_json(tmp_path / "out.json")["images"][1]["file_name"] == "sub/b.png"
    (task / "images").rename(tmp_path / "photos")
    assert "2 photos were not found, so their size is as the export states it" in convert(task).notes
    convert(task, images=tmp_path / "photos")
    write(task / "annotations.xml", text.replace("sub\\b", "C:\\sub\\b"))
    convert(task, images=tmp_path / "photos")
    with pytest.raises(DataError, match=r"'C:\\\\sub\\\\b.png' leaves its folder"):
        convert(task)


FAULTS = [
    (XML.replace('width="6"', 'width="7"'), r"image 'a\.jpg': says 7x4 pixels, but its photo .* is 6x4"),
    (XML.replace(' width="6"', ""), "width: a number is expected, got None"),
    (XML.replace('width="6"', 'width="6.5"'), "width: a whole number is expected"),
    (XML.replace('width="6"', 'width="-6"'), "width: 1 or more pixels"),
    (XML.replace("a.jpg", "../a.jpg"), r"image '\.\./a\.jpg': name: .* leaves its folder"),
    (XML.replace(' name="a.jpg"', ""), "image '': name: the name of a file is expected"),
    (XML.replace("sub/b.png", "./a.jpg"), r"image '\./a\.jpg': is listed twice"),
    (XML.replace("SHAPES", '<box label="cat"/>'), r"box\[0\]\.xtl: a number is expected, got None"),
    (XML.replace("SHAPES", "<box/>"), r"box\[0\]\.label: the name of a class is expected, got None"),
    (XML.replace("SHAPES", '<blob label="cat"/>'), r"blob\[0\]: shapes of this kind are unknown"),
    (XML.replace("SHAPES", '<polygon label="cat" points="1,2;3"/>'), r"polygon\[0\]\.points: x,y;x,y"),
    (XML.replace("SHAPES", '<polygon label="cat" points="1,2;x,3"/>'), "points: x,y;x,y"),
    (XML.replace("SHAPES", '<polygon label="cat" points="1,2;nan,3"/>'), "points: x,y;x,y"),
    (XML.replace("SHAPES", box("cat", 0, 1).replace('"0"', '"inf"', 1)), "xtl: a number is expected"),
    (XML.replace("SHAPES", box("cat", 0, 1).replace('z_order="0"', 'z_order="x"')), "z_order: a number"),
    (XML.replace("SHAPES", '<mask label="cat" left="0" top="0" width="2" height="2"/>'), "rle: counts with"),
    (
        XML.replace("SHAPES", '<mask label="cat" rle="1, 2" left="0" top="0" width="2" height="2"/>'),
        r"mask\[0\]\.rle: its runs do not add up to 2x2",
    ),
    (
        XML.replace("SHAPES", '<mask label="cat" rle="-1, 5" left="0" top="0" width="2" height="2"/>'),
        "rle: its runs do not add up to 2x2",
    ),
    (
        XML.replace("SHAPES", f'<mask label="cat" rle="{10**30}" left="0" top="0" width="2" height="2"/>'),
        "rle: ",
    ),
    (
        XML.replace("SHAPES", '<mask label="cat" rle="1" left="0" top="0" width="99999" height="99999"/>'),
        "width: 99999x99999 is larger than the image",
    ),
    (XML.replace("SHAPES", '<mask label="cat" rle="4" top="0" width="2" height="2"/>'), "left: a number"),
    (XML[:-30], "is not valid XML"),
    ("", "is not valid XML"),
    ("<annotation/>", "begins with <annotation>, so it is of another format"),
    ("<annotations><track id='0'/></annotations>", "has tracks, as CVAT for video, so"),
    (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        "<annotations>&undefined;</annotations>",
        "is not valid XML",
    ),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_faults(task: Path, text: str, message: str) -> None:
    write(task / "annotations.xml", text.replace("SHAPES", ""))
    before = set(task.parent.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        convert(task)
    assert str(caught.value).startswith(f"{task / 'annotations.xml'}: ")
    assert "\n" not in str(caught.value)
    assert set(task.parent.rglob("*")) == before


def test_which_file(task: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one annotations/instances_.* is expected, there is neither"):
        convert(task)
    with pytest.raises(DataError, match=r"none\.xml: no such file"):
        cvat_to_panoptic(tmp_path / "none.xml", tmp_path / "o.json", classes=tmp_path / "classes.yaml")
    for name in ("instances_a.json", "instances_b.json"):
        write(task / "annotations" / name, {})
    with pytest.raises(DataError, match=r"there is instances_a\.json, instances_b\.json; name the file"):
        convert(task)


COCO_CAT = {"id": 1, "image_id": 1, "category_id": 5, "iscrowd": 0, "area": 8.0, "bbox": [0, 0, 2, 4]}


def coco(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What CVAT writes as COCO 1.0."""
    empty = {"name": "", "id": 0, "url": ""}
    return {
        "licenses": [empty],
        "info": {"contributor": "", "year": ""},
        "categories": [
            {"id": 5, "name": "cat", "supercategory": ""},
            {"id": 6, "name": "grass", "supercategory": ""},
        ],
        "images": [
            {"id": 1, "width": 6, "height": 4, "file_name": "a.jpg", "license": 0},
            {"id": 2, "width": 3, "height": 2, "file_name": "sub\\b.png", "license": 0},
        ],
        "annotations": [{**COCO_CAT, **annotation} for annotation in annotations],
    } | changes


def test_coco(task: Path) -> None:
    """Masks, which CVAT marks as crowds, are none; a box; three parts of grass with a hole between."""
    square = [0, 0, 1, 0, 1, 4, 0, 4]
    content = coco(
        {"segmentation": [square], "attributes": {"occluded": False}},
        {"segmentation": {"size": [4, 6], "counts": [4, 4, 16]}, "iscrowd": 1},
        {"segmentation": [], "bbox": [5.0, 0.0, 1.0, 4.0], "attributes": {"is_crowd": True}},
        {"segmentation": [[2, 0, 3, 0, 3, 2, 2, 2], [2, 2, 3, 2, 3, 3, 2, 3]], "category_id": 6},
        {"segmentation": {"size": [4, 6], "counts": [12, 1, 1, 2, 8]}, "category_id": 6, "iscrowd": 1},
    )
    write(task / "annotations" / "instances_default.json", content)
    result = convert(task)
    assert result.notes == ("1 images have no shape and are void",)
    assert id_map(task.parent / "out.json") == [
        [1, 2, 4, 4, 0, 3],
        [1, 2, 4, 0, 0, 3],
        [1, 2, 4, 4, 0, 3],
        [1, 2, 0, 4, 0, 3],
    ]
    written = read_json(task.parent / "out.json")
    infos = written["annotations"][0]["segments_info"]
    assert [(info["category_id"], info["iscrowd"]) for info in infos] == [
        (CAT, 0),
        (CAT, 0),
        (CAT, 1),
        (GRASS, 0),
    ]
    assert written["images"][1]["file_name"] == "sub/b.png"


def test_coco_photos_of_a_subset(task: Path) -> None:
    (task / "images").rename(task / "default")
    (task / "images").mkdir()
    (task / "default").rename(task / "images" / "default")
    write(task / "annotations" / "instances_default.json", coco())
    assert convert(task).notes == ("2 images have no shape and are void",)


COCO_FAULTS = [
    (coco({"segmentation": {"size": [6, 4], "counts": [24]}}), r"annotations\[0\]\.segmentation\.size: "),
    (coco({"segmentation": {"size": [4, 6], "counts": [23]}}), r"annotations\[0\]\.segmentation\.counts: "),
    (coco({"segmentation": [[1, 2, 3]]}), r"annotations\[0\]\.segmentation\.\[0\]: "),
    (coco({"segmentation": [], "bbox": [1, 2]}), r"annotations\[0\]\.bbox: "),
    (coco({}), r"annotations\[0\]\.segmentation: the key is missing"),
    (coco({"segmentation": [], "category_id": 9}), "9 is not among the file's categories"),
    (coco({"segmentation": [], "image_id": 9}), "9 is not the id of any entry of images"),
    (
        coco({"segmentation": []}, categories=[{"id": 5, "name": "kat"}]),
        r"annotations\[0\]\.category_id: 'kat' is not .* mean 'cat'\?",
    ),
    (coco(categories=None), "categories: the list is missing"),
    (coco(categories=[{"id": 5, "name": "a"}] * 2), r"categories\[1\]\.id: 5 is given twice"),
    (coco(categories=[{"id": 5}]), r"categories\[0\]\.name: the key is missing"),
    (coco(annotations=None), "annotations: the list is missing"),
    ({"annotations": []}, "images: the key is missing"),
    (
        coco(images=[{"id": i, "width": 6, "height": 4, "file_name": "a.jpg"} for i in (1, 2)]),
        r"images\[1\]\.file_name: 'a\.jpg' is listed twice",
    ),
    (coco(images=[{"id": 1, "width": 6, "height": 4, "file_name": "../a.jpg"}]), "leaves its folder"),
    (
        coco(images=[{"id": 1, "width": 4, "height": 4, "file_name": "a.jpg"}]),
        "says 4x4 pixels, but its photo",
    ),
]


@pytest.mark.parametrize(("content", "message"), COCO_FAULTS)
def test_coco_faults(task: Path, content: dict[str, Any], message: str) -> None:
    path = write(task / "annotations" / "instances_default.json", content)
    before = set(task.parent.rglob("*"))
    with pytest.raises(DataError, match=message) as caught:
        convert(task)
    assert str(caught.value).startswith(f"{path}: ")
    assert set(task.parent.rglob("*")) == before
