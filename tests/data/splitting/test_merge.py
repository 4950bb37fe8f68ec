"""Two sets made one: categories, ids, names, folders, licences."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import (
    CAT,
    CATEGORIES,
    DOG,
    GRASS,
    ToyImage,
    ToySegment,
    edit_json,
    pack_folder,
    write_panoptic_set,
)
from spatialflow.categories import Categories
from spatialflow.data.check import check_dataset
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.splitting import merge_sets, open_set, read_label_map
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png

OTHER = [
    {"id": 3, "name": "kitten", "isthing": 1, "color": [1, 2, 3]},
    {"id": 8, "name": "dog", "isthing": 1},
    {"id": 20, "name": "lawn", "isthing": 0},
    {"id": 21, "name": "meadow", "isthing": 0},
]
IN_A = (
    ToyImage("a"),
    ToyImage("b", segments=(ToySegment(GRASS, (0, 0, 64, 9)), ToySegment(DOG, (9, 9, 30, 40)))),
)
IN_B = (
    ToyImage("b", (50, 64), (ToySegment(3, (0, 0, 20, 20)), ToySegment(8, (20, 20, 40, 40)))),
    ToyImage(
        "c",
        (50, 64),
        (ToySegment(20, (0, 0, 20, 9)), ToySegment(21, (30, 5, 40, 25)), ToySegment(3, (0, 30, 9, 40))),
    ),
)
MAP = {"kitten": "cat", "lawn": "grass", "meadow": "grass"}


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    return write_panoptic_set(tmp_path / "A", IN_A), write_panoptic_set(
        tmp_path / "B", IN_B, categories=OTHER
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def merge(sets: tuple[Path, Path], out: Path, names: Any = MAP, **options: Any) -> Any:
    result = merge_sets(open_set(sets[0]), open_set(sets[1]), out, (names, names), **options)
    return result, read(out)


def test_the_readers_take_it_without_options(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "both.json"
    result, content = merge(sets, out)
    assert result.images == tmp_path
    assert result.counts == (2, 2)
    assert content["categories"] == CATEGORIES
    assert not check_dataset(out).has_errors
    dataset = CocoPanoptic(out, Categories.from_json(CATEGORIES), scales=[(64, 48)])
    for index, image in enumerate((*IN_A, *IN_B)):
        original = dataset.original(index)
        assert np.array_equal(original.image.permute(1, 2, 0).numpy(), image.pixels())
        assert np.array_equal(original.target.id_map.numpy() != 0, image.id_map() != 0)


def test_ids_and_names_that_both_have(sets: tuple[Path, Path], tmp_path: Path) -> None:
    result, content = merge(sets, tmp_path / "both.json")
    assert (result.renumbered, result.renamed) == (2, 1)
    assert [image["id"] for image in content["images"]] == [1, 2, 3, 4]
    assert [a["image_id"] for a in content["annotations"]] == [1, 2, 3, 4]
    pngs = [a["file_name"] for a in content["annotations"]]
    assert pngs == ["a.png", "b.png", "panoptic_toy_b.png", "c.png"]
    assert [image["file_name"] for image in content["images"]] == [
        "A/images/a.png",
        "A/images/b.png",
        "B/images/b.png",
        "B/images/c.png",
    ]


def test_a_new_name_is_not_that_of_a_later_png(sets: tuple[Path, Path], tmp_path: Path) -> None:
    folder = sets[1].with_suffix("")
    (folder / "c.png").rename(folder / "panoptic_toy_b.png")
    edit_json(sets[1], lambda c: c["annotations"][1].update(file_name="panoptic_toy_b.png"))
    _, content = merge(sets, tmp_path / "both.json")
    pngs = [a["file_name"] for a in content["annotations"]]
    assert pngs == ["a.png", "b.png", "panoptic_toy2_b.png", "panoptic_toy_b.png"]
    assert not check_dataset(tmp_path / "both.json").has_errors


def test_ids_that_only_one_has_stay(sets: tuple[Path, Path], tmp_path: Path) -> None:
    edit_json(sets[1], lambda c: [c["images"][0].update(id="x"), c["annotations"][0].update(image_id="x")])
    result, content = merge(sets, tmp_path / "both.json")
    assert result.renumbered == 1
    assert [image["id"] for image in content["images"]] == [1, 2, "x", 3]


def test_stuff_that_becomes_one_class_becomes_one_segment(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "both.json"
    _, content = merge(sets, out)
    segments = content["annotations"][3]["segments_info"]
    assert segments == [
        {"id": 1001, "category_id": GRASS, "iscrowd": 0, "area": 180 + 200, "bbox": [0, 0, 40, 25]},
        {"id": 1003, "category_id": CAT, "iscrowd": 0, "area": 90, "bbox": [0, 30, 9, 10]},
    ]
    before = IN_B[1].id_map()
    assert np.array_equal(read_id_png(out.with_suffix("") / "c.png"), np.where(before == 1002, 1001, before))


def test_a_category_without_a_new_name_is_left_out(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "both.json"
    _, content = merge(sets, out, {**MAP, "dog": None})
    assert [c["name"] for c in content["categories"]] == ["cat", "grass", "sky"]
    assert [len(a["segments_info"]) for a in content["annotations"]] == [2, 1, 1, 2]
    assert set(np.unique(read_id_png(out.with_suffix("") / "b.png"))) == {0, 1001}
    assert not check_dataset(out).has_errors


def test_without_a_map_names_decide_and_ids_are_kept_if_they_can(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    _, content = merge(sets, tmp_path / "both.json", {})
    names = {c["name"]: c["id"] for c in content["categories"]}
    # ids 3, 20 and 21 of B are those of other categories of A
    assert names == {"cat": 3, "dog": 7, "grass": 20, "sky": 21, "kitten": 22, "lawn": 23, "meadow": 24}
    assert [s["category_id"] for s in content["annotations"][2]["segments_info"]] == [22, 7]
    assert content["categories"][4]["color"] == [1, 2, 3]


def test_one_folder_of_photos_needs_no_new_names(tmp_path: Path) -> None:
    first = write_panoptic_set(tmp_path, IN_A[:1], "panoptic_a")
    second = write_panoptic_set(tmp_path, IN_A[1:], "panoptic_b")
    result, content = merge((first, second), tmp_path / "annotations/both.json", {})
    assert result.images == tmp_path / "images"
    assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png"]
    assert not check_dataset(tmp_path / "annotations/both.json").has_errors


def test_a_photo_in_both_is_refused(tmp_path: Path) -> None:
    first = write_panoptic_set(tmp_path, IN_A, "panoptic_a")
    second = write_panoptic_set(tmp_path, IN_A[1:], "panoptic_b")
    with pytest.raises(
        DataError, match=r"panoptic_b\.json: images: 1 photos are in .*, such as b\.png; leave"
    ):
        merge((first, second), tmp_path / "both.json", {})


def test_a_folder_elsewhere(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "new/both.json"
    result, _ = merge(sets, out)
    assert result.images == tmp_path
    assert not check_dataset(out, images=result.images).has_errors


def test_photos_that_are_nowhere(sets: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "B/images")
    with pytest.raises(DataError, match="its photos were not found; name their folder with --images-b"):
        merge(sets, tmp_path / "both.json")


def test_licenses_of_both(sets: tuple[Path, Path], tmp_path: Path) -> None:
    by, nc = {"id": 1, "name": "BY"}, {"id": 1, "name": "NC"}
    edit_json(sets[0], lambda c: (c.update(licenses=[by]), c["images"][0].update(license=1)))
    edit_json(
        sets[1], lambda c: (c.update(licenses=[nc, {**by, "id": 2}, "x"]), c["images"][0].update(license=1))
    )
    edit_json(sets[1], lambda c: c["images"][1].update(license=2))
    _, content = merge(sets, tmp_path / "both.json")
    assert content["licenses"] == [by, {**nc, "id": 2}]
    assert [image.get("license") for image in content["images"]] == [1, None, 2, 1]


def test_thing_and_stuff_of_one_name(sets: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'kitten' cannot become 'sky', since one is a thing"):
        merge(sets, tmp_path / "both.json", {"kitten": "sky"})
    everything = {c["name"]: None for c in (*CATEGORIES, *OTHER)}
    with pytest.raises(DataError, match="leaves out all"):
        merge(sets, tmp_path / "both.json", everything)
    assert not (tmp_path / "both.json").exists()


def test_a_map_for_both_or_for_each(sets: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("kitten: cat\ndog:\n")
    assert read_label_map(path) == ({"kitten": "cat", "dog": None},) * 2
    path.write_text("A: {dog: wolf}\nB: {kitten: cat}\n")
    maps = read_label_map(path)
    assert maps == ({"dog": "wolf"}, {"kitten": "cat"})
    merge_sets(open_set(sets[0]), open_set(sets[1]), tmp_path / "both.json", maps)
    names = {c["name"] for c in read(tmp_path / "both.json")["categories"]}
    assert names == {"cat", "wolf", "dog", "grass", "sky", "lawn", "meadow"}
    path.write_text("A: cat\n")  # a category of that name
    assert read_label_map(path) == ({"A": "cat"},) * 2


@pytest.mark.parametrize(
    "text", ["", "[]", "cat", "1: cat", "cat: 1", "no: cat", "cat: ' '", "cat: [dog]", "A: {1: cat}"]
)
def test_no_label_map(text: str, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"map\.yaml: "):
        read_label_map(path)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"kiten": "cat"}, r"no category 'kiten' in .*A.* or .*B.*; did you mean 'kitten'"),
        ({"zzz": "cat"}, "no category 'zzz' in .*; correct the map"),
    ],
)
def test_a_map_of_unknown_names(
    maps: dict[str, str], message: str, sets: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        merge(sets, tmp_path / "both.json", maps)
    with pytest.raises(DataError, match=r"no category 'kitten' in .*A"):
        merge_sets(open_set(sets[0]), open_set(sets[1]), tmp_path / "both.json", ({"kitten": "cat"}, {}))


def test_photos_in_an_archive_that_both_have(sets: tuple[Path, Path], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(sets[0].parents[1] / "images", photos / "A")
    shutil.copytree(sets[1].parents[1] / "images", photos / "B")
    for path in sets:
        pack_folder(path.with_suffix(""), path.with_suffix(".zip"))
        pack_folder(path.parents[1] / "images", path.parents[1] / "images.zip")
        name = path.parents[1].name
        edit_json(path, lambda c, n=name: [i.update(file_name=f"{n}/{i['file_name']}") for i in c["images"]])
    both = pack_folder(photos, tmp_path / "photos.zip")
    opened = [open_set(path, both) for path in sets]
    result = merge_sets(*opened, tmp_path / "both.json", (MAP, MAP))
    assert str(result.images) == f"{both}/photos"
    assert not check_dataset(tmp_path / "both.json", both).has_errors


def test_photos_in_two_archives(sets: tuple[Path, Path], tmp_path: Path) -> None:
    for path in sets:
        pack_folder(path.parents[1] / "images", path.parents[1] / "images.zip")
    with pytest.raises(DataError, match=r"A/images\.zip/images: photos in a \.zip cannot be merged"):
        merge(sets, tmp_path / "both.json")
    assert not (tmp_path / "both.json").exists()
