"""A set cut down to categories or images; what is left out becomes void."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import CAT, DOG, GRASS, SKY, ToyImage, ToySegment, write_panoptic_set
from spatialflow.data.check import check_dataset
from spatialflow.data.splitting import open_set, read_image_list, split_names, subset_set
from spatialflow.errors import DataError, OutputError
from spatialflow.image_io import read_id_png

IMAGES = (
    ToyImage("a", segments=(ToySegment(SKY, (0, 0, 64, 20)), ToySegment(CAT, (10, 8, 40, 30)))),
    ToyImage("b", segments=(ToySegment(GRASS, (0, 0, 64, 20)), ToySegment(DOG, (10, 8, 40, 30)))),
    ToyImage("c", segments=(ToySegment(SKY, (0, 0, 64, 20)), ToySegment(DOG, (9, 9, 20, 20), is_crowd=True))),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_panoptic_set(tmp_path, IMAGES)


@pytest.fixture
def out(path: Path) -> Path:
    return path.with_name("out.json")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_categories(path: Path, out: Path) -> None:
    assert subset_set(open_set(path), out, ["dog"]) == 2
    content = read(out)
    assert [image["file_name"] for image in content["images"]] == ["b.png", "c.png"]
    assert [category["name"] for category in content["categories"]] == ["dog"]
    assert [len(annotation["segments_info"]) for annotation in content["annotations"]] == [1, 1]
    for image in IMAGES[1:]:
        expected = np.where(image.id_map() == 1002, 1002, 0)
        assert np.array_equal(read_id_png(out.with_suffix("") / f"{image.name}.png"), expected)
        assert np.array_equal(read_id_png(path.with_suffix("") / f"{image.name}.png"), image.id_map())
    assert not check_dataset(out).has_errors


def test_the_others_may_be_kept(path: Path, out: Path) -> None:
    assert subset_set(open_set(path), out, ["dog"], keep_others=True) == 2
    content, whole = read(out), read(path)
    assert content["categories"] == whole["categories"]
    assert content["annotations"] == whole["annotations"][1:]
    assert (out.with_suffix("") / "b.png").samefile(path.with_suffix("") / "b.png")


def test_images_by_name_or_id(path: Path, out: Path) -> None:
    assert subset_set(open_set(path), out, images=["c.png", "1"]) == 2
    content, whole = read(out), read(path)
    assert content["images"] == [whole["images"][0], whole["images"][2]]
    assert content["annotations"] == [whole["annotations"][0], whole["annotations"][2]]
    assert content["categories"] == whole["categories"]


def test_images_and_categories(path: Path, out: Path) -> None:
    assert subset_set(open_set(path), out, ["dog", "sky"], ["a.png", "b.png"]) == 2
    shown = [[s["category_id"] for s in a["segments_info"]] for a in read(out)["annotations"]]
    assert shown == [[SKY], [DOG]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ["dgo"]}, "there is no 'dgo'; did you mean 'dog'"),
        ({"categories": ["xyz"]}, "there is no 'xyz'; choose among cat, dog, grass, sky"),
        ({"images": ["z.png"]}, "none has the file name or id 'z.png'"),
        ({"categories": ["cat"], "images": ["b.png"]}, "no image would be left"),
        ({"categories": []}, "no image would be left"),
    ],
)
def test_nothing_to_keep(options: dict[str, Any], message: str, path: Path, out: Path) -> None:
    with pytest.raises(DataError, match=message):
        subset_set(open_set(path), out, **options)
    assert not out.exists()


def test_names_of_outputs(path: Path, out: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.json"):
        subset_set(open_set(path), out.with_suffix(".txt"), ["dog"])
    with pytest.raises(OutputError, match="is there already"):
        subset_set(open_set(path), path, ["dog"])
    out.with_suffix("").mkdir()
    subset_set(open_set(path), out, ["dog"])  # into an empty folder


def test_names_with_commas(tmp_path: Path) -> None:
    names = ["column, pillar", "cat"]
    categories = [{"id": i, "name": name, "isthing": 1} for i, name in enumerate(names, 1)]
    image = ToyImage("a", segments=(ToySegment(1, (0, 0, 9, 9)),))
    source = open_set(write_panoptic_set(tmp_path, [image], categories=categories))
    assert split_names(source, "column, pillar") == ["column, pillar"]
    assert split_names(source, "cat, dog,") == ["cat", "dog"]


def test_a_list_of_images(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\ufeffä b.jpg\r\n\n  12 \n", encoding="utf-8")
    assert read_image_list(path) == ["ä b.jpg", "12"]
    path.write_text("\n")
    with pytest.raises(DataError, match="the list is empty"):
        read_image_list(path)
    path.write_bytes(b"\xff\xfe")
    for other in (path, tmp_path, tmp_path / "none.txt"):
        with pytest.raises(DataError, match="cannot be read"):
            read_image_list(other)
