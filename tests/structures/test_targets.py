"""Targets and batches keep their promises."""

import dataclasses
import pickle

import pytest
import torch

from make_model import make_batch, make_target

CAT = 0


def test_targets_and_batches_move_whole() -> None:
    batch = make_batch(make_target((32, 40), (CAT, (0, 0, 9, 9), True)), make_target((50, 20)))
    moved = batch.to("meta")
    assert moved.images.is_meta
    assert moved.image_sizes == batch.image_sizes == ((32, 40), (50, 20))
    assert len(moved) == 2
    for before, after in zip(batch.targets, moved.targets, strict=True):
        for field in dataclasses.fields(before):
            old, new = getattr(before, field.name), getattr(after, field.name)
            if isinstance(old, torch.Tensor):
                assert new.is_meta
                assert not old.is_meta  # the one moved stays where it was
                assert (new.shape, new.dtype) == (old.shape, old.dtype)
            else:
                assert new == old


def test_batches_pass_between_processes() -> None:
    batch = make_batch(make_target((32, 40), (CAT, (0, 0, 9, 9), True)))
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again.images, batch.images)
    assert torch.equal(again.targets[0].id_map, batch.targets[0].id_map)
    assert again.targets[0].is_crowd.tolist() == [True]


def test_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_target((2, 2)).image_id = 3  # type: ignore[misc]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu() -> None:
    batch = make_batch(make_target((32, 40))).pin_memory().to("cuda", non_blocking=True)
    assert batch.images.is_cuda
    assert batch.targets[0].id_map.is_cuda
