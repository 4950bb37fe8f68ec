import numpy as np
import pytest
import torch

from spatialflow.masks.id_map import ids_of, replace_ids


@pytest.mark.parametrize("top", [5, 1 << 15, 1 << 23])
def test_values_are_replaced_as_one_by_one(top):
    rng = np.random.default_rng(top)
    ids = rng.choice(np.arange(1, top), 4, replace=False).astype(np.int32)
    id_map = rng.choice([0, *ids], (13, 17)).astype(np.int32)
    values = [7, -3, 1 << 24, 0]
    expected = np.full(id_map.shape, 255)
    for segment_id, value in zip(ids, values, strict=True):
        expected[id_map == segment_id] = value
    got = replace_ids(torch.from_numpy(id_map), ids.tolist(), values, 255)
    assert got.dtype == torch.int32
    assert (got.numpy() == expected).all()
    assert ids_of(torch.from_numpy(id_map)) == sorted({0, *ids.tolist()})


def test_nothing_there():
    assert replace_ids(torch.zeros(2, 3, dtype=torch.int32), [], [], 9).tolist() == [[9] * 3] * 2
    assert ids_of(torch.zeros(0, 3, dtype=torch.int32)) == []
