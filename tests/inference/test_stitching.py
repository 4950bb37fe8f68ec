"""Stitching of hand-made tiles, whose whole is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spatialflow.categories import Category
from spatialflow.inference.stitching import Stitcher
from spatialflow.inference.tiles import Area, Tile, Tiling
from spatialflow.structures import PanopticPrediction, Segment

CAT, DOG, SKY, GRASS = 0, 1, 2, 3
NAMES = ("cat", "dog", "sky", "grass")
SIZE = (160, 208)
TILES = Tiling(side=64, overlap=0.25).tiles(SIZE, (64, 64))
"""3 rows of 4, each sharing 16 pixels with the next; seams at 56, 104 and, of columns, 152."""

Ids = NDArray[np.int32]
Change = Callable[[Tile, Ids, dict[int, int]], None]


def prediction(ids: Ids, labels: dict[int, int], score: float = 0.8) -> PanopticPrediction:
    """A map as a network would give it: ids 1, 2, ... in another order than the scene's."""
    present = [int(i) for i in np.unique(ids) if i][::-1]
    table = np.zeros(int(ids.max()) + 1, np.int32)
    segments = []
    for number, i in enumerate(present, start=1):
        table[i] = number
        rows, columns = np.nonzero(ids == i)
        box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        category = Category(10 * labels[i], NAMES[labels[i]], labels[i] < SKY, (0, 0, 0))
        segments.append(Segment(number, labels[i], category, category.is_thing, score, len(rows), box))
    return PanopticPrediction(torch.from_numpy(table[ids]), tuple(segments))


def no_change(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
    """The network sees all, and rightly."""


def stitch(
    scene: Ids, labels: dict[int, int], change: Change = no_change, stuff_area: int = 1
) -> PanopticPrediction:
    """Every tile sees its part of the scene, but for what ``change`` does to it."""
    stitcher = Stitcher((scene.shape[0], scene.shape[1]), stuff_area)
    for tile in TILES:
        ids, known = scene[tile.area.slices].copy(), dict(labels)
        change(tile, ids, known)
        stitcher.add(tile, prediction(ids, known))
    return stitcher.finish()


def scene_of(*things: tuple[int, Area]) -> tuple[Ids, dict[int, int]]:
    """Sky above grass (ids 1 and 2), and things (3, 4, ...) of a label and a place."""
    ids = np.ones(SIZE, np.int32)
    ids[80:] = 2
    labels = {1: SKY, 2: GRASS}
    for i, (label, area) in enumerate(things, start=3):
        ids[area.slices] = i
        labels[i] = label
    return ids, labels


def assert_same(found: PanopticPrediction, scene: Ids, labels: dict[int, int]) -> None:
    """The same segments but for their ids, and everything said of them is right."""
    ids = found.segment_ids.numpy()
    pairs = np.unique(np.stack([ids.ravel(), scene.ravel()]), axis=1).T.tolist()
    assert len(pairs) == len(labels) == len(found.segments)
    of = dict(pairs)
    for segment in found.segments:
        assert segment.label == labels[of[segment.id]]
        rows, columns = np.nonzero(ids == segment.id)
        assert segment.area == len(rows)
        assert segment.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert segment.score == pytest.approx(0.8)
        assert segment.is_thing is (segment.label < SKY)
        assert segment.category.name == NAMES[segment.label]


SCENES = {
    "over a vertical seam": [(CAT, Area(10, 40, 30, 70))],
    "over a horizontal seam": [(CAT, Area(40, 10, 70, 30))],
    "over the corner of four": [(CAT, Area(45, 45, 65, 70))],
    "through three in a row": [(CAT, Area(10, 30, 30, 180))],
    "through all of a column": [(DOG, Area(0, 70, 160, 90))],
    "larger than four tiles": [(CAT, Area(20, 20, 130, 190))],
    "two that touch on both sides of a seam": [(CAT, Area(10, 30, 40, 56)), (CAT, Area(10, 56, 40, 80))],
    "two that touch beside a seam": [(CAT, Area(10, 30, 40, 62)), (CAT, Area(10, 62, 40, 90))],
    "two that touch along both seams": [(CAT, Area(20, 20, 56, 100)), (CAT, Area(56, 20, 90, 100))],
    "inside of the overlap": [(CAT, Area(10, 51, 20, 61)), (CAT, Area(10, 61, 20, 63))],
    "at the corner where all four see it whole": [(DOG, Area(50, 50, 62, 62))],
    "neighbours of two classes": [(CAT, Area(40, 40, 60, 57)), (DOG, Area(40, 57, 60, 75))],
    "one pixel": [(CAT, Area(56, 56, 57, 57)), (CAT, Area(103, 104, 104, 105))],
}


@pytest.mark.parametrize("name", SCENES)
def test_a_network_that_errs_nowhere_is_stitched_without_error(name: str) -> None:
    scene, labels = scene_of(*SCENES[name])
    assert_same(stitch(scene, labels), scene, labels)


def test_many_things_at_random() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        scene, labels = scene_of()
        for i in range(3, 60):
            top, left = (int(rng.integers(0, side - 8)) for side in SIZE)
            place = scene[top : top + int(rng.integers(4, 50)), left : left + int(rng.integers(4, 90))]
            if place.max() < 3:  # things that others cut in two are another matter
                place[...] = i
                labels[i] = int(rng.integers(2))
        assert_same(stitch(scene, labels), scene, labels)


def test_work_grows_with_the_photo_and_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """12,000 x 9,000 pixels may have ten thousand tiles, of which each looks only at its neighbours."""
    looks, is_thing = [0], Stitcher._is_thing

    def counted(self: Stitcher, piece: int, *, whole: bool = False) -> bool:
        looks[-1] += 1
        return is_thing(self, piece, whole=whole)

    monkeypatch.setattr(Stitcher, "_is_thing", counted)
    for side in (400, 800):
        scene = np.ones((side, side), np.int32)
        scene[10::32, 10::32] = 2
        stitcher = Stitcher((side, side), 1)
        for tile in Tiling(40).tiles((side, side), (40, 40)):
            stitcher.add(tile, prediction(scene[tile.area.slices].copy(), {1: SKY, 2: 0}))
        assert len(stitcher.finish()) > 1
        looks.append(0)
    assert looks[1] < 6 * looks[0], "four times the tiles, and fewer of them at the edge"


def erase_cut(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
    """A network that never sees a thing at a border."""
    height, width = ids.shape
    inner = np.zeros((height, width), bool)
    inner[0 if tile.area.top == 0 else 1 :, 0 if tile.area.left == 0 else 1 :] = True
    inner[height - (tile.area.bottom < SIZE[0]) :] = False
    inner[:, width - (tile.area.right < SIZE[1]) :] = False
    for i in range(3, max(labels) + 1):
        if (ids == i)[~inner].any():
            ids[ids == i] = 1


@pytest.mark.parametrize("place", [Area(10, 51, 24, 63), Area(10, 42, 24, 62), Area(10, 50, 24, 78)])
def test_a_thing_that_only_one_tile_finds_is_there_whole(place: Area) -> None:
    """Cut by the border of the other tile, it is taken from the one that has it whole, over the seam."""
    scene, labels = scene_of((CAT, place))
    assert_same(stitch(scene, labels, erase_cut), scene, labels)


@pytest.mark.parametrize("place", [Area(10, 46, 24, 62), Area(10, 50, 24, 78), Area(45, 50, 62, 66)])
def test_a_cut_thing_of_another_class_is_the_same_thing(place: Area) -> None:
    def mistake(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
        labels[3] = CAT if tile.area.intersection(place) == place else DOG

    scene, labels = scene_of((CAT, place))
    found = stitch(scene, labels, mistake)
    assert_same(found, scene, labels)


def test_a_whole_thing_takes_nothing_from_another_whole_one() -> None:
    """The left tile sees a cat, the right one, which the cat reaches into, only a dog over a part of it."""

    def see_one(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
        ids[...] = np.where(ids > 2, 1, ids)
        mine = (3, Area(10, 44, 20, 54)) if tile.area.left == 0 else (4, Area(10, 50, 30, 63))
        if tile.area.intersection(mine[1]) == mine[1]:
            ids[mine[1].slices_in(tile.area)] = mine[0]

    scene, labels = scene_of((CAT, Area(10, 44, 20, 54)), (DOG, Area(10, 50, 30, 63)))
    found = stitch(scene, labels, see_one)
    assert {s.category.name: s.area for s in found.segments if s.is_thing} == {"cat": 100, "dog": 260 - 40}


def test_where_both_have_it_whole_each_decides_in_its_cell() -> None:
    def lengthen(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
        if tile.area.left > 0:
            ids[20:22][ids[19:21] == 3] = 3

    scene, labels = scene_of((CAT, Area(10, 50, 20, 62)))
    found = stitch(scene, labels, lengthen)
    mask = found.mask(found.segments[0]).numpy()
    assert mask[10:20, 50:62].all()
    assert mask[20, 56:62].all()
    assert mask.sum() == 10 * 12 + 6


def test_where_all_are_cut_the_class_of_most_pixels_wins() -> None:
    def mistake(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
        labels[3] = DOG if tile.area.left == 0 else CAT

    scene, labels = scene_of((CAT, Area(10, 20, 30, 190)))
    assert_same(stitch(scene, labels, mistake), scene, labels)


def test_a_remnant_is_void() -> None:
    """The left tile sees a cat at its border; the right tile, nearer to most of it, sees none."""

    def mistake(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
        if tile.area.left > 0:
            ids[ids == 3] = 1

    scene, labels = scene_of((CAT, Area(10, 53, 24, 64)))
    found = stitch(scene, labels, mistake)
    assert [s.category.name for s in found.segments] == ["sky", "grass"]
    assert found.segment_ids[10:24, 53:56].max() == 0
    assert found.segment_ids[10:24, 57:64].min() > 0


def test_ragged_borders_are_joined_but_not_by_half() -> None:
    def shorten(rows: int) -> Change:
        def change(tile: Tile, ids: Ids, labels: dict[int, int]) -> None:
            if tile.area.left > 0:
                ids[10 : 10 + rows][ids[10 : 10 + rows] == 3] = 1

        return change

    scene, labels = scene_of((CAT, Area(10, 10, 30, 100)))
    for rows, things in ((9, 1), (11, 2)):  # IoU 11 / 20 and 9 / 20 between the first tiles
        found = stitch(scene, labels, shorten(rows))
        assert sum(s.is_thing for s in found.segments) == things


def test_stuff_is_one_segment_a_class_and_its_area_counts_in_the_whole() -> None:
    scene, labels = scene_of()
    scene[100:110, 100:112] = 3  # 120 pixels over a seam, of which no tile's cell has all
    labels[3] = SKY
    scene[:80] = 4
    labels[4] = CAT
    for least, names in ((120, {"cat", "sky", "grass"}), (121, {"cat", "grass"})):
        found = stitch(scene, labels, stuff_area=least)
        assert {s.category.name for s in found.segments} == names
        assert int((found.segment_ids == 0).sum()) == (120 if least == 121 else 0)
    scene[30:40, 3:9] = 5
    labels[5] = SKY
    found = stitch(scene, labels)
    assert [s.category.name for s in found.segments].count("sky") == 1


def test_scores_are_means_over_pixels() -> None:
    scene, labels = scene_of((CAT, Area(0, 0, 160, 208)))
    stitcher = Stitcher(SIZE, 1)
    scores = np.linspace(0.4, 0.95, len(TILES))
    for tile, score in zip(TILES, scores, strict=True):
        stitcher.add(tile, prediction(scene[tile.area.slices], labels, float(score)))
    (segment,) = stitcher.finish().segments
    sizes = [tile.cell.size[0] * tile.cell.size[1] for tile in TILES]
    assert sum(sizes) == 160 * 208
    assert segment.score == pytest.approx(float(np.average(scores, weights=sizes)))


def test_order_is_things_by_score_then_stuff_by_label() -> None:
    scene, labels = scene_of((CAT, Area(0, 0, 9, 9)), (DOG, Area(140, 200, 160, 208)))
    stitcher = Stitcher(SIZE, 1)
    for i, tile in enumerate(TILES):
        stitcher.add(tile, prediction(scene[tile.area.slices], labels, 0.5 + i / 100))
    names: Sequence[str] = [s.category.name for s in stitcher.finish().segments]
    assert names == ["dog", "cat", "sky", "grass"]


def test_nothing_anywhere() -> None:
    found = stitch(np.zeros(SIZE, np.int32), {})
    assert found.segments == ()
    assert found.segment_ids.shape == SIZE
