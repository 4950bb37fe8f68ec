"""Mapillary Vistas to COCO panoptic: both things it ships, in files made as it has them, and each fault."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from make_data import edit_json
from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import VistasSource, mapillary_to_panoptic
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import ConfigError, DataError, OutputError
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_id_png, write_id_png

LABELS: list[dict[str, Any]] = [
    {"name": "animal--bird", "readable": "Bird", "instances": True, "evaluate": True, "color": [165, 42, 42]},
    {"name": "nature--sky", "readable": "Sky", "instances": False, "evaluate": True, "color": [70, 130, 180]},
    {
        "name": "human--person--person-group",
        "readable": "Person Group",
        "instances": True,
        "evaluate": True,
        "color": [220, 20, 60],
    },
    {
        "name": "void--unlabeled",
        "readable": "Unlabeled",
        "instances": False,
        "evaluate": False,
        "color": [0, 0, 0],
    },
]
BIRD, SKY, GROUP, UNLABELED = range(4)
VALUES = 256 * np.array(
    [[BIRD, BIRD, SKY, SKY], [BIRD, SKY, SKY, GROUP], [UNLABELED, UNLABELED, SKY, GROUP]], np.uint16
) + np.array([[0, 0, 0, 0], [255, 0, 3, 1], [0, 0, 0, 1]], np.uint16)
IDS = np.array([[7, 7, 70000, 70000], [8, 70000, 70000, 9], [11, 11, 70000, 9]])
"""The same as a panoptic PNG, in which unlabeled, 11, may be a segment or 0."""
CATEGORY_OF = {7: 1, 8: 1, 70000: 2, 9: 3, 11: 4}
CATEGORIES = [
    {
        "supercategory": label["name"],
        "isthing": int(label["instances"]),
        "color": label["color"],
        "id": i,
        "name": label["readable"],
    }
    for i, label in enumerate(LABELS, 1)
]
NAME = "--jRsD9anHdGxv4ZOCQktA"


def save(path: Path, pixels: NDArray[np.integer]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_split(root: Path, version: str = "v1.2", folder: str = "training/v1.2", zoom: int = 1) -> None:
    """One image, with instances and panoptic."""
    block = np.ones((zoom, zoom), np.uint16)
    values, ids = np.kron(VALUES, block), np.kron(IDS, block)
    save(root / "training" / "images" / f"{NAME}.jpg", np.zeros((*ids.shape, 3), np.uint8))
    save(root / folder / "instances" / f"{NAME}.png", values)
    write_id_png(root / folder / "panoptic" / f"{NAME}.png", ids)
    infos = [
        {"id": i, "category_id": c, "iscrowd": int(c == 3), "area": 1, "bbox": [0, 0, 1, 1]}
        for i, c in CATEGORY_OF.items()
    ]
    name = {"v1.2": "panoptic_2018.json", "v2.0": "panoptic_2020.json"}[version]
    content = {
        "info": {"version": version},
        "images": [{"id": NAME, "file_name": f"{NAME}.jpg", "height": ids.shape[0], "width": ids.shape[1]}],
        "annotations": [{"image_id": NAME, "file_name": f"{NAME}.png", "segments_info": infos}],
        "categories": CATEGORIES,
    }
    write_json(root / folder / "panoptic" / name, content)


def write_config(path: Path, labels: Any = LABELS) -> None:
    write_json(path, {"labels": labels, "version": 1.1, "mapping": "public"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "vistas"
    write_split(root)
    write_config(root / "config_v1.2.json")
    return root


def rows(path: Path) -> list[tuple[Any, ...]]:
    (annotation,) = read_truth(path).annotations.values()
    return [(s.id, s.category_id, s.is_crowd, s.area, s.bbox) for s in annotation.segments]


def test_each_pixel_of_instances(root: Path, tmp_path: Path) -> None:
    """Number 0 of class 0 is a bird like any other; stuff is one segment whatever its numbers."""
    result = mapillary_to_panoptic(root, tmp_path / "out.json", source="instances")
    assert str(result) == f"{tmp_path / 'out.json'}: 1 images, 4 segments"
    assert rows(tmp_path / "out.json") == [
        (1, 1, False, 2, (0, 0, 2, 1)),
        (256, 1, False, 1, (0, 1, 1, 1)),
        (257, 2, False, 5, (1, 0, 3, 3)),
        (514, 3, True, 2, (3, 1, 1, 2)),
    ]
    assert read_id_png(tmp_path / "out" / f"{NAME}.png").tolist() == [
        [1, 1, 257, 257],
        [256, 257, 257, 514],
        [0, 0, 257, 514],
    ]
    (image,) = read_truth(tmp_path / "out.json").images.values()
    assert (image.id, image.file_name) == (NAME, f"{NAME}.jpg")


def test_each_pixel_of_panoptic(root: Path, tmp_path: Path) -> None:
    """Ids stay; area and box are counted; what is not evaluated becomes void."""
    edit_json(root / "training/v1.2/panoptic/panoptic_2018.json", lambda c: c["images"][0].update(license=4))
    mapillary_to_panoptic(root, tmp_path / "out.json")
    assert rows(tmp_path / "out.json") == [
        (7, 1, False, 2, (0, 0, 2, 1)),
        (8, 1, False, 1, (0, 1, 1, 1)),
        (70000, 2, False, 5, (1, 0, 3, 3)),
        (9, 3, True, 2, (3, 1, 1, 2)),
    ]
    ids = read_id_png(tmp_path / "out" / f"{NAME}.png")
    np.testing.assert_array_equal(ids, np.where(IDS == 11, 0, IDS))
    written = read_json(tmp_path / "out.json")
    assert (written["info"], written["images"][0]["license"]) == ({"version": "v1.2"}, 4)


def test_both_have_the_same_categories(root: Path, tmp_path: Path) -> None:
    for source in ("panoptic", "instances"):
        mapillary_to_panoptic(root, tmp_path / f"{source}.json", source=source)
    one, other = (
        read_json(tmp_path / f"{source}.json")["categories"] for source in ("panoptic", "instances")
    )
    assert one == other == CATEGORIES[:3]


@pytest.mark.parametrize("source", ["panoptic", "instances"])
def test_second_version(root: Path, tmp_path: Path, source: VistasSource) -> None:
    write_split(root, "v2.0", "training/v2.0")
    write_config(root / "config_v2.0.json", [*LABELS[:1], {**LABELS[1], "evaluate": False}, *LABELS[2:]])
    mapillary_to_panoptic(root, tmp_path / "out.json", version="v2.0", source=source)
    assert [row[1] for row in rows(tmp_path / "out.json")] == [1, 1, 3]


@pytest.mark.parametrize("source", ["panoptic", "instances"])
def test_layout_of_earlier_releases(tmp_path: Path, source: VistasSource) -> None:
    write_split(tmp_path, folder="training")
    write_config(tmp_path / "config.json")
    assert mapillary_to_panoptic(tmp_path, tmp_path / "out.json", source=source).segments == 4
    with pytest.raises(DataError, match=r"training/v2\.0: no such folder"):
        mapillary_to_panoptic(tmp_path, tmp_path / "other.json", source=source, version="v2.0")


def test_panoptic_without_config_and_photos(root: Path, tmp_path: Path) -> None:
    """Then nobody knows what is void."""
    (root / "config_v1.2.json").unlink()
    shutil.rmtree(root / "training" / "images")
    assert mapillary_to_panoptic(root, tmp_path / "out.json").segments == 5


def test_void_by_either_name(root: Path, tmp_path: Path) -> None:
    path = root / "training/v1.2/panoptic/panoptic_2018.json"
    names = ("Other", "void--unlabeled"), ("void--unlabeled", "void"), ("Unlabeled", "void")
    for name, supercategory in names:
        changes = {"name": name, "supercategory": supercategory}
        edit_json(path, lambda c, changes=changes: c["categories"][3].update(changes))  # type: ignore[misc]
        assert mapillary_to_panoptic(root, tmp_path / "out.json").segments == 4


def test_readable_name_of_two_classes(root: Path, tmp_path: Path) -> None:
    write_config(root / "config_v1.2.json", [LABELS[0], {**LABELS[1], "readable": "Bird"}, *LABELS[2:]])
    mapillary_to_panoptic(root, tmp_path / "out.json", source="instances")
    names = [entry["name"] for entry in read_json(tmp_path / "out.json")["categories"]]
    assert names == ["animal--bird", "nature--sky", "Person Group"]


def test_image_without_annotation_is_left_out(root: Path, tmp_path: Path) -> None:
    image = {"id": "two", "file_name": "two.jpg", "height": 2, "width": 2}
    edit_json(root / "training/v1.2/panoptic/panoptic_2018.json", lambda c: c["images"].append(image))
    assert mapillary_to_panoptic(root, tmp_path / "out.json").images == 1


def test_loads_for_training(root: Path, tmp_path: Path) -> None:
    write_split(root, zoom=16)
    boxes = []
    for source in ("panoptic", "instances"):
        path = tmp_path / f"{source}.json"
        mapillary_to_panoptic(root, path, source=source)
        data = CocoPanoptic(
            path, Categories.load(path), root / "training" / "images", scales=[(64, 64)], train=True
        )
        assert sorted(data[0].target.labels.tolist()) == [0, 0, 1, 2]
        boxes.append(sorted(data[0].target.boxes.tolist()))
    assert boxes[0] == boxes[1]


PNG = f"training/v1.2/instances/{NAME}.png"
PANOPTIC = "training/v1.2/panoptic/panoptic_2018.json"
FAULTS: list[tuple[Callable[[Path], object], VistasSource, str]] = [
    (lambda root: shutil.rmtree(root / "training"), "panoptic", r"training/v1\.2: no such folder; name the"),
    (
        lambda root: shutil.rmtree(root / "training/v1.2/panoptic"),
        "panoptic",
        r"v1\.2/panoptic: no such folder; unpack it, or convert the instances",
    ),
    (
        lambda root: shutil.rmtree(root / "training/v1.2/instances"),
        "instances",
        r"v1\.2/instances: no such folder",
    ),
    (lambda root: shutil.rmtree(root / "training/images"), "instances", r"training/images: no such folder"),
    (lambda root: (root / PNG).unlink(), "instances", r"instances: no \*\.png in it"),
    (lambda root: (root / PANOPTIC).unlink(), "panoptic", r"panoptic_2018\.json: no such file"),
    (lambda root: (root / PANOPTIC).write_text("{"), "panoptic", r"2018\.json: is not valid JSON"),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["annotations"][0].update(file_name="../a.png")),
        "panoptic",
        r"annotations\[0\]\.file_name: '\.\./a\.png' leaves its folder",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["annotations"][0]["segments_info"].pop()),
        "panoptic",
        r"png: segment 11 has pixels but is not in segments_info",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["categories"].pop()),
        "panoptic",
        r"category_id: 4 is not among the categories",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["images"][0].update(width=9)),
        "panoptic",
        r"is 4x3 pixels, but images says 9x3",
    ),
    (
        lambda root: (root / f"training/images/{NAME}.jpg").unlink(),
        "instances",
        r"images/.*jpg: no such image",
    ),
    (
        lambda root: save(root / f"training/images/{NAME}.jpg", np.zeros((2, 4, 3), np.uint8)),
        "instances",
        r"is 4x3 pixels, but its photo .* is 4x2",
    ),
    (
        lambda root: save(root / PNG, VALUES.astype(np.uint8)),
        "instances",
        "one channel of 16 bits is expected",
    ),
    (
        lambda root: save(root / PNG, np.zeros((3, 4, 3), np.uint8)),
        "instances",
        "one channel of 16 bits is expected",
    ),
    (
        lambda root: save(root / PNG, np.full((3, 4), 1025, np.uint16)),
        "instances",
        r"has the value 1025, which is of class 4, but the config file has classes 0\.\.3",
    ),
    (lambda root: (root / PNG).write_bytes(b"\x89PNG\r\n\x1a\n"), "instances", "the PNG is truncated"),
    (lambda root: (root / "config_v1.2.json").unlink(), "instances", r"config_v1\.2\.json: no such file"),
    (
        lambda root: (root / "config_v1.2.json").write_text("[]"),
        "panoptic",
        "labels: the list of classes is missing",
    ),
    (lambda root: write_config(root / "config_v1.2.json", [1]), "instances", r"labels\[0\]: an object with"),
]
FAULTS += [
    (
        lambda root, key=key, value=value: write_config(  # type: ignore[misc]
            root / "config_v1.2.json", [LABELS[0], {**LABELS[1], key: value}]
        ),
        "instances",
        rf"config_v1\.2\.json: labels\[1\]\.{key}: {message}",
    )
    for key, value, message in [
        ("name", 5, "a text is expected, got 5"),
        ("readable", "", "a text is expected"),
        ("instances", 1, "true or false is expected, got 1"),
        ("evaluate", None, "true or false is expected"),
        ("color", [1, 2], "three whole numbers"),
        ("color", [1, 2, 256], "three whole numbers"),
    ]
]


@pytest.mark.parametrize(("change", "source", "message"), FAULTS)
def test_faults(
    root: Path, tmp_path: Path, change: Callable[[Path], object], source: VistasSource, message: str
) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        mapillary_to_panoptic(root, tmp_path / "new" / "out.json", source=source)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"version": "v3"}, ConfigError, r"version: 'v3' is unknown; choose among v1\.2, v2\.0"),
        (
            {"source": "labels"},
            ConfigError,
            r"source \(--from\): 'labels' is unknown; choose among panoptic, instances",
        ),
        ({"split": "../training"}, DataError, "is no name of a folder"),
    ],
)
def test_unknown_choices(
    root: Path, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mapillary_to_panoptic(root, tmp_path / "out.json", **arguments)


def test_what_is_read_is_not_replaced(root: Path) -> None:
    with pytest.raises(OutputError, match="is what is converted"):
        mapillary_to_panoptic(root, root / "training/v1.2/panoptic.json", overwrite=True)
