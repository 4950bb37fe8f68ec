"""COCO detection format to COCO panoptic, in which each pixel belongs to one segment at most.

What is written is what panopticapi's converter of this name writes (github.com/cocodataset/panopticapi), but:
area and box are counted from the pixels instead of copied; a PNG has the photo's name up to its last dot, not
its first; segment ids are 1, 2, ... in each image, not random; masks may overlap where a policy says how.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.data.converters.category_list import check_agreement, load_categories
from spatialflow.data.converters.coco_images import CocoImages, open_coco
from spatialflow.data.converters.coco_masks import read_segmentation
from spatialflow.data.converters.overlap import OverlapPolicy, check_policy
from spatialflow.data.converters.panoptic_image import (
    PanopticImage,
    SegmentMask,
    from_masks,
)
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError
from spatialflow.panoptic_annotation import ImageId

Objects = dict[ImageId, list[tuple[int, Mapping[str, Any]]]]
"""Entries of ``annotations`` by image, each with its place in the list."""


def detection_to_panoptic(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    categories: str | os.PathLike[str] | None = None,
    overlap: OverlapPolicy = "error",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Lay the masks of each image flat; every image of the list gets a PNG, void where no mask is.

    Args:
        source: a COCO detection JSON file with ``images`` and ``annotations``, such as of instances or stuff.
        out: the JSON file to write; PNGs go to the folder of that name.
        categories: see :func:`.category_list.load_categories`. By default the file's own if they say what is
            a thing, else COCO's panoptic ones.
        overlap: what becomes of pixels in several masks; see :mod:`.overlap`.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: the source cannot be read or contradicts itself, its categories are others, or its masks
            overlap and may not.
        OutputError: a file is in the way or cannot be written.
        ConfigError: no such overlap policy.
    """
    overlap = check_policy(overlap)
    coco = open_coco(source)
    chosen = _categories_of(coco) if categories is None else categories
    entries = load_categories(chosen)
    check_agreement(coco.categories, entries, str(source), str(chosen))
    objects = objects_by_image(coco)
    names = png_names(image.file_name for image in coco.images.values())
    items = list(zip(coco.images.values(), names, strict=True))

    def convert(item: tuple[ImageInfo, str]) -> PanopticImage:
        image, png_name = item
        masks = [read_mask(entry, place, image, coco.path) for place, entry in objects.get(image.id, [])]
        more = coco.entries[image.id]
        return from_masks(image, masks, overlap, png_name=png_name, source=str(source), more=more)

    return write_panoptic(
        out,
        items,
        convert,
        entries,
        source=source,
        head=coco.head,
        inputs=[chosen],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _categories_of(coco: CocoImages) -> str | os.PathLike[str]:
    """The file itself, if its categories say what is a thing, else COCO's."""
    stated = coco.categories if isinstance(coco.categories, list) else []
    tells = any(isinstance(entry, Mapping) and "isthing" in entry for entry in stated)
    return coco.path if tells else "coco_panoptic"


def objects_by_image(coco: CocoImages) -> Objects:
    """The objects of each image, in the order of the file.

    Raises:
        DataError: the file has none, or one of no image.
    """
    if not isinstance(coco.annotations, list):
        raise DataError(
            f"{coco.path}: annotations: the list is missing, so this is not a COCO detection file; choose "
            f"another"
        )
    objects: Objects = {}
    for place, entry in enumerate(coco.annotations):
        try:
            image_id = fields.image_id(entry, "image_id")
            if image_id not in coco.images:
                raise FieldError(
                    "image_id",
                    f"{image_id!r} is not the id of any entry of images; add the image or drop this",
                )
            if "segments_info" in entry:
                raise FieldError("segments_info", "is of COCO panoptic, so this file needs no conversion")
        except FieldError as error:
            raise _at(coco.path, place, error) from None
        objects.setdefault(image_id, []).append((place, entry))
    return objects


def read_mask(entry: Mapping[str, Any], place: int, image: ImageInfo, path: Path) -> SegmentMask:
    """The mask of an object, which is at this place of the list in ``path``.

    Raises:
        DataError: its category, iscrowd or mask is missing or wrong.
    """
    try:
        category_id = fields.integer(entry, "category_id")
        is_crowd = entry.get("iscrowd", 0)
        if is_crowd not in (0, 1):
            raise FieldError("iscrowd", f"0 or 1 is expected, got {fields.show(is_crowd)}")
        segmentation = fields.get(entry, "segmentation")
        try:
            runs = read_segmentation(segmentation, (image.height, image.width))
        except FieldError as error:
            raise error.under("segmentation", f" (image {image.id!r})") from None
    except FieldError as error:
        raise _at(path, place, error) from None
    return SegmentMask(category_id, runs, bool(is_crowd))


def _at(path: Path, place: int, error: FieldError) -> DataError:
    found = error.under(f"annotations[{place}]")
    return DataError(f"{path}: {found.field}: {found.problem}")
