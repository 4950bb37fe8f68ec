"""How photos are cut."""

from itertools import pairwise

import numpy as np
import pytest

from spatialflow.errors import ConfigError
from spatialflow.inference.tiles import Area, Tiling

NETWORK = (1333, 800)


def test_tiles_worked_out_by_hand() -> None:
    first, second, third = Tiling(side=40, overlap=0.25).tiles((30, 100), (40, 30))
    assert first.area == Area(0, 0, 30, 40)
    assert second.area == Area(0, 30, 30, 70)
    assert third.area == Area(0, 60, 30, 100)
    assert [t.cell for t in (first, second, third)] == [
        Area(0, 0, 30, 35),
        Area(0, 35, 30, 65),
        Area(0, 65, 30, 100),
    ]


@pytest.mark.parametrize("size", [(9000, 12000), (12000, 9000), (801, 1334), (300, 20000), (2000, 1333)])
@pytest.mark.parametrize("overlap", [0.05, 0.25, 0.5])
def test_cells_are_the_photo_and_tiles_overlap_enough(size: tuple[int, int], overlap: float) -> None:
    tiling = Tiling(overlap=overlap)
    tiles = tiling.tiles(size, NETWORK)
    height, width = tiling.tile_size(size, NETWORK)
    seen = np.zeros((size[0] // 7 + 1, size[1] // 7 + 1), int)
    for area, cell in tiles:
        assert area.size == (height, width)
        assert area.intersection(cell) == cell
        seen[-(-cell.top // 7) : -(-cell.bottom // 7), -(-cell.left // 7) : -(-cell.right // 7)] += 1
    assert (seen[: -(-size[0] // 7), : -(-size[1] // 7)] == 1).all()
    for axis, side in ((0, height), (1, width)):
        starts = sorted({area[axis] for area, _ in tiles})
        assert starts[0] == 0
        assert starts[-1] == size[axis] - side
        for one, other in pairwise(starts):
            assert one + side - other >= round(side * overlap)


def test_a_pixel_belongs_to_the_nearest_centre() -> None:
    tiles = Tiling(side=50, overlap=0.3).tiles((40, 173), (50, 40))
    centres = np.array([(area.left + area.right) / 2 for area, _ in tiles])
    for i, (_, cell) in enumerate(tiles):
        columns = np.arange(cell.left, cell.right) + 0.5
        distance = np.abs(columns[:, None] - centres)
        assert (distance[:, i] <= distance.min(axis=1) + 0.5).all()


def test_tiles_have_the_networks_proportion_and_stand_as_the_photo_does() -> None:
    assert Tiling().tile_size((9000, 12000), NETWORK) == (800, 1333)
    assert Tiling().tile_size((12000, 9000), NETWORK) == (1333, 800)
    assert Tiling(side=2666).tile_size((9000, 12000), NETWORK) == (1600, 2666)
    assert Tiling().tile_size((500, 12000), NETWORK) == (500, 1333)
    assert len(Tiling().tiles((800, 1333), NETWORK)) == 1
    assert len(Tiling().tiles((16, 16), NETWORK)) == 1


@pytest.mark.parametrize(
    ("tiling", "message"),
    [({"side": 31}, "31 is too small"), ({"overlap": 0.6}, "0.6 is out of range"), ({"overlap": 0}, "0 is")],
)
def test_what_is_no_tiling(tiling: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Tiling(**tiling)  # type: ignore[arg-type]
