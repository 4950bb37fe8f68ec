"""Folders of masks in each layout, to the pixel, and each fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_exports import (
    CAT,
    DOG,
    GRASS,
    SKY,
    category_map,
    id_map,
    write,
    write_classes,
    write_mask,
    write_photo,
)
from spatialflow.data.converters import ExportConversion, masks_to_panoptic
from spatialflow.errors import ConfigError, DataError
from spatialflow.files import read_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_classes(tmp_path)
    write_photo(tmp_path / "photos" / "a.jpg", (2, 4))
    write_photo(tmp_path / "photos" / "süß" / "b.c.png", (1, 2))
    (tmp_path / "masks").mkdir()
    return tmp_path


def convert(root: Path, **options: Any) -> ExportConversion:
    given = {"classes": root / "classes.yaml", "images": root / "photos"}
    return masks_to_panoptic(root / "masks", root / "out.json", **given | options)


LEFT, RIGHT, TOP = [[255, 0, 0, 0]] * 2, [[0, 0, 0, 1]] * 2, [[0, 7, 7, 0], [0, 0, 0, 0]]
LAYOUTS = [
    ["a/cat_1.png", "a/cat_02.png", "a/grass.png", "süß/b.c/sky.png"],
    ["cat/a_1.png", "cat/a_2.png", "grass/a.png", "sky/süß/b.c.png"],
]


@pytest.mark.parametrize("names", LAYOUTS)
def test_masks(root: Path, names: list[str]) -> None:
    for name, rows in zip(names, (LEFT, RIGHT, TOP, [[9, 9]]), strict=True):
        write_mask(root / "masks" / name, rows)
    result = convert(root)
    assert (result.images, result.segments, result.notes) == (2, 4, ())
    assert category_map(root / "out.json") == [[CAT, GRASS, GRASS, CAT], [CAT, 0, 0, CAT]]
    assert category_map(root / "out.json", 1) == [[SKY, SKY]]
    written = read_json(root / "out.json")
    assert [image["file_name"] for image in written["images"]] == ["a.jpg", "süß/b.c.png"]
    assert [a["file_name"] for a in written["annotations"]] == ["a.png", "süß/b.c.png"]
    assert len(written["annotations"][0]["segments_info"]) == 3


def test_maps_of_ids(root: Path) -> None:
    write_classes(root, "things: [{name: cat, id: 7}]\nstuff: [{name: sky, id: 300}]")
    write_mask(root / "masks" / "a.png", [[0, 7, 300, 300], [0, 7, 0, 300]], np.uint16)
    result = convert(root)
    assert category_map(root / "out.json") == [[0, 7, 300, 300], [0, 7, 0, 300]]
    assert result.notes == ("1 images have no shape and are void",)
    write_mask(root / "masks" / "a.png", [[0, 7, 255, 255], [0, 7, 0, 0]])
    with pytest.raises(DataError, match=r"a\.png: has the id 255, which no class .* \(7 cat, 300 sky\)"):
        convert(root)
    notes = convert(root, ignore_unknown=True).notes
    assert notes[0] == "1 shapes have labels that are not among the classes and are left out (id 255 1)"


def test_maps_with_the_id_0_and_palettes(root: Path) -> None:
    write_classes(root, "stuff: [{name: sky, id: 0}, {name: sea, id: 1}]")
    picture = Image.fromarray(np.array([[0, 1, 1, 1], [0, 0, 0, 1]], np.uint8)).convert("P")
    picture.putpalette([9, 9, 9, 200, 100, 0])
    picture.save(root / "masks" / "a.png")
    convert(root)
    assert [info["area"] for info in read_json(root / "out.json")["annotations"][0]["segments_info"]] == [
        4,
        4,
    ]


def test_maps_of_colours(root: Path) -> None:
    write_classes(root, "things: [{name: cat, color: '#ff0001'}]\nstuff: [{name: sky, color: [0, 0, 255]}]")
    rows = [[(255, 0, 1), (0, 0, 0), (0, 0, 255), (0, 0, 255)]] * 2
    write_mask(root / "masks" / "a.png", rows)
    convert(root)
    assert category_map(root / "out.json") == [[1, 0, 2, 2]] * 2
    rows[0][1] = (255, 0, 0)
    write_mask(root / "masks" / "a.png", rows)
    with pytest.raises(DataError, match=r"has the colour #ff0000, which .*\(#ff0001 cat, #0000ff sky\)"):
        convert(root)
    write_classes(root, "things: [{name: cat, color: '#ff0001'}]\nstuff: [{name: sky, color: '#ff0001'}]")
    with pytest.raises(DataError, match="two classes have one colour"):
        convert(root)


def test_a_name_that_ends_in_a_number(root: Path) -> None:
    """cat_2 is a class of its own, and 2 a photo's name, before either is a number."""
    write_classes(root, "things: [cat, cat_2]")
    write_photo(root / "photos" / "a_2.jpg", (2, 4))
    write_mask(root / "masks" / "a" / "cat_2.png", LEFT)
    write_mask(root / "masks" / "a" / "cat_2_1.png", RIGHT)
    write_mask(root / "masks" / "a_2" / "cat_3.png", LEFT)
    convert(root)
    assert category_map(root / "out.json")[0] == [2, 0, 0, 2]
    assert category_map(root / "out.json", 1)[0] == [1, 0, 0, 0]
    for path in sorted(root.glob("masks/*/*")):
        path.unlink()
    write_mask(root / "masks" / "cat" / "a_2.png", LEFT)
    write_mask(root / "masks" / "cat" / "a_2_7.png", RIGHT)
    write_mask(root / "masks" / "cat" / "a_1.png", RIGHT)
    convert(root)
    assert [len(a["segments_info"]) for a in read_json(root / "out.json")["annotations"]] == [1, 2, 0]


def test_split(root: Path) -> None:
    """Corners touch; stuff stays whole."""
    write_mask(root / "masks" / "a" / "cat.png", [[1, 0, 0, 0], [0, 1, 0, 1]])
    write_mask(root / "masks" / "a" / "sky.png", [[0, 0, 1, 0], [1, 0, 0, 0]])
    convert(root)
    assert id_map(root / "out.json") == [[1, 0, 2, 0], [2, 1, 0, 1]]
    convert(root, split=True)
    assert id_map(root / "out.json") == [[1, 0, 3, 0], [3, 1, 0, 2]]


def test_overlap(root: Path) -> None:
    write_mask(root / "masks" / "a" / "cat.png", [[1, 1, 1, 0]] * 2)
    write_mask(root / "masks" / "a" / "dog.png", [[0, 1, 1, 1]] * 2)
    with pytest.raises(DataError, match=r"image 1 \(a\.jpg\): 4 pixels are in more than one segment"):
        convert(root)
    assert convert(root, overlap="order").overlapping == 4
    assert category_map(root / "out.json")[0] == [CAT, DOG, DOG, DOG]


@pytest.mark.parametrize(
    "rows",
    [
        [[(0, 0, 0), (0, 1, 0), (255, 255, 255), (0, 0, 0)]] * 2,
        [[(9, 9, 9, 0), (0, 1, 0, 255), (255, 255, 255, 1), (0, 0, 0, 255)]] * 2,
        [[(9, 0), (1, 255), (255, 1), (0, 255)]] * 2,
        [[0, 1, 300, 0]] * 2,
    ],
)
def test_masks_of_several_channels(root: Path, rows: Any) -> None:
    write_mask(root / "masks" / "a" / "cat.png", rows, np.uint16 if rows[0][2] == 300 else np.uint8)
    convert(root)
    assert category_map(root / "out.json")[0] == [0, CAT, CAT, 0]


def test_masks_inside_the_folder_of_photos_and_the_other_way(root: Path) -> None:
    write_mask(root / "photos" / "masks" / "a" / "cat.png", LEFT)
    options = {"classes": root / "classes.yaml", "images": root / "photos"}
    assert masks_to_panoptic(root / "photos" / "masks", root / "out.json", **options).images == 2
    (root / "photos").rename(root / "masks" / "photos")
    (root / "masks" / "photos" / "masks" / "a").rename(root / "masks" / "a")
    assert convert(root, images=root / "masks" / "photos").images == 2
    with pytest.raises(DataError, match="has the photos, too"):
        convert(root, images=root / "masks")


def test_nothing(root: Path) -> None:
    """Masks of another format are no masks."""
    with pytest.raises(DataError, match="there is no mask in it: masks are PNGs, which keep values"):
        convert(root)
    write(root / "masks" / "a" / "cat.jpg", "x")
    with pytest.raises(DataError, match=r"; a/cat\.jpg is none"):
        convert(root)


def test_other_files(root: Path) -> None:
    write(root / "masks" / "read.me", "x")
    write(root / "masks" / ".DS_Store", "x")
    write_mask(root / "masks" / "a" / "cat.png", [[1, 0, 0, 0]] * 2)
    result = convert(root)
    assert result.notes == (
        "1 images have no shape and are void",
        "1 files are no annotations and are left out (read.me 1)",
    )


def test_things_lie_over_stuff_by_order(root: Path) -> None:
    """Whatever the files are called."""
    write_mask(root / "masks" / "a" / "cat.png", [[0, 1, 1, 0]] * 2)
    write_mask(root / "masks" / "a" / "sky.png", [[1, 1, 1, 1]] * 2)
    convert(root, overlap="order")
    assert category_map(root / "out.json")[0] == [SKY, CAT, CAT, SKY]


def test_turned_photos(root: Path) -> None:
    """Masks of the size as stored, or upright."""
    write_photo(root / "photos" / "a.jpg", (2, 4), orientation=6)
    for rows in (np.ones((2, 4)), np.ones((4, 2))):
        write_mask(root / "masks" / "a" / "cat.png", rows)
        convert(root)
        assert np.shape(id_map(root / "out.json")) == rows.shape


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (lambda masks: write_mask(masks / "a" / "cat.png", [[1]]), r"cat\.png: says 1x1 pixels, but its photo"),
    (
        lambda masks: write_mask(masks / "a" / "catt_1.png", LEFT),
        r"catt_1\.png: the class: 'catt' is not .* mean 'cat'\?",
    ),
    (
        lambda masks: write_mask(masks / "b" / "cat.png", LEFT),
        r"cat\.png: is of no photo in .*photos;",
    ),
    (lambda masks: write(masks / "a" / "cat.png", "no PNG"), r"cat\.png: is not a PNG"),
    (
        lambda masks: write_photo(masks.parent / "photos" / "a.png"),
        r"photos: a\.jpg and a\.png differ only in the suffix",
    ),
    (lambda masks: masks.rmdir(), "masks: no such folder of masks"),
    (lambda masks: (masks.parent / "photos").rename(masks / "x"), "photos: no such folder of photos"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(root: Path, change: Callable[[Path], object], message: str) -> None:
    change(root / "masks")
    with pytest.raises(DataError, match=message):
        convert(root)
    assert not list(root.glob("out*"))


def test_layout_by_name(root: Path) -> None:
    write_mask(root / "masks" / "a.png", [[1, 0, 0, 0]] * 2)
    assert convert(root, layout="labels").segments == 1
    with pytest.raises(DataError, match="is of no photo"):
        convert(root, layout="photos")
    with pytest.raises(ConfigError, match="layout: 'some' is unknown; choose among auto, photos"):
        convert(root, layout="some")
