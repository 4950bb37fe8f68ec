from pathlib import Path

import numpy as np
import pytest

from make_data import ToyImage, edit_json, write_panoptic_set
from spatialflow.categories import Categories
from spatialflow.config import DataConfig
from spatialflow.data.datamodule import PanopticData
from spatialflow.data.listed_photos import ListedPhotos
from spatialflow.errors import DataError
from spatialflow.files import write_json


def listed(folder: Path, images: list[ToyImage], name: str = "image_info_test-dev2017") -> Path:
    """Only photos and their list, laid out as COCO lays out test-dev."""
    truth = write_panoptic_set(folder, images)
    (folder / "images").rename(folder / "test2017")
    path = truth.with_name(f"{name}.json")
    # as COCO's own: with the categories of detection, which say nothing of things and stuff
    write_json(path, {"images": [], "categories": [{"id": 1, "name": "person"}]})
    infos = [
        {"id": 10 + i, "file_name": f"{m.name}{m.suffix}", "height": m.size[0], "width": m.size[1]}
        for i, m in enumerate(images)
    ]
    edit_json(path, lambda content: content.update(images=infos))
    return path


def test_photos_come_in_order_without_truth(tmp_path: Path) -> None:
    images = [ToyImage("b", (48, 64)), ToyImage("a", (64, 48))]
    photos = ListedPhotos(listed(tmp_path, images), None, (128, 96))
    assert photos.images == tmp_path / "test2017"
    assert [photos.info(i).file_name for i in range(2)] == ["b.png", "a.png"]
    original = photos.original(0)
    assert np.array_equal(original.image.permute(1, 2, 0).numpy(), images[0].pixels())
    resized = photos.read(0, np.random.default_rng())
    assert resized.image.shape == (3, 96, 128)
    assert (resized.target.image_id, resized.target.original_size) == (10, (48, 64))
    assert len(resized.target.ids) == 0


def test_loader_shares_them_among_ranks(tmp_path: Path) -> None:
    path = listed(tmp_path, [ToyImage(str(i)) for i in range(5)])
    config = DataConfig(test=str(path), test_scale=(64, 64), workers=0, eval_batch_size=2)
    data = PanopticData(config, Categories.load("coco_panoptic"))
    names = [
        [t.file_name for batch in data.ordered_loader(data.test_set, rank, 2) for t in batch.targets]
        for rank in range(2)
    ]
    assert names == [["0.png", "2.png", "4.png"], ["1.png", "3.png"]]


def test_photo_lies_as_its_list_says(tmp_path: Path) -> None:
    """COCO states the size of the pixels as stored for some photos that EXIF turns."""
    upright = ToyImage("u", (48, 64), suffix=".jpg", orientation=6)
    stored = ToyImage("s", (48, 64), suffix=".jpg", orientation=6)
    path = listed(tmp_path, [upright, stored])
    edit_json(path, lambda content: content["images"][1].update(height=64, width=48))
    photos = ListedPhotos(path, None, (64, 64))
    assert photos.original(0).image.shape == (3, 48, 64)
    assert photos.original(1).image.shape == (3, 64, 48)


def test_faults_name_file_and_remedy(tmp_path: Path) -> None:
    path = listed(tmp_path, [ToyImage("a")])
    edit_json(path, lambda content: content["images"][0].update(height=50))
    with pytest.raises(DataError, match=r"a\.png: is 64x48 pixels, but images says 64x50 for image 10"):
        ListedPhotos(path, None, (64, 64)).original(0)
    edit_json(path, lambda content: content["images"][0].update(file_name="gone.jpg"))
    with pytest.raises(DataError, match=r"gone\.jpg is in none of .*test2017.*data\.test_images"):
        ListedPhotos(path, None, (64, 64))
    edit_json(path, lambda content: content["images"][0].pop("width"))
    with pytest.raises(DataError, match=r"images\[0\]\.width"):
        ListedPhotos(path, None, (64, 64))
    edit_json(path, lambda content: content.update(images=[]))
    with pytest.raises(DataError, match="the list is empty"):
        ListedPhotos(path, None, (64, 64))
    edit_json(path, lambda content: content.pop("images"))
    with pytest.raises(DataError, match="images: the key is missing"):
        ListedPhotos(path, None, (64, 64))
