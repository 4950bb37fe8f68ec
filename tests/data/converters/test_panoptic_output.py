"""A whole data set written: read back, in order, with what went wrong told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import CATEGORIES
from spatialflow.categories import Categories
from spatialflow.data.converters.panoptic_image import PanopticImage, SegmentLabel, from_id_map
from spatialflow.data.converters.panoptic_output import write_panoptic
from spatialflow.data.panoptic_json import ImageInfo, read_truth
from spatialflow.errors import DataError
from spatialflow.evaluation.panoptic_quality import evaluate_pq
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png


def make(number: int, **changes: Any) -> PanopticImage:
    ids = np.random.default_rng(number).integers(0, 3, (5, 4 + number % 3)) * 1000
    image = ImageInfo(changes.get("id", number), f"{number}.jpg", *ids.shape)
    labels = [SegmentLabel(1000, changes.get("category_id", 3)), SegmentLabel(2000, 21)]
    return from_id_map(image, ids, labels, png_name=changes.get("png_name"), more={"license": number})


@pytest.mark.parametrize("workers", [1, 3, None])
def test_read_back(tmp_path: Path, workers: int | None) -> None:
    calls = []
    result = write_panoptic(
        tmp_path / "set.json",
        range(40),
        make,
        CATEGORIES,
        source="x",
        head={"info": {"year": 1}},
        workers=workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(i, 40) for i in range(1, 41)]
    assert (result.path, result.images, result.segments) == (tmp_path / "set.json", 40, 80)
    truth = read_truth(tmp_path / "set.json")
    assert truth.categories == Categories.from_json(CATEGORIES)
    assert list(truth.images) == list(truth.annotations) == list(range(40))
    for number, annotation in truth.annotations.items():
        made = make(int(number))
        assert truth.images[number] == made.image
        assert annotation.segments == made.segments
        np.testing.assert_array_equal(read_id_png(tmp_path / "set" / annotation.file_name), made.id_map)
    content = read_json(tmp_path / "set.json")
    assert content["info"] == {"year": 1}
    assert content["images"][3]["license"] == 3
    assert content["categories"] == CATEGORIES
    assert evaluate_pq(tmp_path / "set.json", tmp_path / "set.json").all.pq == 1


def test_nothing_to_convert(tmp_path: Path) -> None:
    assert write_panoptic(tmp_path / "set.json", [], make, CATEGORIES, source="x").images == 0
    assert read_truth(tmp_path / "set.json").images == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 7}, "x: two images have the id 7; give each one its own"),
        ({"png_name": "a.png"}, "x: two images have the PNG name 'a.png'"),
        ({"png_name": "../a.png"}, r"x: image 0: '\.\./a\.png' leaves the folder"),
        ({"category_id": 5}, r"x: image 0 \(0\.jpg\): category 5 is not among the categories"),
    ],
)
def test_what_could_not_be_read_again(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_panoptic(
            tmp_path / "out" / "set.json", range(9), lambda i: make(i, **changes), CATEGORIES, source="x"
        )
    assert not (tmp_path / "out").exists()
