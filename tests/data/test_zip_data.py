"""Data sets whose photos and PNGs are in .zip files, as COCO publishes them: equal to those in folders."""

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from make_data import CATEGORIES, ToyImage, edit_json, pack_folder, write_panoptic_set
from spatialflow.categories import Categories
from spatialflow.config import DataConfig
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.datamodule import PanopticData
from spatialflow.data.listed_photos import ListedPhotos
from spatialflow.data.locating import guess_photo_folder, reader_overrides
from spatialflow.data.reading import find_images, photo_path, segments_folder
from spatialflow.errors import DataError
from spatialflow.structures import Batch

TOY = Categories.from_json(CATEGORIES)
IMAGES = [ToyImage(f"{i}", (64, 48) if i % 3 == 0 else (48, 64)) for i in range(7)]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """``annotations/panoptic_train2017.json`` and, as folders, all that it needs."""
    path = write_panoptic_set(tmp_path / "coco", IMAGES, "panoptic_train2017")
    (path.parent.parent / "images").rename(path.parent.parent / "train2017")
    return path


def pack_coco(path: Path) -> Path:
    """Pack photos and PNGs as COCO does."""
    pack_folder(path.with_suffix(""), path.with_suffix(".zip"))
    return pack_folder(path.parent.parent / "train2017", path.parent.parent / "train2017.zip")


def load(path: Path, **options: Any) -> list[Batch]:
    defaults = {"train_scales": ((64, 48), (96, 72)), "test_scale": (64, 48), "workers": 0, "val": str(path)}
    data = PanopticData(DataConfig.model_validate({"train": str(path)} | defaults | options), TOY)
    return [*data.train_dataloader(), *data.val_dataloader()]


def assert_equal(left: list[Batch], right: list[Batch]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert torch.equal(one.images, other.images)
        for a, b in zip(one.targets, other.targets, strict=True):
            assert a.file_name == b.file_name
            assert torch.equal(a.id_map, b.id_map)
            assert torch.equal(a.boxes, b.boxes)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_folders(coco: Path, workers: int) -> None:
    expected = load(coco)
    pack_coco(coco)
    assert_equal(load(coco, workers=workers), expected)


def test_workers_that_are_spawned_get_a_pickled_set(coco: Path) -> None:
    pack_coco(coco)
    photos = CocoPanoptic(coco, TOY, scales=((96, 72),))
    expected, found = photos[3], pickle.loads(pickle.dumps(photos))[3]
    assert torch.equal(found.image, expected.image)
    assert torch.equal(found.target.id_map, expected.target.id_map)


def test_folders_go_first(coco: Path) -> None:
    """Even beside an archive that is still being fetched."""
    expected = load(coco)
    coco.with_suffix(".zip").write_bytes(b"PK")
    (coco.parent.parent / "train2017.zip").write_bytes(b"PK")
    assert_equal(load(coco), expected)


@pytest.mark.parametrize(
    ("photos", "top", "named"),
    [
        ("photos.zip", "", "photos.zip"),
        ("photos.zip", "some folder", "photos.zip"),
        ("photos.zip", "a/b", "photos.zip/a/b"),
        ("photos.zip", "näh", "photos.zip/näh"),
    ],
)
def test_archives_that_are_named(coco: Path, tmp_path: Path, photos: str, top: str, named: str) -> None:
    expected = load(coco)
    pack_folder(coco.parent.parent / "train2017", tmp_path / photos, top)
    pack_folder(coco.with_suffix(""), tmp_path / "pngs.zip", top)
    options = {f"{split}_images": str(tmp_path / named) for split in ("train", "val")}
    pngs = str(tmp_path / named.replace("photos", "pngs"))
    options |= {f"{split}_segments": pngs for split in ("train", "val")}
    assert_equal(load(coco, **options), expected)


def test_names_with_folders(coco: Path) -> None:
    """Names that begin with the folder that is at the archive's top."""

    def change(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["file_name"] = f"train2017/{image['file_name']}"
        for annotation in content["annotations"]:
            annotation["file_name"] = f"panoptic_train2017/{annotation['file_name']}"

    edit_json(coco, change)
    options = {f"{split}_images": str(coco.parent.parent) for split in ("train", "val")}
    options |= {f"{split}_segments": str(coco.parent) for split in ("train", "val")}
    expected = load(coco, **options)
    assert_equal(load(coco, **{key: str(pack_coco_once(coco, key)) for key in options}), expected)


def pack_coco_once(path: Path, key: str) -> Path:
    folder = path.parent.parent / "train2017" if key.endswith("images") else path.with_suffix("")
    archive = folder.with_suffix(".zip")
    return archive if archive.exists() else pack_folder(folder, archive)


def test_listed_photos(coco: Path) -> None:
    listed = coco.with_name("image_info_train2017.json")
    shutil.copyfile(coco, listed)
    rng = np.random.default_rng(0)
    expected = [ListedPhotos(listed, None, (96, 72)).read(i, rng).image for i in range(len(IMAGES))]
    pack_coco(coco)
    photos = ListedPhotos(listed, None, (96, 72))
    assert [torch.equal(photos.read(i, rng).image, image) for i, image in enumerate(expected)] == [True] * 7


def test_cityscapes_own_names(tmp_path: Path) -> None:
    photo = tmp_path / "aachen" / "aachen_1_2_leftImg8bit.png"
    photo.parent.mkdir()
    photo.write_bytes(b"photo")
    archive = pack_folder(photo.parent, tmp_path / "leftImg8bit.zip", "leftImg8bit/train/aachen")
    folder = find_images(tmp_path / "x.json", "x", archive / "leftImg8bit" / "train")
    assert photo_path(folder, "aachen_1_2_gtFine_leftImg8bit.png").read_bytes() == b"photo"


def test_photos_of_every_kind(tmp_path: Path) -> None:
    """Turned by EXIF, grey, CMYK, with a palette: decoded from memory as from disk."""
    kinds = [("L", ".jpg", 1), ("CMYK", ".jpg", 1), ("RGB", ".jpg", 6), ("P", ".png", 1), ("RGB", ".tif", 3)]
    path = write_panoptic_set(
        tmp_path, [ToyImage(f"{i}", mode=m, suffix=s, orientation=o) for i, (m, s, o) in enumerate(kinds)]
    )
    expected = load(path)
    pack_folder(tmp_path / "images", tmp_path / "images.zip")
    assert_equal(load(path, workers=1), expected)


def damage(archive: Path, name: str) -> None:
    content = bytearray(archive.read_bytes())
    place = content.index(
        f"/{name}".encode()
    )  # the first is in front of the content, the second in the directory
    content[place + 60] ^= 0xFF
    archive.write_bytes(content)


def encrypt(archive: Path, name: str) -> None:
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(f"/{name}".encode()))
    content[entry + 8] |= 1
    archive.write_bytes(content)


def drop(archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as packed:
        files = {n: packed.read(n) for n in packed.namelist() if not n.endswith(name)}
    with zipfile.ZipFile(archive, "w") as packed:
        for n, content in files.items():
            packed.writestr(n, content)


def truncate(archive: Path, name: str) -> None:
    archive.write_bytes(archive.read_bytes()[:-9])


@pytest.mark.parametrize("of_photos", [True, False])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, r"2\.png: the \.zip is damaged or incomplete \(.*\); fetch it again"),
        (encrypt, r"2\.png: is encrypted; unpack the archive with its password"),
        (drop, r"holds no file .*train2017/2\.png \(its first is .*train2017/0\.png\); check file_name"),
        (truncate, r"train2017\.zip: the \.zip is damaged or incomplete"),
    ],
)
def test_faults_are_one_line(
    coco: Path, of_photos: bool, spoil: Callable[[Path, str], None], message: str
) -> None:
    photos = pack_coco(coco)
    spoil(photos if of_photos else coco.with_suffix(".zip"), "2.png")
    with pytest.raises(DataError, match=message) as caught:
        load(coco)
    assert "\n" not in str(caught.value)


def test_faults_that_a_worker_finds(coco: Path) -> None:
    drop(pack_coco(coco), "2.png")
    with pytest.raises(DataError, match=r"holds no file train2017/2\.png") as caught:
        load(coco, workers=1)
    assert "\n" not in str(caught.value)


def test_the_archive_of_archives_says_what_to_do(coco: Path) -> None:
    """COCO's panoptic_annotations_trainval2017.zip holds JSONs and, as archives, the PNGs."""
    pngs = coco.with_suffix(".zip")
    pack_folder(coco.with_suffix(""), pngs)
    outer = coco.parent.parent / "panoptic_annotations_trainval2017.zip"
    with zipfile.ZipFile(outer, "w") as packed:
        packed.write(pngs, "annotations/panoptic_train2017.zip")
    message = r"holds no file annotations/.\.png \(its first is annotations/panoptic_train2017\.zip\); check"
    with pytest.raises(DataError, match=message):
        load(coco, train_segments=str(outer))


def test_a_file_that_is_no_zip(coco: Path) -> None:
    with pytest.raises(DataError, match=r"2017\.json: no such folder of photos .*name the folder or \.zip"):
        load(coco, train_images=str(coco))
    with pytest.raises(DataError, match=r"2017\.json: no such folder of panoptic PNGs .*folder or \.zip"):
        load(coco, train_segments=str(coco))


def test_settings_for_the_readers(coco: Path, tmp_path: Path) -> None:
    """Archives are named like folders, and only where they would not be found."""
    archive = pack_coco(coco)
    photos = guess_photo_folder(coco, ["0.png", "1.png"])
    assert photos is not None
    assert str(photos) == str(archive / "train2017")
    segments = segments_folder(coco, None, "0.png")
    assert reader_overrides(coco, "train", photos, segments, "0.png") == [f"data.train={coco}"]
    other = tmp_path / "other" / "a.json"
    other.parent.mkdir()
    shutil.copyfile(coco, other)
    settings = reader_overrides(other, "train", photos, segments, "0.png")
    options = dict(setting.removeprefix("data.").split("=") for setting in settings)
    assert options.keys() == {"train", "train_images", "train_segments"}
    assert len(load(other, **options, val_images=str(photos), val_segments=str(segments))) > 0
