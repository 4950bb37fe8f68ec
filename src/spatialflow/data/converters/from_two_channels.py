"""The two-channel format of panoptic segmentation to COCO panoptic.

A PNG's first channel is the category, 0 for void, and its second tells the instances of a category apart;
further channels say nothing (Kirillov et al., CVPR 2019, arXiv 1801.00868; panopticapi's CONVERTERS.md).
What is written is what panopticapi's converter of this name writes, with iscrowd, area and box besides, and
with segment ids 1, 2, ... in each image, not random.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.data.converters.category_list import check_agreement, load_categories
from spatialflow.data.converters.coco_images import open_coco
from spatialflow.data.converters.panoptic_image import (
    PanopticImage,
    SegmentLabel,
    from_id_map,
)
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.data.reading import check_size
from spatialflow.errors import DataError
from spatialflow.label_png import read_label_png
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.zip_path import ReadPath, open_folder

VOID = 0
"""The category of void."""


def two_channel_to_panoptic(
    images: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    categories: str | os.PathLike[str] = "coco_panoptic",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert a folder of two-channel PNGs; the segments are in ascending order of category and instance.

    Args:
        images: a COCO JSON file of any kind, whose ``images`` list says which images there are.
        folder: of the two-channel PNGs, or a ``.zip``; each is named as its photo but for the suffix.
        out: the JSON file to write; PNGs go to the folder of that name.
        categories: see :func:`.category_list.load_categories`.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a file cannot be read, a PNG has another size than the list says, or has a category that
            is not among the categories.
        OutputError: a file is in the way or cannot be written.
    """
    coco = open_coco(images)
    names = png_names(image.file_name for image in coco.images.values())
    place = open_folder(folder, "".join(names[:1]))
    if place is None:
        raise DataError(f"{folder}: no such folder of two-channel PNGs; check the path")
    entries = load_categories(categories)
    check_agreement(coco.categories, entries, str(images), str(categories))
    known = Categories.from_json(entries, str(categories))
    items = list(zip(coco.images.values(), names, strict=True))

    def convert(item: tuple[ImageInfo, str]) -> PanopticImage:
        image, name = item
        path = place / name
        category_of, id_map = _read_two_channels(path, image, coco.path)
        for category_id in sorted(set(category_of) - {c.id for c in known})[:1]:
            raise DataError(
                f"{path}: the first channel has {category_id}, which is no category of {categories}; correct "
                f"it, or name the file of its categories (--categories)"
            )
        labels = [SegmentLabel(i, category_id) for i, category_id in enumerate(category_of, 1)]
        return from_id_map(image, id_map, labels, png_name=name, more=coco.entries[image.id])

    return write_panoptic(
        out,
        items,
        convert,
        entries,
        source=images,
        head=coco.head,
        inputs=[folder],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _read_two_channels(
    path: ReadPath, image: ImageInfo, images_json: Path
) -> tuple[list[int], NDArray[np.int32]]:
    """The category of each segment, and the (H, W) map of the segments counted from 1."""
    pixels = read_label_png(path)
    check_size(path, pixels.shape[:2], image, images_json)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise DataError(
            f"{path}: two 8-bit channels are expected, for category and instance, or more; export it again"
        )
    keys = pixels[..., 0] * np.int32(256) + pixels[..., 1]
    keys[pixels[..., 0] == VOID] = 0
    found, runs = MaskRuns.of_id_map(keys)
    return (found >> 8).tolist(), runs.paint()
