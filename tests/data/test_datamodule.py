"""Loaders: batching, order, ranks, epochs, workers, errors of workers."""

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch

from make_data import CATEGORIES, ToyImage, write_panoptic_set
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.config import DataConfig
from spatialflow.data.datamodule import AspectRatioBatches, PanopticData, PanopticLoader
from spatialflow.errors import DataError
from spatialflow.structures import Batch

TOY = Categories.from_json(CATEGORIES)


def toy_data(folder: Path, images: int = 10, seed: int = 0, **options: Any) -> PanopticData:
    """Every third image is a portrait."""
    sizes = [(64, 48) if i % 3 == 0 else (48, 64) for i in range(images)]
    path = write_panoptic_set(folder, [ToyImage(f"{i}", size) for i, size in enumerate(sizes)])
    defaults = {"train_scales": ((64, 48), (96, 72)), "test_scale": (64, 48), "workers": 0}
    config = DataConfig.model_validate({"train": str(path), "val": str(path)} | defaults | options)
    return PanopticData(config, TOY, seed)


def set_epoch(loader: PanopticLoader, epoch: int) -> PanopticLoader:
    assert isinstance(loader.batch_sampler, AspectRatioBatches)
    loader.batch_sampler.set_epoch(epoch)
    return loader


def names(batches: Iterable[Batch]) -> list[str]:
    return [target.file_name for batch in batches for target in batch.targets]


def assert_equal(left: list[Batch], right: list[Batch]) -> None:
    assert names(left) == names(right)
    for a, b in zip(left, right, strict=True):
        assert torch.equal(a.images, b.images)
        assert a.image_sizes == b.image_sizes
        for s, t in zip(a.targets, b.targets, strict=True):
            assert torch.equal(s.id_map, t.id_map)
            assert torch.equal(s.boxes, t.boxes)


def test_images_of_different_sizes_in_one_batch(tmp_path: Path) -> None:
    data = toy_data(tmp_path, 4, eval_batch_size=4, mean=(1, 2, 3), std=(4, 5, 6))
    (batch,) = data.val_dataloader()
    assert batch.images.shape == (4, 3, 64, 64)
    assert batch.images.dtype == torch.float32
    assert batch.image_sizes == ((64, 48), (48, 64), (48, 64), (64, 48))
    for i, (height, width) in enumerate(batch.image_sizes):
        assert batch.targets[i].id_map.shape == (height, width)
        pixels = torch.from_numpy(ToyImage(f"{i}", (height, width)).pixels()).permute(2, 0, 1)
        expected = (pixels - torch.tensor([1.0, 2, 3])[:, None, None]) / torch.tensor([4.0, 5, 6])[
            :, None, None
        ]
        assert torch.equal(batch.images[i, :, :height, :width], expected)
        assert not batch.images[i, :, height:].any()
        assert not batch.images[i, :, :, width:].any()


def test_workers_change_nothing(tmp_path: Path) -> None:
    loaders = {workers: toy_data(tmp_path, workers=workers).train_dataloader() for workers in (0, 2)}
    epochs = {
        workers: [list(set_epoch(loader, epoch)) for epoch in (0, 1)] for workers, loader in loaders.items()
    }
    for epoch in (0, 1):
        assert_equal(epochs[0][epoch], epochs[2][epoch])
        assert_equal(epochs[0][epoch], list(set_epoch(loaders[0], epoch)))
    first, second = epochs[2]
    assert len(first) == len(second) == len(loaders[0]) == 5
    assert names(first) != names(second)
    # the same photo comes in another size
    sizes = [
        {n: size for b in epoch for n, size in zip(names([b]), b.image_sizes, strict=True)}
        for epoch in epochs[2]
    ]
    assert sizes[0] != sizes[1]


def test_images_of_one_batch_draw_differently(tmp_path: Path) -> None:
    data = toy_data(tmp_path, 12, batch_size=4, train_scales=((64, 48), (640, 480)))
    drawn = [size for batch in data.train_dataloader() for size in map(sorted, batch.image_sizes)]
    assert len({tuple(size) for size in drawn}) > 8


def test_another_seed_is_another_order(tmp_path: Path) -> None:
    orders = [names(toy_data(tmp_path, seed=seed).train_dataloader()) for seed in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


@pytest.mark.parametrize("portraits", [0, 7, 30, 61])
def test_every_image_comes_at_most_once_and_little_is_left_out(portraits: int) -> None:
    batches = AspectRatioBatches([i < portraits for i in range(61)], 4, seed=1)
    left_out = Counter[int]()
    mixed = 0
    for epoch in range(40):
        batches.set_epoch(epoch)
        drawn = list(batches)
        assert len(drawn) == len(batches) == 15
        assert {e for batch in drawn for e, _ in batch} == {epoch}
        seen = [i for batch in drawn for _, i in batch]
        assert len(set(seen)) == len(seen) == 60
        left_out.update(set(range(61)) - set(seen))
        mixed = max(mixed, sum(len({i < portraits for _, i in batch}) == 2 for batch in drawn))
    assert len(left_out) > 10  # not always the same one
    assert mixed <= 1


def test_orientations_take_turns_and_lose_alike() -> None:
    batches = AspectRatioBatches([i < 30 for i in range(59)], 4, seed=1)  # left over: 2 and 1
    portrait_first, portrait_lost = 0, 0
    for epoch in range(200):
        batches.set_epoch(epoch)
        drawn = list(batches)
        portrait_first += drawn[0][0][1] < 30
        portrait_lost += 30 - sum(i < 30 for batch in drawn for _, i in batch)
    assert 60 < portrait_first < 140
    assert portrait_lost == 2 * 200  # no whole batch remains of three, so always the same many
    mixed = AspectRatioBatches(
        [i < 31 for i in range(61)], 4, seed=1
    )  # left over: 3 and 2, of which 1 is lost
    lost = Counter[bool]()
    for epoch in range(200):
        mixed.set_epoch(epoch)
        (index,) = set(range(61)) - {i for batch in mixed for _, i in batch}
        lost[index < 31] += 1
    assert 90 < lost[True] < 150  # 3 in 5


def test_ranks_share_the_images_evenly() -> None:
    is_portrait = [i % 4 == 0 for i in range(50)]
    ranks = [AspectRatioBatches(is_portrait, 2, seed=5, rank=rank, world_size=3) for rank in range(3)]
    drawn = [list(rank) for rank in ranks]
    assert {len(d) for d in drawn} == {len(rank) for rank in ranks} == {50 // 6}
    seen = [i for d in drawn for batch in d for _, i in batch]
    assert len(seen) == len(set(seen)) == 48
    steps = [{is_portrait[i] for batch in step for _, i in batch} for step in zip(*drawn, strict=True)]
    assert sum(len(orientations) == 2 for orientations in steps) <= 1


def test_fewer_images_than_a_batch_are_repeated() -> None:
    ranks = [AspectRatioBatches([False, True], 2, seed=0, rank=rank, world_size=2) for rank in range(2)]
    drawn = [list(rank) for rank in ranks]
    assert [len(d) for d in drawn] == [len(rank) for rank in ranks] == [1, 1]
    assert Counter(i for d in drawn for _, i in d[0]) == {0: 2, 1: 2}


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_validation_counts_each_image_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    data = toy_data(tmp_path, eval_batch_size=2)
    seen: list[str] = []
    for rank in range(world_size):
        monkeypatch.setattr(data, "_place", lambda rank=rank: (rank, world_size))
        seen += names(data.val_dataloader())
    assert sorted(seen) == sorted(f"{i}.png" for i in range(10))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_one_line(tmp_path: Path, workers: int) -> None:
    data = toy_data(tmp_path, workers=workers)
    loader = data.val_dataloader()
    photo = tmp_path / "images" / "3.png"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:500])
    with pytest.raises(DataError, match=r"3\.png.*truncated") as caught:
        list(loader)
    assert "\n" not in str(caught.value)
    photo.write_bytes(whole)
    assert len(list(loader)) == 10  # the workers live on


class Recorder(lightning.LightningModule):
    """Trains nothing; notes what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.train_names: list[list[str]] = [[], []]
        self.val_names: list[str] = []

    def training_step(self, batch: Batch, index: int) -> torch.Tensor:
        self.train_names[self.current_epoch] += names([batch])
        return self.weight * batch.images.sum()

    def validation_step(self, batch: Batch, index: int) -> None:
        self.val_names += names([batch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_sets_the_epoch(tmp_path: Path) -> None:
    data, module = toy_data(tmp_path / "data"), Recorder()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=tmp_path,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*many workers.*")
        warnings.filterwarnings("ignore", message=".*logging interval.*")
        trainer.fit(module, datamodule=data)
    again = toy_data(tmp_path / "data")
    for epoch in (0, 1):
        expected = names(set_epoch(again.train_dataloader(), epoch))
        assert module.train_names[epoch] == expected
    assert module.train_names[0] != module.train_names[1]
    assert module.val_names == 2 * [f"{i}.png" for i in range(10)]


@pytest.mark.parametrize("keep", [False, True])
def test_all_of_the_mini_set_loads_without_a_warning(shared_data: Path, keep: bool) -> None:
    folder = shared_data / "coco" / "annotations"
    config = DataConfig(
        train=str(folder / "panoptic_mini_train.json"),
        val=str(folder / "panoptic_mini_val.json"),
        train_scales=((256, 160),),
        test_scale=(256, 160),
        workers=2,
    )
    data = PanopticData(config.model_copy(update={"keep_images_without_things": keep}), coco_panoptic())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*suggested max number of worker.*")  # on a single core
        data.setup("fit")
        train, val = list(data.train_dataloader()), list(data.val_dataloader())
    assert sum(map(len, train)) == (96 if keep else 92)
    assert sum(map(len, val)) == 25
    for batch in [*train, *val]:
        assert np.isfinite(batch.images.numpy()).all()
        for (height, width), target in zip(batch.image_sizes, batch.targets, strict=True):
            truth_size = target.original_size if any(batch is b for b in val) else (height, width)
            assert target.id_map.shape == truth_size
            assert (target.boxes[:, 2:] <= torch.tensor([width, height])).all()
            assert (target.boxes >= 0).all()
