"""COCO-panoptic JSON (cocodataset.org/#format-data): parsed, checked, and typed.

Every fault is one line that names the file, the field (such as ``annotations[3].segments_info[0].id``) and
the remedy.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spatialflow import json_fields as fields
from spatialflow.categories import DETECTION_REMEDY, Categories
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.json_fields import FieldError
from spatialflow.panoptic_annotation import ImageAnnotation, ImageId, parse_annotation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One photo: an entry of ``images``."""

    id: ImageId
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class PanopticFile:
    """One COCO-panoptic JSON file, in the order of the file."""

    path: Path
    categories: Categories | None
    """None only for predictions that state none."""
    images: dict[ImageId, ImageInfo]
    """By id; empty for predictions, which need not state them."""
    annotations: dict[ImageId, ImageAnnotation]
    """By image id; in ground truth an image may have none."""
    photo_names: dict[ImageId, str] = field(default_factory=dict)
    """Of predictions that name their photos, as ours do; others need not."""

    @property
    def example(self) -> str:
        """Name of a PNG; ``""`` if there is none."""
        return next((annotation.file_name for annotation in self.annotations.values()), "")


def read_truth(path: str | os.PathLike[str]) -> PanopticFile:
    """Read ground truth: ``images``, ``annotations`` and ``categories``.

    Raises:
        DataError: the file cannot be read, is not COCO panoptic, lacks a key, or contradicts itself.
    """
    path = Path(path)
    return parse_truth(read_panoptic(path), path)


def parse_truth(content: Mapping[str, Any], path: Path, is_complete: bool = True) -> PanopticFile:
    """The content of ``path`` as :func:`read_truth` gives it.

    Args:
        content: of the file, see :func:`read_panoptic`.
        path: named in errors.
        is_complete: whether each segment must state area and iscrowd, which not all files have.

    Raises:
        DataError: the file is not COCO panoptic, lacks a key, or contradicts itself.
    """
    for key in ("images", "categories"):
        if key not in content:
            raise DataError(
                f"{path}: {key}: the key is missing; ground truth needs images, annotations, categories"
            )
    categories = Categories.from_json(content["categories"], str(path))
    try:
        images = parse_images(content["images"])
        annotations = _read_annotations(content["annotations"], is_truth=is_complete)
        _check_references(annotations, images, categories)
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None
    return PanopticFile(path, categories, images, annotations)


def read_prediction(path: str | os.PathLike[str]) -> PanopticFile:
    """Read a prediction: only ``annotations`` is needed, and of a segment only ``id`` and ``category_id``.

    A segment listed twice with one category counts once, as in the reference evaluation (the original code
    writes such files). Whether categories exist is for the ground truth to say, so it is not checked here.

    Raises:
        DataError: the file cannot be read, is not COCO panoptic, lacks a key, or contradicts itself.
    """
    path = Path(path)
    content = read_panoptic(path)
    stated = content.get("categories")
    categories = None if stated is None else Categories.from_json(stated, str(path))
    try:
        annotations = _read_annotations(content["annotations"], is_truth=False)
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None
    return PanopticFile(path, categories, {}, annotations, _photo_names(content.get("images")))


def _photo_names(entries: Any) -> dict[ImageId, str]:
    """File names by image id, as far as there are any; predictions need none, so nothing is a fault."""
    if not isinstance(entries, list):
        return {}
    return {
        entry["id"]: entry["file_name"]
        for entry in entries
        if isinstance(entry, Mapping)
        and isinstance(entry.get("id"), int | str)
        and isinstance(entry.get("file_name"), str)
    }


def read_images(path: str | os.PathLike[str]) -> dict[ImageId, ImageInfo]:
    """Read only ``images``, as COCO's files of test images have them (``image_info_test-dev2017.json``).

    Raises:
        DataError: the file cannot be read, or has no such list.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, Mapping) or "images" not in content:
        raise DataError(
            f"{path}: images: the key is missing; a list of photos (id, file_name, height, width) is expected"
        )
    try:
        return parse_images(content["images"])
    except FieldError as error:
        raise DataError(f"{path}: {error.field}: {error.problem}") from None


def read_panoptic(path: Path) -> Mapping[str, Any]:
    """A file's top level, once it is plain that this is COCO panoptic and not one of its cousins.

    Raises:
        DataError: the file cannot be read, or is of another kind.
    """
    content = read_json(path)
    if isinstance(content, list):
        raise DataError(
            f"{path}: is a bare list of results, not COCO panoptic; an object with images, annotations (each "
            f"with segments_info) and categories is expected"
        )
    if not isinstance(content, Mapping) or "annotations" not in content:
        raise DataError(
            f"{path}: annotations: the key is missing, so this is not a COCO-panoptic file; choose another"
        )
    entries = content["annotations"]
    first = entries[0] if isinstance(entries, list) and entries else None
    if (
        isinstance(first, Mapping)
        and "segments_info" not in first
        and {"segmentation", "bbox"} & first.keys()
    ):
        raise DataError(
            f"{path}: annotations[0]: segments_info is missing and each object has its own annotation, so "
            f"this is a COCO detection file; {DETECTION_REMEDY}"
        )
    return content


def _by_id(
    entries: Any, name: str, parse: Callable[[Any], T], key: Callable[[T], ImageId], key_name: str
) -> dict[ImageId, T]:
    """Parse a list of objects into a dictionary, in order, refusing a second entry of one image."""
    if not isinstance(entries, list):
        raise FieldError(name, f"a list is expected, got {fields.show(entries)}")
    found: dict[ImageId, T] = {}
    for i, entry in enumerate(entries):
        try:
            item = parse(entry)
            if key(item) in found:
                raise FieldError(key_name, f"image {key(item)!r} is given twice; keep one entry an image")
        except FieldError as error:
            raise error.under(f"{name}[{i}]") from None
        found[key(item)] = item
    return found


def parse_images(entries: Any) -> dict[ImageId, ImageInfo]:
    """The ``images`` list of a COCO file, by id.

    Raises:
        FieldError: it is no such list, or an id is given twice.
    """
    return _by_id(entries, "images", _parse_image, lambda image: image.id, "id")


def _read_annotations(entries: Any, is_truth: bool) -> dict[ImageId, ImageAnnotation]:
    def parse(entry: Any) -> ImageAnnotation:
        return parse_annotation(entry, is_truth)

    return _by_id(entries, "annotations", parse, lambda annotation: annotation.image_id, "image_id")


def _check_references(
    annotations: dict[ImageId, ImageAnnotation], images: dict[ImageId, ImageInfo], categories: Categories
) -> None:
    for i, annotation in enumerate(annotations.values()):
        if annotation.image_id not in images:
            problem = (
                f"{annotation.image_id!r} is not the id of any entry of images; add the image or drop this"
            )
            raise FieldError(f"annotations[{i}].image_id", problem)
        for j, segment in enumerate(annotation.segments):
            if segment.category_id not in categories:
                problem = (
                    f"{segment.category_id} is not among the categories (image {annotation.image_id!r}, "
                    f"segment {segment.id}); correct it or add the category"
                )
                raise FieldError(f"annotations[{i}].segments_info[{j}].category_id", problem)


def _parse_image(entry: Any) -> ImageInfo:
    image_id = fields.image_id(entry, "id")
    height, width = fields.positive(entry, "height"), fields.positive(entry, "width")
    return ImageInfo(image_id, fields.file_name(entry), height, width)
