"""Photos that a COCO JSON file lists without ground truth, such as ``image_info_test-dev2017.json``."""

import os
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from spatialflow.data.coco_panoptic import Example
from spatialflow.data.panoptic_json import ImageInfo, read_images
from spatialflow.data.reading import find_images, photo_path, read_listed_photo
from spatialflow.data.transforms import Scale, resize_image, resized_size
from spatialflow.errors import DataError
from spatialflow.structures import Target


class ListedPhotos(Dataset[Example]):
    """Photos in the order of the file; their targets have names and sizes, but no segments.

    Args:
        listed_in: the JSON file, of which only ``images`` is read.
        images: folder or ``.zip`` of the photos; by default see
            :func:`spatialflow.data.reading.find_images`.
        scale: what the photos are resized to.

    Raises:
        DataError: the JSON is wrong or lists no photo, or the folder is missing.
    """

    def __init__(
        self, listed_in: str | os.PathLike[str], images: str | os.PathLike[str] | None, scale: Scale
    ) -> None:
        self.listed_in = Path(listed_in)
        self._infos = list(read_images(listed_in).values())
        if not self._infos:
            raise DataError(f"{listed_in}: images: the list is empty; add at least one photo")
        self.images = find_images(listed_in, self._infos[0].file_name, images)
        self._scale = scale

    def __len__(self) -> int:
        return len(self._infos)

    def info(self, index: int) -> ImageInfo:
        """Id, file name and size of a photo, without reading it."""
        return self._infos[index]

    def original(self, index: int) -> Example:
        """The photo as it is.

        Raises:
            DataError: see :meth:`read`.
        """
        return self._read(index, None)

    def read(self, index: int, rng: np.random.Generator) -> Example:
        """Read and resize one photo; ``rng`` is not used, as nothing is random.

        Raises:
            DataError: the photo is missing, truncated, or not of the size that the file states.
        """
        return self._read(index, self._scale)

    def _read(self, index: int, scale: Scale | None) -> Example:
        info = self._infos[index]
        photo = read_listed_photo(photo_path(self.images, info.file_name), info, self.listed_in)
        size = (info.height, info.width)
        # a copy, since what a decoder gives may be read-only, which PyTorch's tensors cannot be
        image = photo.copy() if scale is None else resize_image(photo, resized_size(size, scale))
        target = Target(
            id_map=torch.zeros(0, 0, dtype=torch.int32),
            ids=torch.zeros(0, dtype=torch.int64),
            labels=torch.zeros(0, dtype=torch.int64),
            is_crowd=torch.zeros(0, dtype=torch.bool),
            boxes=torch.zeros(0, 4),
            image_id=info.id,
            file_name=info.file_name,
            original_size=size,
        )
        return Example(torch.from_numpy(image).permute(2, 0, 1), target)
