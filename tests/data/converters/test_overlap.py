"""The overlap policies, each pixel by brute force."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from spatialflow.data.converters.overlap import OverlapError, OverlapPolicy, check_policy, flatten
from spatialflow.errors import ConfigError
from spatialflow.masks.mask_runs import MaskRuns


def runs_of(arrays: NDArray[np.bool_]) -> MaskRuns:
    return MaskRuns.stack([MaskRuns.of_array(array) for array in arrays], arrays.shape[1:])


def brute_force(arrays: NDArray[np.bool_], policy: str) -> NDArray[np.int32]:
    """Of the masks at each pixel, the one the policy's definition names."""
    areas = arrays.sum(axis=(1, 2))
    result = np.zeros(arrays.shape[1:], np.int32)
    for y, x in np.ndindex(*result.shape):
        claims = np.flatnonzero(arrays[:, y, x]).tolist()
        if claims:
            rank = (lambda i: (-areas[i], i)) if policy == "smaller-on-top" else (lambda i: (0, i))
            result[y, x] = max(claims, key=rank) + 1
    return result


@pytest.mark.parametrize("policy", ["smaller-on-top", "order"])
@pytest.mark.parametrize("seed", range(5))
def test_each_pixel(policy: OverlapPolicy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = rng.random((6, 9, 8)) < rng.random((6, 1, 1))
    arrays[4] = arrays[2]  # of equal area
    flat = flatten(runs_of(arrays), policy)
    np.testing.assert_array_equal(flat.index_map, brute_force(arrays, policy))
    assert flat.overlapping == (arrays.sum(axis=0) > 1).sum()


@pytest.mark.parametrize("policy", get_args(OverlapPolicy))
def test_masks_apart_are_the_same_for_all(policy: OverlapPolicy) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (7, 6))
    flat = flatten(MaskRuns.of_id_map(ids)[1], policy)
    np.testing.assert_array_equal(flat.index_map, ids)
    assert flat.overlapping == 0
    assert not flatten(MaskRuns.stack([], (3, 2)), policy).index_map.any()


def test_error_tells_what_overlaps() -> None:
    arrays = np.zeros((4, 5, 6), np.bool_)
    arrays[0, :2] = arrays[3, 1:3, 2:] = arrays[2, 4] = True
    with pytest.raises(OverlapError, match="4 pixels") as caught:
        flatten(runs_of(arrays), "error")
    assert (caught.value.pixels, caught.value.first, caught.value.second) == (4, 0, 3)


def test_policies_by_name() -> None:
    assert [check_policy(name) for name in get_args(OverlapPolicy)] == list(get_args(OverlapPolicy))
    with pytest.raises(
        ConfigError, match="overlap: 'smaller' is unknown; choose among error, smaller-on-top, order"
    ):
        check_policy("smaller")
