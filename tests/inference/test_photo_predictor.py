"""What all predictors share: batches, streams, tiles; with `tiny`, and without any network."""

import gc
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spatialflow.categories import Categories, Category
from spatialflow.checkpoints import load_model
from spatialflow.config import MergeConfig, config_from_dict
from spatialflow.data.synthetic import CATEGORIES
from spatialflow.data.synthetic_scene import draw_scene
from spatialflow.errors import DataError
from spatialflow.inference.photo_predictor import PhotoPredictor
from spatialflow.inference.predictor import Predictor
from spatialflow.inference.tiles import Tiling
from spatialflow.structures import PanopticPrediction, Segment


class Brightness(PhotoPredictor):
    """One segment of stuff a photo, with the photo's first value as its label."""

    categories = Categories([Category(i, f"grey {i}", False, (i, i, i)) for i in range(1, 250)], "greys")
    settings = {}  # noqa: RUF012
    config = config_from_dict(
        {"data": {"test_scale": [160, 120]}, "model": {"merge": {"stuff_area": 50}}}, "Brightness"
    )

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, ...]]] = []

    def segment_photos(
        self, photos: Sequence[NDArray[np.uint8]], settings: MergeConfig | None = None
    ) -> list[PanopticPrediction]:
        """See above."""
        self.batches.append([photo.shape for photo in photos])
        least = (settings or self.config.model.merge).stuff_area
        return [self._one(photo, least) for photo in photos]

    def _one(self, photo: NDArray[np.uint8], least: int) -> PanopticPrediction:
        (height, width), label = photo.shape[:2], int(photo[0, 0, 0])
        if height * width < least:
            return PanopticPrediction(torch.zeros(height, width, dtype=torch.int32), ())
        box = (0, 0, width, height)
        segment = Segment(1, label, self.categories[label], False, 0.5, height * width, box)
        return PanopticPrediction(torch.ones(height, width, dtype=torch.int32), (segment,))


def labels(predictions: Any) -> list[int]:
    return [prediction.segments[0].label for prediction in predictions]


def grey(value: int, size: tuple[int, int] = (8, 9)) -> NDArray[np.uint8]:
    return np.full((*size, 3), value, np.uint8)


def test_a_stream_is_lazy_and_in_order(tmp_path: Path) -> None:
    taken = []

    def photos() -> Iterator[Any]:
        for i in range(7):
            taken.append(i)
            Image.fromarray(grey(i)).save(tmp_path / f"{i}.png")
            yield tmp_path / f"{i}.png" if i % 2 else grey(i)

    predictor = Brightness()
    stream = predictor.predict_stream(photos(), batch_size=2)
    assert taken == []
    first = next(stream)
    assert len(taken) <= 2 + 2  # a batch, and what is read ahead
    assert labels([first, *stream]) == list(range(7))
    assert [len(batch) for batch in predictor.batches] == [2, 2, 2, 1]
    assert labels(predictor.predict_many(grey(i) for i in (3, 1))) == [3, 1]
    assert predictor.predict_many([]) == list(predictor.predict_stream([])) == []


def test_a_stream_keeps_no_photo() -> None:
    side = 1000
    tracemalloc.start()
    peaks = []
    for count in (4, 40):
        gc.collect()
        tracemalloc.reset_peak()
        assert (
            sum(1 for _ in Brightness().predict_stream(grey(1, (side, side)) for _ in range(count))) == count
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2 * side * side


def test_a_stream_that_is_left_ends_its_thread() -> None:
    stream = Brightness().predict_stream(grey(1) for _ in range(9))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())


def test_a_stream_ends_with_the_photo_that_cannot_be_read() -> None:
    stream = Brightness().predict_stream([grey(1), "none.jpg", grey(2)])
    assert next(stream).segments[0].label == 1
    with pytest.raises(DataError, match=r"none\.jpg: no such image"):
        next(stream)


@pytest.mark.parametrize(
    "one", ["a.jpg", Path("a.jpg"), b"", grey(1), torch.zeros(3, 4, 4), Image.new("RGB", (4, 4)), None]
)
def test_one_photo_is_not_several(one: Any) -> None:
    for several in (Brightness().predict_many, Brightness().predict_stream):
        with pytest.raises(DataError, match="is one photo, several are expected; give a list"):
            several(one)
    with pytest.raises(ValueError, match="batch_size is 0"):
        Brightness().predict_stream([], batch_size=0)


def test_photos_that_fit_a_tile_are_not_cut() -> None:
    predictor = Brightness()
    for size in ((120, 160), (160, 120), (1, 1)):
        predictor.predict(grey(1, size), tile=True)
    assert predictor.batches == [[(120, 160, 3)], [(160, 120, 3)], [(1, 1, 3)]]
    list(predictor.predict_stream([grey(1, (120, 161)), grey(1)], tile=True))
    assert predictor.batches[3:] == [[(120, 160, 3)], [(120, 160, 3)], [(8, 9, 3)]]
    assert predictor.advises_tiles((480, 640))
    assert not predictor.advises_tiles((480, 639))


def test_memory_of_tiles_is_that_of_the_map() -> None:
    height, width = 3000, 4000
    photo = np.broadcast_to(np.uint8(7), (height, width, 3))
    photo = np.ascontiguousarray(photo)
    tracemalloc.start()
    prediction = Brightness().predict(photo, tile=Tiling(400))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (segment,) = prediction.segments
    assert (segment.area, segment.box, segment.label) == (height * width, (0, 0, width, height), 7)
    # 4 bytes a pixel of the map, two rows of tiles (a tenth of it each, and their overlap), and strips of
    # four million pixels, each of which takes some ten bytes while it is counted
    assert peak < 4 * height * width * 1.35 + 18 * (1 << 22)


def test_stuff_that_is_small_in_every_tile_counts_as_a_whole() -> None:
    predictor = Brightness()
    merge = predictor.config.model.merge.model_copy(update={"stuff_area": 1000})
    model = predictor.config.model.model_copy(update={"merge": merge})
    predictor.config = predictor.config.model_copy(update={"model": model})
    (segment,) = predictor.predict(grey(7, (48, 64)), tile=Tiling(side=32)).segments
    assert max(shape[0] * shape[1] for ((shape),) in predictor.batches) < 1000
    assert (segment.label, segment.area) == (7, 48 * 64)
    assert predictor.predict(grey(7, (20, 30)), tile=Tiling(side=32)).segments == ()


# Scenes that `tiny` gets right: what is tested is the seams, of which each thing's count and shape tells.
@pytest.mark.parametrize(("seed", "crossing"), [(1, 3), (4, 4), (6, 3), (9, 3)])
def test_tiny_finds_by_tiles_what_is_there(seed: int, crossing: int) -> None:
    size = (224, 290)
    predictor = Predictor(load_model("tiny"), "cpu", "fp32")
    scene = draw_scene(np.random.default_rng(seed), size)
    tiles = Tiling().tiles(size, predictor.config.data.test_scale)
    assert len(tiles) == 6
    cell = np.zeros(size, int)
    for i, tile in enumerate(tiles):
        cell[tile.cell.slices] = i
    found = predictor.predict(scene.photo, tile=True)
    assert sorted(s.category.name for s in found.segments) == sorted(layer.name for layer in scene.layers)
    things = {category.name for category in CATEGORIES if category.is_thing}
    over_seams = 0
    for i, layer in enumerate(scene.layers):
        truth = torch.from_numpy(scene.layer_map == i)
        masks = [found.mask(s) for s in found.segments if s.category.name == layer.name]
        assert max(float((m & truth).sum() / (m | truth).sum()) for m in masks) > 0.65
        over_seams += layer.name in things and len(np.unique(cell[scene.layer_map == i])) > 1
    assert over_seams == crossing


def test_the_base_needs_no_network() -> None:
    code = (
        "import sys, spatialflow.inference.photo_predictor, spatialflow.inference.folder; "
        "print([m for m in sys.modules if m.startswith(('spatialflow.models', 'timm'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
