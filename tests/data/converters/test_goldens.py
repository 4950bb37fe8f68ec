"""Equal to what the original's converters wrote of panopticapi's two sample images.

The original's two-channel input is not at hand; it is made here from the ground truth, in the same order. Its
detection input is not either; its content is that of the file it writes itself.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spatialflow.data.converters import (
    detection_to_panoptic,
    panoptic_to_detection,
    panoptic_to_semantic,
    two_channel_to_panoptic,
)
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_id_png

IMAGE_IDS = (142238, 439180)


@pytest.fixture(scope="module")
def golden(reference: Path) -> Path:
    return reference / "public" / "converters"


@pytest.fixture
def pngs(shared_data: Path) -> Path:
    return shared_data / "coco" / "annotations" / "panoptic_real"


@pytest.fixture
def source(pngs: Path, tmp_path: Path) -> Path:
    """The official ground truth of the two images."""
    content = read_json(pngs.with_suffix(".json"))
    images = {image["id"]: image for image in content["images"]}
    annotations = {entry["image_id"]: entry for entry in content["annotations"]}
    content["images"] = [images[i] for i in IMAGE_IDS]
    content["annotations"] = [annotations[i] for i in IMAGE_IDS]
    write_json(tmp_path / "two.json", content)
    return tmp_path / "two.json"


def pixels(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def ids_and_names(content: dict[str, Any]) -> list[tuple[int, str]]:
    return [(category["id"], category["name"]) for category in content["categories"]]


@pytest.mark.parametrize("name", ["p2d_all", "p2d_things_only"])
def test_panoptic_to_detection(golden: Path, source: Path, pngs: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.json"
    panoptic_to_detection(source, out, segments=pngs, things_only=name == "p2d_things_only")
    ours, theirs = read_json(out), read_json(golden / f"{name}.json")
    assert ours["annotations"] == theirs["annotations"]
    assert ids_and_names(ours) == ids_and_names(theirs)
    assert [image["id"] for image in ours["images"]] == [image["id"] for image in theirs["images"]]


@pytest.mark.parametrize("name", ["p2s", "p2s_things_other"])
def test_panoptic_to_semantic(golden: Path, source: Path, pngs: Path, tmp_path: Path, name: str) -> None:
    things_other = name == "p2s_things_other"
    for out in (tmp_path / "out.json", tmp_path / "out"):
        panoptic_to_semantic(source, out, segments=pngs, things_other=things_other)
    ours, theirs = read_json(tmp_path / "out.json"), read_json(golden / f"{name}.json")
    assert ours["annotations"] == theirs["annotations"]
    assert ids_and_names(ours) == ids_and_names(theirs)
    expected = sorted((golden / f"{name}_pngs").iterdir())
    assert len(expected) == len(list((tmp_path / "out").iterdir())) == 2
    for png in expected:
        np.testing.assert_array_equal(pixels(tmp_path / "out" / png.name), pixels(png))


def assert_same_panoptic(out: Path, golden: Path, name: str, fields: set[str]) -> None:
    ours, theirs = read_json(out), read_json(golden / f"{name}.json")
    assert ids_and_names(ours) == ids_and_names(theirs)
    for one, other in zip(ours["annotations"], theirs["annotations"], strict=True):
        assert (one["image_id"], one["file_name"]) == (other["image_id"], other["file_name"])
        without_id = [
            [{key: info[key] for key in fields} for info in entry["segments_info"]] for entry in (one, other)
        ]
        assert without_id[0] == without_id[1]
        index = pixels(golden / f"{name}_index" / other["file_name"])
        np.testing.assert_array_equal(read_id_png(out.with_suffix("") / one["file_name"]), index)
        assert [info["id"] for info in one["segments_info"]] == list(range(1, index.max() + 1))


def test_detection_to_panoptic(golden: Path, tmp_path: Path) -> None:
    detection_to_panoptic(golden / "p2d_all.json", tmp_path / "out.json")
    fields = {"area", "bbox", "category_id", "iscrowd"}
    assert_same_panoptic(tmp_path / "out.json", golden, "d2p", fields)


def test_two_channel(golden: Path, source: Path, pngs: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    for entry in json.loads(source.read_text())["annotations"]:
        ids = read_id_png(pngs / entry["file_name"])
        channels = np.zeros((*ids.shape, 3), np.uint8)
        for number, info in enumerate(entry["segments_info"]):
            channels[ids == info["id"]] = (info["category_id"], number, 0)
        Image.fromarray(channels).save(tmp_path / "two" / entry["file_name"])
    two_channel_to_panoptic(source, tmp_path / "two", tmp_path / "out.json")
    assert_same_panoptic(tmp_path / "out.json", golden, "c2p", {"category_id"})
