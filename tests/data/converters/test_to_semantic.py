"""COCO panoptic to semantic regions: as PNGs and as JSON, each pixel."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from golden import decode_rle
from make_data import CAT, CATEGORIES, DOG, GRASS, SKY, ToyImage, ToySegment, edit_json, write_panoptic_set
from spatialflow.data.converters import panoptic_to_semantic
from spatialflow.errors import ConfigError, DataError, OutputError
from spatialflow.files import read_json

IMAGES = [
    ToyImage(
        "touching",
        segments=[
            ToySegment(CAT, (0, 0, 9, 9)),
            ToySegment(SKY, (20, 0, 64, 9)),
            ToySegment(CAT, (9, 0, 20, 9), True),
        ],
    ),
    ToyImage("void", segments=[]),
    ToyImage(
        "three", size=(20, 10), segments=[ToySegment(c, (c % 20, 0, 10, 20)) for c in (GRASS, SKY, DOG)]
    ),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_panoptic_set(tmp_path, IMAGES)


def semantic(image: ToyImage, void: int = 0, other: int | None = None) -> NDArray[np.int64]:
    """Category of each pixel, segment by segment."""
    ids, result = image.id_map(), np.full(image.size, void)
    for segment_id, segment in enumerate(image.segments, 1001):
        is_other = other is not None and segment.category_id in (CAT, DOG)
        result[ids == segment_id] = other if is_other else segment.category_id
    return result


def pixels(path: Path) -> NDArray[np.integer]:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("other", [None, 183])
def test_pngs(source: Path, tmp_path: Path, other: int | None) -> None:
    result = panoptic_to_semantic(source, tmp_path / "out", things_other=other is not None)
    assert (result.path, result.images, result.segments) == (tmp_path / "out", 3, 2 + 3)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"{image.name}.png" for image in IMAGES}
    for image in IMAGES:
        found = pixels(tmp_path / "out" / f"{image.name}.png")
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, semantic(image, other=other))


@pytest.mark.parametrize("other", [None, 183])
def test_json(source: Path, tmp_path: Path, other: int | None) -> None:
    panoptic_to_semantic(source, tmp_path / "out.json", things_other=other is not None)
    content = read_json(tmp_path / "out.json")
    assert [a["id"] for a in content["annotations"]] == list(range(5))
    thing = [CAT, DOG] if other is None else [183, 183]
    expected = [(1, thing[0]), (1, SKY), (3, GRASS), (3, SKY), (3, thing[1])]
    assert [(a["image_id"], a["category_id"]) for a in content["annotations"]] == expected
    for entry in content["annotations"]:
        mask = semantic(IMAGES[entry["image_id"] - 1], other=other) == entry["category_id"]
        np.testing.assert_array_equal(decode_rle(entry["segmentation"]), mask)
        assert (entry["area"], entry["iscrowd"]) == (mask.sum(), 0)
    names = [c["name"] for c in content["categories"]]
    assert names == (["cat", "dog", "grass", "sky"] if other is None else ["grass", "sky", "other"])
    assert all("isthing" not in c for c in content["categories"])


def test_void(source: Path, tmp_path: Path) -> None:
    panoptic_to_semantic(source, tmp_path / "out", void=255)
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "touching.png"), semantic(IMAGES[0], void=255))


def test_large_ids_take_16_bits(source: Path, tmp_path: Path) -> None:
    def enlarge(content: dict[str, list[dict[str, object]]]) -> None:
        content["categories"].append({"id": 60000, "name": "wide", "isthing": 0})

    edit_json(source, enlarge)
    panoptic_to_semantic(source, tmp_path / "out")
    found = pixels(tmp_path / "out" / "touching.png")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, semantic(IMAGES[0]))


@pytest.mark.parametrize(
    ("category_id", "options", "message"),
    [
        (0, {}, "id 0 is a category, but is to mean void in the PNGs.*--void 255"),
        (5, {"void": SKY}, "id 21 is a category, but is to mean void"),
        (5, {"void": -1}, "no room for -1"),
        (70000, {}, "no room for 70000"),
        (183, {"things_other": True}, "id 183 is 'new', but --things-other gives it to all things"),
    ],
)
def test_ids_that_do_not_fit(
    source: Path, tmp_path: Path, category_id: int, options: dict[str, int], message: str
) -> None:
    edit_json(source, lambda d: d["categories"].append({"id": category_id, "name": "new", "isthing": 0}))
    with pytest.raises(ConfigError, match=rf"panoptic_toy\.json: categories: .*{message}"):
        panoptic_to_semantic(source, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    if category_id == 0:  # in a JSON file it may be
        panoptic_to_semantic(source, tmp_path / "out.json")


def test_what_is_there_stays(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    panoptic_to_semantic(source, out)
    (out / "void.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"out/.*\.png: is there already"):
        panoptic_to_semantic(source, out)
    assert (out / "void.png").read_bytes() == b"mine"
    panoptic_to_semantic(source, out, overwrite=True)
    assert not pixels(out / "void.png").any()
    assert len(list(out.iterdir())) == 3
    before = (source.with_suffix("") / "void.png").read_bytes()
    with pytest.raises(OutputError, match="is what is converted"):
        panoptic_to_semantic(source, source.with_suffix(""), overwrite=True)
    assert (source.with_suffix("") / "void.png").read_bytes() == before


def test_a_png_of_two_images(source: Path, tmp_path: Path) -> None:
    edit_json(source, lambda d: d["annotations"][0].update(file_name="void.png"))
    with pytest.raises(DataError, match=r"'void\.png' is the PNG of two images"):
        panoptic_to_semantic(source, tmp_path / "out")


def test_categories_are_untouched_by_labels(source: Path, tmp_path: Path) -> None:
    """In the order of the file, whatever that is."""
    edit_json(source, lambda d: d["categories"].reverse())
    panoptic_to_semantic(source, tmp_path / "out.json")
    found = [c["id"] for c in read_json(tmp_path / "out.json")["categories"]]
    assert found == [c["id"] for c in reversed(CATEGORIES)]
