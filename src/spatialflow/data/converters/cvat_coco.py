"""The images of CVAT's export "COCO 1.0": annotations/instances_NAME.json, and images.

It is a COCO detection file (cocodataset.org/#format-data), whose polygons and run lengths are read by COCO's
rule; see :mod:`.coco_masks`. Its ``iscrowd`` is 1 for all that was drawn as a mask (datumaro's COCO exporter,
which CVAT uses, stores masks as run lengths and sets it for those), so it does not mean a crowd and is not
taken for one; an attribute ``crowd``, ``iscrowd`` or ``is_crowd`` that is true does. Boxes have no
``segmentation`` there and count as rectangles, by the rule of :mod:`.shape_masks`.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spatialflow import json_fields as fields
from spatialflow.data.converters.coco_images import CocoImages, open_coco
from spatialflow.data.converters.coco_masks import read_segmentation
from spatialflow.data.converters.export_photos import PhotoFolder, image_size
from spatialflow.data.converters.export_rules import CROWD, ExportRules
from spatialflow.data.converters.from_detection import objects_by_image
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.shape_layout import Shape
from spatialflow.data.converters.shape_masks import runs_of_box
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError
from spatialflow.masks.mask_runs import MaskRuns

_Item = tuple[ImageInfo, str, Path | None]
"""An image named relative to the folder of photos, the name of its PNG, and its photo if it is there."""


def read_cvat_coco(
    path: Path, photos: PhotoFolder, rules: ExportRules
) -> tuple[list[Callable[[], PanopticImage]], dict[str, Any]]:
    """What makes each image panoptic, and what the file says besides.

    Raises:
        DataError: the file cannot be read, is of another format, or has a photo twice.
    """
    coco = open_coco(path)
    objects = objects_by_image(coco)
    names = _names_by_id(coco)
    items = _items(coco, photos, rules)

    def read(entry: Mapping[str, Any], size: tuple[int, int]) -> Shape | None:
        category_id = fields.integer(entry, "category_id")
        if category_id not in names:
            raise FieldError("category_id", f"{category_id} is not among the file's categories; add it there")
        chosen = rules.category(names[category_id], "category_id")
        if chosen is None:
            return None
        return Shape(chosen, _mask(entry, size), is_crowd=_is_crowd(entry))

    def convert(item: _Item) -> PanopticImage:
        image, png_name, photo = item
        size = image_size(photo, (image.height, image.width), f"{path}: image {image.file_name!r}")
        shapes = []
        for place, entry in objects.get(image.id, []):
            try:
                shapes.append(read(entry, size))
            except FieldError as error:
                found = error.under(f"annotations[{place}]", f" (image {image.id!r})")
                raise DataError(f"{path}: {found.field}: {found.problem}") from None
        kept = [shape for shape in shapes if shape is not None]
        more = coco.entries[image.id]
        return rules.lay_flat(image, kept, png_name=png_name, source=str(path), more=more)

    return [functools.partial(convert, item) for item in items], coco.head


def _items(coco: CocoImages, photos: PhotoFolder, rules: ExportRules) -> list[_Item]:
    found: dict[str, tuple[ImageInfo, Path | None]] = {}
    for i, image in enumerate(coco.images.values()):
        try:
            name, photo = photos.find(image.file_name, "file_name")
            if name in found:
                raise FieldError("file_name", f"{name!r} is listed twice; keep one, or export it again")
        except FieldError as error:
            problem = error.under(f"images[{i}]")
            raise DataError(f"{coco.path}: {problem.field}: {problem.problem}") from None
        found[name] = ImageInfo(image.id, name, image.height, image.width), photo
        if photo is None:
            rules.tally.add("absent")
    pngs = png_names(found)
    return [(image, png, photo) for (image, photo), png in zip(found.values(), pngs, strict=True)]


def _names_by_id(coco: CocoImages) -> dict[int, str]:
    if not isinstance(coco.categories, list):
        raise DataError(
            f"{coco.path}: categories: the list is missing, so labels are unknown; export it again"
        )
    names: dict[int, str] = {}
    for i, entry in enumerate(coco.categories):
        try:
            category_id, name = fields.integer(entry, "id"), fields.get(entry, "name")
            if category_id in names:
                raise FieldError("id", f"{category_id} is given twice; make each one unique")
        except FieldError as error:
            problem = error.under(f"categories[{i}]")
            raise DataError(f"{coco.path}: {problem.field}: {problem.problem}") from None
        names[category_id] = name
    return names


def _mask(entry: Mapping[str, Any], size: tuple[int, int]) -> MaskRuns:
    segmentation = fields.get(entry, "segmentation")
    if segmentation == []:
        x, y, w, h = fields.bbox(fields.get(entry, "bbox"))
        return runs_of_box((x, y, x + w, y + h), size)
    try:
        return read_segmentation(segmentation, size)
    except FieldError as error:
        raise error.under("segmentation") from None


def _is_crowd(entry: Mapping[str, Any]) -> bool:
    attributes = entry.get("attributes")
    return isinstance(attributes, Mapping) and any(attributes.get(name) in (True, "true") for name in CROWD)
