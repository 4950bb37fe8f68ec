"""What every predictor does with photos, whatever finds the segments: one, a batch, a stream, or by tiles."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.config import Config, MergeConfig
from spatialflow.errors import DataError
from spatialflow.inference.ahead import ahead
from spatialflow.inference.stitching import Stitcher
from spatialflow.inference.tiles import Tiling
from spatialflow.photo import Photo, as_photo
from spatialflow.stopwatch import stage
from spatialflow.structures import PanopticPrediction

SEEN_SMALL = 4
"""A photo this many times as long as what the network looks at loses things that tiles would show."""


class PhotoPredictor(ABC):
    """Base of the predictors, without a network: a subclass says how arrays become predictions."""

    config: Config
    """Of the model: how photos are prepared and merged."""
    categories: Categories
    """Of the segments."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, str]:
        """What results depend on besides the photo, such as the weights' digest; for ``--resume``."""

    @abstractmethod
    def segment_photos(
        self, photos: Sequence[NDArray[np.uint8]], settings: MergeConfig | None = None
    ) -> list[PanopticPrediction]:
        """Segment photos in one batch.

        Args:
            photos: B x (H, W, 3) uint8 RGB, of any sizes; B may be 0.
            settings: of the merge, instead of the model's own.
        """

    def predict(self, image: Photo, *, tile: Tiling | bool = False) -> PanopticPrediction:
        """Segment one photo.

        Args:
            image: see :data:`spatialflow.photo.Photo`.
            tile: cut photos that are larger than a tile, so that small things in them are found; see
                :class:`Tiling`. ``True`` takes its defaults.

        Raises:
            DataError: a path that is no readable image, or an array of another shape or type.
        """
        with stage("decode"):
            photo = as_photo(image)
        return self._predict(photo, _tiling(tile))

    def predict_many(self, images: Iterable[Photo]) -> list[PanopticPrediction]:
        """Segment several photos in one batch; alike in shape they pad each other least.

        With test-time augmentation they are segmented one after the other.

        Raises:
            DataError: see :meth:`predict`.
        """
        with stage("decode"):
            photos = [as_photo(image) for image in several(images)]
        return self.segment_photos(photos)

    def predict_stream(
        self, images: Iterable[Photo], *, batch_size: int = 1, tile: Tiling | bool = False
    ) -> Iterator[PanopticPrediction]:
        """Segment any number of photos, in order, in constant memory.

        Photos are taken as they are needed and read ahead in a thread while the network computes.

        Args:
            images: a generator, or whatever else can be iterated.
            batch_size: photos that the network sees at once; with ``tile`` always one.
            tile: see :meth:`predict`.

        Yields:
            One prediction a photo.

        Raises:
            DataError: see :meth:`predict`.
            ValueError: ``batch_size`` is less than 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; give 1 or more")
        return self._stream(several(images), batch_size, _tiling(tile))

    def _stream(
        self, images: Iterable[Photo], batch_size: int, tiling: Tiling | None
    ) -> Iterator[PanopticPrediction]:
        with ahead(as_photo, images, batch_size) as read:
            photos = (reading.result() for reading in read)
            if tiling is not None:
                for photo in photos:
                    yield self._predict(photo, tiling)
                return
            while batch := list(itertools.islice(photos, batch_size)):
                yield from self.segment_photos(batch)

    def _predict(self, photo: NDArray[np.uint8], tiling: Tiling | None) -> PanopticPrediction:
        size = photo.shape[0], photo.shape[1]
        tiles = [] if tiling is None else tiling.tiles(size, self.config.data.test_scale)
        if len(tiles) < 2:
            return self.segment_photos([photo])[0]
        merge = self.config.model.merge
        stitcher = Stitcher(size, merge.stuff_area)
        # what is small in one tile may be part of something large
        in_tiles = merge.model_copy(update={"stuff_area": 0})
        for tile in tiles:
            (prediction,) = self.segment_photos([photo[tile.area.slices]], in_tiles)
            stitcher.add(tile, prediction)
        return stitcher.finish()

    def advises_tiles(self, size: tuple[int, int]) -> bool:
        """Whether a photo of ``size`` (H, W) is so large that small things in it are lost without tiles."""
        return max(size) >= SEEN_SMALL * max(self.config.data.test_scale)


def several(images: Iterable[Photo]) -> Iterable[Photo]:
    """See that this is several photos: one path or array can be iterated, too, but is not meant.

    Raises:
        DataError: it is one.
    """
    is_path = isinstance(images, str | bytes) or hasattr(images, "__fspath__")
    # a PIL image cannot even be iterated
    if is_path or not isinstance(images, Iterable) or getattr(images, "ndim", 4) < 4:
        raise DataError(f"images: {type(images).__name__} is one photo, several are expected; give a list")
    return images


def _tiling(tile: Tiling | bool) -> Tiling | None:
    if isinstance(tile, Tiling):
        return tile
    return Tiling() if tile else None
