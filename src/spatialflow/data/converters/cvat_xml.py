"""The images of an XML file of CVAT's format "CVAT for images 1.1".

Facts of the format are from CVAT's documentation ("XML annotation format") and its
dataset_manager/formats/cvat.py. Polygons, boxes, ellipses (both perhaps turned about their middle) and masks
have pixels, by the rule of :mod:`.shape_masks`; a mask's ``rle`` counts pixels outside, inside, outside, ...
row by row in its box. Polylines, points, cuboids, skeletons and tags have none. Shapes of one label and one
``group_id`` other than 0 are one instance. Shapes marked ``outside`` are left out, and ``occluded`` ones are
as others. An attribute ``crowd``, ``iscrowd`` or ``is_crowd`` that is true makes a shape a crowd.
"""

import functools
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.converters.export_photos import PhotoFolder, image_size
from spatialflow.data.converters.export_rules import CROWD, ExportRules
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.shape_layout import Shape
from spatialflow.data.converters.shape_masks import runs_at, runs_of_box, runs_of_ellipse, runs_of_polygon
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError, is_number, show
from spatialflow.masks.mask_runs import MaskRuns

_AREAS = ("polygon", "box", "ellipse", "mask")
_NO_AREAS = ("polyline", "points", "cuboid", "skeleton", "tag")


@dataclass(slots=True)
class _Drawn:
    """One element of an image."""

    kind: str
    attributes: Mapping[str, str]
    is_crowd: bool


@dataclass(slots=True)
class _Image:
    name: str
    """As the file has it."""
    attributes: Mapping[str, str]
    shapes: list[_Drawn]
    png_name: str = ""
    found: tuple[str, Path | None] = ("", None)
    """Its name relative to the folder of photos, and its path if it is there."""


def read_cvat_xml(
    path: Path, photos: PhotoFolder, rules: ExportRules
) -> tuple[list[Callable[[], PanopticImage]], dict[str, Any]]:
    """What makes each image panoptic, and what the file says besides: nothing.

    Raises:
        DataError: the file cannot be read, is of another format, or has a photo twice.
    """
    images = _read(path)
    seen: dict[str, str] = {}
    for image in images:
        where = f"{path}: image {image.name!r}"
        try:
            image.found = photos.find(image.name, "name")
        except FieldError as error:
            raise DataError(f"{where}: {error.field}: {error.problem}") from None
        if image.found[0] in seen:
            raise DataError(f"{where}: is listed twice; keep one, or export the task again")
        seen[image.found[0]] = image.name
        if image.found[1] is None:
            rules.tally.add("absent")
    for image, png_name in zip(images, png_names(seen), strict=True):
        image.png_name = png_name

    def convert(image_id: int, image: _Image) -> PanopticImage:
        where = f"{path}: image {image.name!r}"
        try:
            stated = (_positive(image.attributes, "height"), _positive(image.attributes, "width"))
            size = image_size(image.found[1], stated, where)
            shapes = list(_shapes(image, size, rules))
        except FieldError as error:
            raise DataError(f"{where}: {error.field}: {error.problem}") from None
        info = ImageInfo(image_id, image.found[0], *size)
        return rules.lay_flat(info, shapes, png_name=image.png_name, source=str(path))

    return [functools.partial(convert, i, image) for i, image in enumerate(images, 1)], {}


def _read(path: Path) -> list[_Image]:
    images: list[_Image] = []
    try:
        with path.open("rb") as file:
            events = ET.iterparse(file, ("start", "end"))
            _, root = next(events)
            if root.tag != "annotations":
                raise _other_format(path, f"begins with <{root.tag}>")
            for event, element in events:
                if event == "start" and element.tag == "track":
                    raise _other_format(path, "has tracks, as CVAT for video")
                if event == "end" and element.tag == "image":
                    shapes = [_drawn(child) for child in element]
                    images.append(_Image(element.get("name", ""), dict(element.attrib), shapes))
                    root.clear()  # so that the tree does not grow with the file
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ET.ParseError as error:
        if zipfile.is_zipfile(path):
            raise DataError(f"{path}: is a .zip archive; unpack it, and name the XML file in it") from error
        raise DataError(
            f"{path}: is not valid XML ({error}); it may be truncated, export it again"
        ) from error
    return images


def _other_format(path: Path, sign: str) -> DataError:
    return DataError(f"{path}: {sign}, so it is of another format; export it as CVAT for images 1.1")


def _drawn(element: ET.Element) -> _Drawn:
    texts = {a.get("name", "").lower(): (a.text or "").strip().lower() for a in element.iter("attribute")}
    is_crowd = any(texts.get(name) in ("true", "1") for name in CROWD)
    return _Drawn(element.tag, dict(element.attrib), is_crowd)


def _shapes(image: _Image, size: tuple[int, int], rules: ExportRules) -> Iterator[Shape]:
    """From the lowest to the topmost."""
    ordered = []
    for i, drawn in enumerate(image.shapes):
        where = f"{drawn.kind}[{i}]"
        try:
            if drawn.kind in _NO_AREAS:
                rules.tally.add("kind", drawn.kind)
            elif drawn.attributes.get("outside", "0") not in ("0", ""):
                rules.tally.add("outside")
            else:
                category_id = rules.category(drawn.attributes.get("label"))
                if category_id is not None:
                    group = _integer(drawn.attributes, "group_id", 0) or None
                    shape = Shape(category_id, _mask(drawn, size), group, drawn.is_crowd)
                    ordered.append((_integer(drawn.attributes, "z_order", 0), i, shape))
        except FieldError as error:
            raise error.under(where) from None
    ordered.sort(key=lambda entry: entry[:2])
    return (shape for _, _, shape in ordered)


def _mask(drawn: _Drawn, size: tuple[int, int]) -> MaskRuns:
    given = drawn.attributes
    if drawn.kind == "polygon":
        return runs_of_polygon(_points(given), size)
    if drawn.kind == "box":
        x1, y1, x2, y2 = (_number(given, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        return runs_of_box((x1, y1, x2, y2), size, _number(given, "rotation", 0.0))
    if drawn.kind == "ellipse":
        x, y, rx, ry = (_number(given, key) for key in ("cx", "cy", "rx", "ry"))
        return runs_of_ellipse((x, y), (rx * rx, ry * ry), size, _number(given, "rotation", 0.0))
    if drawn.kind == "mask":
        return _rle_mask(given, size)
    known = ", ".join((*_AREAS, *_NO_AREAS))
    raise FieldError("", f"shapes of this kind are unknown; these are known: {known}")


def _rle_mask(given: Mapping[str, str], size: tuple[int, int]) -> MaskRuns:
    width, height = _positive(given, "width"), _positive(given, "height")
    if width > size[1] or height > size[0]:
        raise FieldError("width", f"{width}x{height} is larger than the image of {size[1]}x{size[0]}")
    text = given.get("rle", "")
    try:
        counts = np.array([int(count) for count in text.split(",")], np.int64)
    except (ValueError, OverflowError):
        raise FieldError("rle", f"counts with commas are expected, got {show(text)}") from None
    pixels = int(counts.clip(-1, width * height + 1).sum())
    if counts.min() < 0 or pixels != width * height:
        raise FieldError("rle", f"its runs do not add up to {width}x{height} pixels; export it again")
    is_inside = np.arange(len(counts)) % 2 == 1
    mask = np.repeat(is_inside, counts).reshape(height, width)
    return runs_at(mask, _integer(given, "left"), _integer(given, "top"), size)


def _points(given: Mapping[str, str]) -> NDArray[np.float64]:
    """(K, 2) x, y of "x,y;x,y;..."."""
    text = given.get("points", "")
    try:
        points = [[float(number) for number in point.split(",")] for point in text.split(";") if point]
    except ValueError:
        points = [[]]
    if not all(len(point) == 2 and all(map(is_number, point)) for point in points):
        raise FieldError("points", f"x,y;x,y;... is expected, got {show(text)}")
    return np.array(points, np.float64).reshape(-1, 2)


def _number(given: Mapping[str, str], key: str, default: float | None = None) -> float:
    text = given.get(key)
    if text is None and default is not None:
        return default
    try:
        number = float(text or "")
    except ValueError:
        number = float("nan")
    if not is_number(number):
        raise FieldError(key, f"a number is expected, got {show(text)}")
    return number


def _integer(given: Mapping[str, str], key: str, default: int | None = None) -> int:
    number = _number(given, key, default)
    if number != int(number):
        raise FieldError(key, f"a whole number is expected, got {show(given.get(key))}")
    return int(number)


def _positive(given: Mapping[str, str], key: str) -> int:
    number = _integer(given, key)
    if number < 1:
        raise FieldError(key, f"1 or more pixels are expected, got {number}")
    return number
