"""Batches for Lightning: loaders, their workers, and which images come together."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from spatialflow.categories import Categories
from spatialflow.config import DataConfig
from spatialflow.data.coco_panoptic import CocoPanoptic, Example
from spatialflow.data.listed_photos import ListedPhotos
from spatialflow.data.transforms import normalise_and_pad
from spatialflow.errors import SpatialFlowError
from spatialflow.structures import Batch

Draw = tuple[int, int]
"""Epoch and image index: all that an image's scale and flip depend on, besides the seed."""
PhotoSet = CocoPanoptic | ListedPhotos


class AspectRatioBatches(Sampler[list[Draw]]):
    """Shuffled batches of one orientation, so that little of a batch is padding.

    Each epoch shuffles anew, by the seed. What is left over of both orientations makes up mixed batches; less
    than one batch of images is left out an epoch. Images are repeated only if there are fewer than one batch.
    Every rank gets equally many batches of its own, and all ranks the same orientation at a time.

    Args:
        is_portrait: (N,) bool, of each image.
        batch_size: images a rank and step.
        seed: of the order.
        rank: of this process, below ``world_size``.
        world_size: processes that share the images.
    """

    def __init__(
        self, is_portrait: ArrayLike, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self._is_portrait = np.asarray(is_portrait, np.bool_)
        self._batch_size = batch_size
        self._seed = seed % 2**32
        self._rank = rank
        self._step_size = batch_size * world_size
        self._epoch = 0

    @property
    def sampler(self) -> "AspectRatioBatches":
        """Itself: Lightning calls ``set_epoch`` of a batch sampler's ``sampler``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentations of the next iteration."""
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, len(self._is_portrait) // self._step_size)

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, first = self._epoch, self._rank * self._batch_size
        for step in self._steps(np.random.default_rng([self._seed, epoch])):
            yield [(epoch, int(index)) for index in step[first : first + self._batch_size]]

    def _steps(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """(steps, images of all ranks) indices."""
        order = rng.permutation(len(self._is_portrait))
        if len(order) < self._step_size:
            return np.resize(order, (1, self._step_size))
        whole, rest = [], []
        for group in (order[self._is_portrait[order]], order[~self._is_portrait[order]]):
            end = len(group) - len(group) % self._step_size
            whole.append(group[:end])
            rest.append(group[end:])
        left_over = rng.permutation(np.concatenate(rest))
        end = len(left_over) - len(left_over) % self._step_size
        steps = np.concatenate([*whole, left_over[:end]]).reshape(-1, self._step_size)
        return rng.permutation(steps)


class _Draws(Dataset[Example | SpatialFlowError]):
    """Reads what the sampler asks for; an image that cannot be read comes back as its error.

    PyTorch would hand on a worker's exception with the worker's traceback for a message.
    """

    def __init__(self, dataset: PhotoSet, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed % 2**32

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> Example | SpatialFlowError:
        epoch, index = draw
        try:
            # Seeded by image, not by worker: the number of workers and ranks changes nothing.
            return self.dataset.read(index, np.random.default_rng([self._seed, epoch, index]))
        except SpatialFlowError as error:
            return error


class PanopticLoader(DataLoader[Any]):
    """Yields :class:`Batch`; an image that cannot be read raises its one-line DataError here."""

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # no need to show PyTorch's iterator
        for batch in super().__iter__():
            if isinstance(batch, SpatialFlowError):
                raise batch
            yield batch


def collate(
    examples: Sequence[Example | SpatialFlowError], mean: Sequence[float], std: Sequence[float]
) -> Batch | SpatialFlowError:
    """Normalise, pad and stack images of different sizes; the first error among them goes before."""
    good: list[Example] = []
    for example in examples:
        if isinstance(example, SpatialFlowError):
            return example
        good.append(example)
    pixels = [example.image.permute(1, 2, 0).numpy() for example in good]
    images, sizes = normalise_and_pad(pixels, mean, std)
    return Batch(images, sizes, tuple(example.target for example in good))


class PanopticData(LightningDataModule):
    """Training and validation data of a configuration.

    Give the Trainer ``use_distributed_sampler=False``: the loaders share the images among the ranks
    themselves, so that in validation every image counts exactly once. Without a Trainer they read all images.

    Args:
        config: section ``data`` of the configuration.
        categories: classes of the model.
        seed: of order, scales and flips.

    Raises:
        DataError: from ``setup`` on, if the data are not as they should be.
    """

    def __init__(
        self,
        config: DataConfig,
        categories: Categories,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.categories = categories
        self.seed = seed

    @functools.cached_property
    def train_set(self) -> CocoPanoptic:
        """Images trained on; read at first use."""
        config = self.config
        return CocoPanoptic(
            config.train,
            self.categories,
            config.train_images,
            config.train_segments,
            scales=config.train_scales,
            flip=config.flip,
            train=True,
            keep_images_without_things=config.keep_images_without_things,
            seed=self.seed,
        )

    @functools.cached_property
    def val_set(self) -> CocoPanoptic:
        """Images validated on, at the test scale, their truth at the photo's size; read at first use."""
        config = self.config
        return CocoPanoptic(
            config.val,
            self.categories,
            config.val_images,
            config.val_segments,
            scales=(config.test_scale,),
            resize_truth=False,
        )

    @functools.cached_property
    def test_set(self) -> ListedPhotos:
        """Images without truth, at the test scale; read at first use."""
        return ListedPhotos(self.config.test, self.config.test_images, self.config.test_scale)

    def setup(self, stage: str) -> None:
        """Read the annotations that ``stage`` (fit, validate, ...) needs, before long work starts."""
        if stage == "fit":
            _ = self.train_set
        _ = self.val_set

    def steps_per_epoch(self, world_size: int) -> int:
        """Training batches of each of ``world_size`` processes."""
        return len(self._train_batches(0, world_size))

    def train_dataloader(self) -> PanopticLoader:
        """Shuffled, augmented batches; Lightning sets the epoch, or call ``batch_sampler.set_epoch``."""
        return self._loader(self.train_set, batch_sampler=self._train_batches(*self._place()))

    def _train_batches(self, rank: int, world_size: int) -> AspectRatioBatches:
        return AspectRatioBatches(
            self.train_set.is_portrait, self.config.batch_size, self.seed, rank, world_size
        )

    def val_dataloader(self) -> PanopticLoader:
        """All validation images in order, or the Trainer's rank's share of them, each exactly once."""
        return self.ordered_loader(self.val_set, *self._place())

    def ordered_loader(self, photos: PhotoSet, rank: int, world_size: int) -> PanopticLoader:
        """Every ``world_size``-th image from ``rank`` on, in order."""
        draws = [(0, i) for i in range(rank, len(photos), world_size)]
        return self._loader(photos, sampler=draws, batch_size=self.config.eval_batch_size)

    def _place(self) -> tuple[int, int]:
        """Rank and number of ranks."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _loader(self, dataset: PhotoSet, **order: Any) -> PanopticLoader:
        workers = self.config.workers
        return PanopticLoader(
            _Draws(dataset, self.seed),
            num_workers=workers,
            collate_fn=functools.partial(collate, mean=self.config.mean, std=self.config.std),
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_use_one_thread,
            **order,
        )


def _use_one_thread(worker: int) -> None:
    """Workers are the parallelism; threads of each would only fight for the same cores."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
