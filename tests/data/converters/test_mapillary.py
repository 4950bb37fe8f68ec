"""Mapillary Vistas to COCO panoptic: both things it ships, in files made as it has them, and each fault."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import edit_json
from make_vistas import CATEGORIES, IDS, LABELS, NAME, write_config, write_split
from spatialflow.categories import Categories
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import VistasSource, mapillary_to_panoptic
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png


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
