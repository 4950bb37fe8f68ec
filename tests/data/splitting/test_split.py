"""Training and validation as files that the readers take as they are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from make_data import (
    CAT,
    CATEGORIES,
    DOG,
    SKY,
    ToyImage,
    ToySegment,
    edit_json,
    pack_folder,
    write_panoptic_set,
)
from spatialflow.categories import Categories
from spatialflow.data.check import check_dataset
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.panoptic_json import read_truth
from spatialflow.data.splitting import open_set, split_set
from spatialflow.errors import DataError, OutputError


def animal(name: str, category: int) -> ToyImage:
    return ToyImage(name, segments=(ToySegment(SKY, (0, 0, 64, 20)), ToySegment(category, (10, 8, 40, 30))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    images = [animal(f"{i:02}", DOG if i < 2 else CAT) for i in range(10)]
    return write_panoptic_set(tmp_path / "data", images)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_both_parts_together_are_the_set(path: Path) -> None:
    edit_json(path, lambda c: c.update(info={"year": 2026}, licenses=[{"id": 1}]))
    edit_json(path, lambda c: c["images"][3].update(license=1))
    train, val = split_set(open_set(path), path.parent, 0.3)
    assert (train.images, val.images) == (7, 3)
    assert (train.path, val.path) == (path.with_name("train.json"), path.with_name("val.json"))
    whole, parts = read(path), [read(train.path), read(val.path)]
    for key in ("images", "annotations"):
        entries = sorted(
            (entry for part in parts for entry in part[key]), key=lambda entry: entry["file_name"]
        )
        assert entries == whole[key]
        for part in parts:
            assert part[key] == sorted(part[key], key=lambda entry: entry["file_name"])  # in the file's order
    for key in ("info", "licenses", "categories"):
        assert parts[0][key] == parts[1][key] == whole[key]


def test_the_readers_take_the_parts_without_options(path: Path) -> None:
    parts = split_set(open_set(path), path.parent, 0.3)
    for part in parts:
        dataset = CocoPanoptic(part.path, Categories.from_json(CATEGORIES), scales=[(64, 48)], train=True)
        assert len([dataset[i] for i in range(len(dataset))]) == part.images
        assert not check_dataset(part.path).has_errors
    report = check_dataset(parts[0].path, validation=[parts[1].path])
    assert {row.kind.key for row in report.findings} == {"category-unused"}  # grass, which no image shows


def test_every_category_is_in_both_parts(path: Path) -> None:
    for seed in range(5):
        parts = split_set(open_set(path), path.parents[1] / str(seed), 0.2, seed)
        assert [part.lacks for part in parts] == [[], []]
        for part in parts:
            shown = {s.category_id for a in read_truth(part.path).annotations.values() for s in a.segments}
            assert shown == {CAT, DOG, SKY}


def test_what_a_part_lacks_is_told(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [animal("a", CAT), animal("b", DOG)])
    train, val = split_set(open_set(path), tmp_path / "out", 0.5)
    assert sorted([*train.lacks, *val.lacks]) == ["cat", "dog"]


def test_the_seed_alone_decides(path: Path) -> None:
    files = [
        split_set(open_set(path), path.parents[1] / name, 0.3, seed)[1].path.read_bytes()
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert files[0] == files[1] != files[2]


def test_pngs_are_links_where_they_can_be(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, _ = split_set(open_set(path), path.parents[1] / "links", 0.3)
    name = read(train.path)["annotations"][0]["file_name"]
    assert (train.path.with_suffix("") / name).samefile(path.with_suffix("") / name)

    def refuse(*arguments: Any) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    train, _ = split_set(open_set(path), path.parents[1] / "copies", 0.3)
    copy, original = train.path.with_suffix("") / name, path.with_suffix("") / name
    assert not copy.samefile(original)
    assert copy.read_bytes() == original.read_bytes()


def test_images_without_annotation_and_pngs_in_folders(path: Path) -> None:
    (path.with_suffix("") / "sub").mkdir()
    (path.with_suffix("") / "00.png").rename(path.with_suffix("") / "sub/00.png")
    edit_json(path, lambda c: c["annotations"][0].update(file_name="sub/00.png"))
    edit_json(path, lambda c: c["annotations"].pop())
    parts = split_set(open_set(path), path.parent, 0.3)
    assert sum(part.images for part in parts) == 10
    assert sum(len(read(part.path)["annotations"]) for part in parts) == 9
    assert not any(check_dataset(part.path).has_errors for part in parts)


def test_nothing_is_written_over(path: Path) -> None:
    before = path.read_bytes()
    source = open_set(path)
    split_set(source, path.parent, 0.3)
    with pytest.raises(OutputError, match=r"train\.json: is there already"):
        split_set(source, path.parent, 0.3)
    path.with_name("train.json").unlink()
    with pytest.raises(OutputError, match="train: is there already"):
        split_set(source, path.parent, 0.3)
    assert path.read_bytes() == before


def test_a_missing_png_leaves_nothing_behind(path: Path) -> None:
    (path.with_suffix("") / "05.png").unlink()
    out = path.parents[1] / "out"
    with pytest.raises(DataError, match=r"05\.png: no such panoptic PNG"):
        split_set(open_set(path), out, 0.3)
    assert not out.exists()


def test_no_source(path: Path, tmp_path: Path) -> None:
    one = write_panoptic_set(tmp_path / "one", [ToyImage("a")])
    with pytest.raises(DataError, match="there is one"):
        split_set(open_set(one), tmp_path / "out", 0.5)
    edit_json(one, lambda c: c.update(images=[], annotations=[]))
    with pytest.raises(DataError, match="the list is empty"):
        open_set(one)
    with pytest.raises(DataError, match="no such folder of photos"):
        open_set(path, images=tmp_path / "nowhere")
    edit_json(path, lambda c: c["annotations"][1].update(file_name="00.png"))
    with pytest.raises(DataError, match=r"1 PNGs are those of several images, such as 00\.png"):
        open_set(path)


def test_photos_need_not_be_there(path: Path) -> None:
    for photo in (path.parents[1] / "images").iterdir():
        photo.unlink()
    source = open_set(path)
    assert source.images is None
    assert split_set(source, path.parent, 0.3)[0].images == 7


def test_archives(path: Path) -> None:
    """Photos stay in theirs; PNGs come out of theirs, as they are."""
    folder, photos = path.with_suffix(""), path.parents[1] / "images"
    pngs = {png.name: png.read_bytes() for png in folder.iterdir()}
    pack_folder(folder, folder.with_suffix(".zip"))
    pack_folder(photos, photos.with_suffix(".zip"))
    source = open_set(path)
    assert str(source.images) == f"{photos}.zip/images"
    parts = split_set(source, path.parents[1] / "out", 0.3)
    written = [png for part in parts for png in part.path.with_suffix("").iterdir()]
    assert {png.name: png.read_bytes() for png in written} == pngs
    assert not check_dataset(parts[0].path, source.images).has_errors
