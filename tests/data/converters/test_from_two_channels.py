"""Two-channel PNGs to COCO panoptic: every pixel, and each fault."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from make_data import CATEGORIES, pack_folder
from spatialflow.data.converters import two_channel_to_panoptic
from spatialflow.data.panoptic_json import read_truth
from spatialflow.errors import DataError
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_id_png

CHANNELS = np.zeros((4, 5, 2), np.uint8)
CHANNELS[0] = (21, 0)
CHANNELS[1, :3] = (3, 200)
CHANNELS[1, 3:] = (3, 1)
CHANNELS[2, :2] = (21, 9)  # void has an instance number here; the sky has two
CHANNELS[3] = (0, 5)
EXPECTED = np.array([[3, 3, 3, 3, 3], [2, 2, 2, 1, 1], [4, 4, 0, 0, 0], [0, 0, 0, 0, 0]])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_json(tmp_path / "mine.json", CATEGORIES)
    image = {"id": 1, "file_name": "a.jpg", "height": 4, "width": 5, "license": 1}
    write_json(tmp_path / "images.json", {"info": {"year": 1}, "images": [image]})
    (tmp_path / "two").mkdir()
    return tmp_path / "images.json"


def save(folder: Path, channels: NDArray[np.uint8], mode: str = "RGB") -> None:
    rest = np.full((*channels.shape[:2], len(mode) - 2), 77, np.uint8)
    Image.fromarray(np.concatenate([channels, rest], axis=2), mode).save(folder / "two" / "a.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_each_pixel(images: Path, tmp_path: Path, mode: str) -> None:
    save(tmp_path, CHANNELS, mode)
    out = tmp_path / "out.json"
    result = two_channel_to_panoptic(images, tmp_path / "two", out, categories=tmp_path / "mine.json")
    assert (result.images, result.segments) == (1, 4)
    np.testing.assert_array_equal(read_id_png(tmp_path / "out" / "a.png"), EXPECTED)
    (annotation,) = read_truth(out).annotations.values()
    found = [(s.id, s.category_id, s.is_crowd, s.area, s.bbox) for s in annotation.segments]
    assert found == [
        (1, 3, False, 2, (3, 1, 2, 1)),
        (2, 3, False, 3, (0, 1, 3, 1)),
        (3, 21, False, 5, (0, 0, 5, 1)),
        (4, 21, False, 2, (0, 2, 2, 1)),
    ]
    content = read_json(out)
    assert (content["info"], content["images"][0]["license"]) == ({"year": 1}, 1)


def test_category_ids_of_coco_by_default(images: Path, tmp_path: Path) -> None:
    save(tmp_path, CHANNELS)
    two_channel_to_panoptic(images, tmp_path / "two", tmp_path / "out.json")
    assert len(read_json(tmp_path / "out.json")["categories"]) == 133


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("none", r"a\.png: no such PNG of labels"),
        ("grey", r"a\.png: two 8-bit channels are expected"),
        ("deep", r"a\.png: two 8-bit channels are expected"),
        ("size", r"a\.png: is 4x4 pixels, but images says 5x4 for image 1 in .*images\.json"),
        ("category", r"a\.png: the first channel has 22, which is no category of .*mine\.json"),
        ("short", r"a\.png: the PNG is truncated"),
        ("folder", r"none: no such folder of two-channel PNGs"),
        ("meaning", r"images\.json: categories: id 3 is 'cow' there, but 'cat' in .*mine\.json"),
    ],
)
def test_faults(images: Path, tmp_path: Path, what: str, message: str) -> None:
    path, folder = tmp_path / "two" / "a.png", tmp_path / "two"
    if what == "grey":
        Image.fromarray(CHANNELS[..., 0]).save(path)
    elif what == "deep":
        Image.fromarray(CHANNELS[..., 0].astype(np.uint16)).save(path)
    elif what == "size":
        save(tmp_path, CHANNELS[:, :4])
    elif what == "category":
        save(tmp_path, np.where(CHANNELS == 21, 22, CHANNELS).astype(np.uint8))
    elif what != "none":
        save(tmp_path, CHANNELS)
    if what == "short":
        path.write_bytes(path.read_bytes()[:-20])
    if what == "folder":
        folder = tmp_path / "none"
    if what == "meaning":
        content: dict[str, Any] = read_json(images)
        write_json(images, {**content, "categories": [{"id": 3, "name": "cow"}]})
    with pytest.raises(DataError, match=message):
        two_channel_to_panoptic(
            images, folder, tmp_path / "new" / "out.json", categories=tmp_path / "mine.json"
        )
    assert not (tmp_path / "new").exists()


def test_pngs_in_an_archive(images: Path, tmp_path: Path) -> None:
    save(tmp_path, CHANNELS)
    two_channel_to_panoptic(images, tmp_path / "two", tmp_path / "folder.json")
    archive = pack_folder(tmp_path / "two", tmp_path / "two.zip")
    two_channel_to_panoptic(images, archive, tmp_path / "archive.json")
    assert (tmp_path / "archive.json").read_bytes() == (tmp_path / "folder.json").read_bytes()
    for path in (tmp_path / "folder").iterdir():
        assert (tmp_path / "archive" / path.name).read_bytes() == path.read_bytes()
