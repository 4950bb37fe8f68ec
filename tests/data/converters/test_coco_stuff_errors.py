"""COCO's things and stuff to panoptic: what is wrong with the files, in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from make_coco_stuff import (
    IMAGES,
    annotation,
    box,
    toy_stuff,
    toy_things,
    write,
    write_map,
)
from spatialflow.data.converters import coco_stuff_to_panoptic
from spatialflow.errors import DataError, OutputError
from spatialflow.files import write_json


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    return write(tmp_path / "instances.json", *toy_things())


@pytest.fixture
def stuff(tmp_path: Path) -> Path:
    return write(tmp_path / "stuff.json", *toy_stuff())


Change = Callable[[Path], object]
FAULTS: list[tuple[Change, str]] = [
    (lambda d: (d / "stuff.json").unlink(), r"stuff\.json: no such file"),
    (lambda d: (d / "instances.json").write_text("{"), r"instances\.json: is not valid JSON"),
    (lambda d: write_json(d / "stuff.json", []), r"stuff\.json: images: the key is missing"),
    (lambda d: write(d / "stuff.json", annotations=None), r"stuff\.json: annotations: the list is missing"),
    (
        lambda d: write(d / "instances.json", *toy_stuff()),
        r"instances\.json: annotations\[0\]\.category_id: 94 is none of COCO's things \(instances_\*\.json\)",
    ),
    (
        lambda d: write(d / "stuff.json", *toy_things()),
        r"stuff\.json: annotations\[0\]\.category_id: 18 is none of COCO's stuff",
    ),
    (lambda d: write(d / "stuff.json", annotation(184, box(0, 0, 1, 1))), "184 is none of COCO's stuff"),
    (
        lambda d: write(d / "stuff.json", {"image_id": 5, "category_id": "92"}),
        r"annotations\[0\]\.category_id: a whole number is expected, got '92'",
    ),
    (
        lambda d: write(d / "instances.json", annotation(1, box(0, 0, 1, 1), image_id=6)),
        r"annotations\[0\]\.image_id: 6 is not the id of any entry",
    ),
    (
        lambda d: write(d / "stuff.json", annotation(92, np.ones((2, 2), np.bool_))),
        r"stuff\.json: annotations\[0\]\.segmentation\.size: \[4, 6\]",
    ),
    (
        lambda d: write(d / "instances.json", categories=[{"id": 1, "name": "boat"}]),
        r"instances\.json: categories: id 1 is 'boat' there, but 'person' in COCO; give COCO's file of",
    ),
    (
        lambda d: write(d / "stuff.json", categories=[{"id": 94, "name": "boat"}]),
        r"stuff\.json: categories: id 94 is 'boat' there, but 'branch' in COCO; give COCO's file of stuff",
    ),
    (
        lambda d: write(d / "stuff.json", images=[{**IMAGES[0], "id": 6}]),
        r"stuff\.json: images: none is in .*instances\.json, too; give files of one split",
    ),
    (
        lambda d: write(d / "stuff.json", images=[{**IMAGES[0], "height": 5}]),
        r"stuff\.json: images: id 5 is 000000000005\.jpg, 6x5, but in .* 000000000005\.jpg, 6x4",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(instances: Path, stuff: Path, tmp_path: Path, change: Change, message: str) -> None:
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        coco_stuff_to_panoptic(instances, stuff, tmp_path / "new" / "out.json")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 6), 182, np.uint8), r"maps/000000000005\.png: has the value 182, but stuffthingmaps"),
        (np.zeros((4, 5), np.uint8), "is 5x4 pixels, but images says 6x4"),
        (np.zeros((4, 6, 3), np.uint8), "one channel of 8 bits is expected"),
        (np.zeros((4, 6), np.uint16), "one channel of 8 bits is expected"),
    ],
)
def test_faults_of_maps(instances: Path, tmp_path: Path, values: NDArray[Any], message: str) -> None:
    maps = write_map(tmp_path / "maps", values)
    with pytest.raises(DataError, match=message):
        coco_stuff_to_panoptic(instances, maps, tmp_path / "new" / "out.json")
    assert not (tmp_path / "new").exists()


def test_missing_map(instances: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    with pytest.raises(DataError, match=r"maps/000000000005\.png: no such PNG"):
        coco_stuff_to_panoptic(instances, tmp_path / "maps", tmp_path / "out.json")


def test_what_is_read_is_not_replaced(instances: Path, stuff: Path, tmp_path: Path) -> None:
    for path in (instances, stuff):
        with pytest.raises(OutputError, match="is what is converted"):
            coco_stuff_to_panoptic(instances, stuff, path, overwrite=True)
    maps = write_map(tmp_path / "maps", np.full((4, 6), 255, np.uint8))
    with pytest.raises(OutputError, match="is what is converted"):
        coco_stuff_to_panoptic(instances, maps, tmp_path / "maps.json", overwrite=True)
