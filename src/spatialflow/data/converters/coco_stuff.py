"""COCO's instances and COCO's stuff to COCO panoptic, by the rule that COCO's own panoptic files follow.

Stuff classes are merged and removed as for the panoptic challenge (:mod:`.coco_stuff_labels`), and all of a
category in an image is one segment. Things lie over stuff, and where things overlap the one with fewer pixels
is on top; crowds are things with ``iscrowd`` 1 (cocodataset.org/#panoptic-eval). What is left is void. In
COCO's files some overlaps were settled by hand, which no rule repeats.

Segment ids are 1, 2, ... in each image: stuff by ascending category, then things from large to small.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow import json_fields as fields
from spatialflow.categories import COCO_THINGS_OTHER_ID
from spatialflow.data.converters.category_list import check_agreement, load_categories
from spatialflow.data.converters.coco_images import CocoImages, open_coco
from spatialflow.data.converters.coco_stuff_labels import STUFF_CLASSES, panoptic_ids
from spatialflow.data.converters.from_detection import Objects, objects_by_image, read_mask
from spatialflow.data.converters.overlap import flatten
from spatialflow.data.converters.panoptic_image import (
    PanopticImage,
    SegmentMask,
    from_masks,
)
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.data.reading import check_size
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError
from spatialflow.label_png import read_label_png
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.panoptic_annotation import ImageId

StuffReader = Callable[[ImageInfo], list[SegmentMask]]
"""Gives an image's stuff: one mask for each panoptic category, by ascending id, apart from each other."""
_UNLABELED = 255
"""In stuffthingmaps, whose other values are category ids minus one."""


def coco_stuff_to_panoptic(
    instances: str | os.PathLike[str],
    stuff: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Put COCO's annotations of things and of stuff together.

    Args:
        instances: ``instances_*.json``.
        stuff: ``stuff_*.json``, or a folder of stuffthingmaps: PNGs named as the photos. What these say of
            things, such as category 183 (other) in the JSON, is not used.
        out: the JSON file to write; PNGs go to the folder of that name. It has the images of both files.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a file is missing, contradicts itself or the other, or has categories that are not COCO's.
        OutputError: a file is in the way or cannot be written.
    """
    things = open_coco(instances)
    categories = load_categories("coco_panoptic")
    thing_names = {entry["id"]: entry["name"] for entry in categories if entry["isthing"]}
    things_of = _objects(things, thing_names, "things (instances_*.json)")
    images, entries = things.images, things.entries
    if Path(stuff).is_dir():
        read_stuff = _stuff_of_maps(Path(stuff), things.path)
    else:
        stuff_file = open_coco(stuff)
        read_stuff = _stuff_of_json(stuff_file)
        images, entries = _join_images(things, stuff_file)
    names = png_names(image.file_name for image in images.values())

    def convert(item: tuple[ImageInfo, str]) -> PanopticImage:
        image, name = item
        masks = [read_mask(entry, place, image, things.path) for place, entry in things_of.get(image.id, [])]
        masks.sort(key=lambda thing: -int(thing.mask.areas()[0]))
        layers = [*read_stuff(image), *masks]
        more = entries[image.id]
        return from_masks(image, layers, "order", png_name=name, source=str(instances), more=more)

    return write_panoptic(
        out,
        list(zip(images.values(), names, strict=True)),
        convert,
        categories,
        source=instances,
        head=things.head,
        inputs=[stuff],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _objects(coco: CocoImages, names: Mapping[int, str], what: str) -> Objects:
    """A file's objects by image, once their categories are COCO's, which have these names.

    What the category of all things together is called differs, and does not matter.
    """
    remedy = f"give COCO's file of {what}"
    known = [{"id": i, "name": name} for i, name in names.items() if i != COCO_THINGS_OTHER_ID]
    check_agreement(coco.categories, known, str(coco.path), "COCO", remedy)
    objects = objects_by_image(coco)
    for some in objects.values():
        for place, entry in some:
            try:
                category_id = fields.integer(entry, "category_id")
                if category_id not in names:
                    raise FieldError("category_id", f"{category_id} is none of COCO's {what}; {remedy}")
            except FieldError as error:
                found = error.under(f"annotations[{place}]")
                raise DataError(f"{coco.path}: {found.field}: {found.problem}") from None
    return objects


def _join_images(one: CocoImages, other: CocoImages) -> tuple[dict[ImageId, ImageInfo], dict[ImageId, Any]]:
    """The images of two files, and their entries; an image in both must be the same."""
    if one.images and other.images and not one.images.keys() & other.images.keys():
        raise DataError(f"{other.path}: images: none is in {one.path}, too; give files of one split")
    for image_id, image in other.images.items():
        if one.images.get(image_id, image) != image:
            known = one.images[image_id]
            raise DataError(
                f"{other.path}: images: id {image_id!r} is {image.file_name}, {image.width}x{image.height}, "
                f"but in {one.path} {known.file_name}, {known.width}x{known.height}; give files of one split"
            )
    return {**one.images, **other.images}, {**other.entries, **one.entries}


def _stuff_of_json(coco: CocoImages) -> StuffReader:
    """Of ``stuff_*.json``."""
    new_id = panoptic_ids()
    names = {stuff.id: stuff.name for stuff in STUFF_CLASSES} | {COCO_THINGS_OTHER_ID: "things"}
    objects = {
        image_id: [(place, entry) for place, entry in some if new_id.get(entry["category_id"], 0)]
        for image_id, some in _objects(coco, names, "stuff (stuff_*.json)").items()
    }

    def read(image: ImageInfo) -> list[SegmentMask]:
        masks = [read_mask(entry, place, image, coco.path) for place, entry in objects.get(image.id, [])]
        runs = MaskRuns.stack([mask.mask for mask in masks], (image.height, image.width))
        of_mask = np.array([0, *(new_id[mask.category_id] for mask in masks)], np.int32)
        return _masks(of_mask[flatten(runs, "smaller-on-top").index_map])

    return read


def _stuff_of_maps(folder: Path, images_json: Path) -> StuffReader:
    """Of stuffthingmaps."""
    of_value = np.zeros(256, np.int32)
    for category_id, new_id in panoptic_ids().items():
        of_value[category_id - 1] = new_id
    largest = max(panoptic_ids()) - 1

    def read(image: ImageInfo) -> list[SegmentMask]:
        path = folder / PurePosixPath(image.file_name).with_suffix(".png")
        values = read_label_png(path)
        check_size(path, values.shape[:2], image, images_json)
        if values.ndim != 2 or values.dtype != np.uint8:
            raise DataError(f"{path}: one channel of 8 bits is expected, with category ids minus 1")
        wrong = values[(values > largest) & (values != _UNLABELED)]
        if wrong.size:
            raise DataError(
                f"{path}: has the value {wrong[0]}, but stuffthingmaps have category ids minus 1, "
                f"0..{largest}, and {_UNLABELED}; give stuff_*.json instead of maps of another kind"
            )
        return _masks(of_value[values])

    return read


def _masks(category_map: NDArray[np.int32]) -> list[SegmentMask]:
    """The mask of each category in an (H, W) map, by ascending id."""
    found, runs = MaskRuns.of_id_map(category_map)
    return [SegmentMask(category, runs.select(np.array([i]))) for i, category in enumerate(found.tolist())]
