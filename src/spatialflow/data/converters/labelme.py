"""labelme (github.com/wkentaro/labelme): a JSON file beside each photo, to COCO panoptic.

Facts of the format are from labelme's label_file.py, shape.py and examples. Of the shapes, polygons,
rectangles (of two corners, or of four, which may be turned), circles (the centre, and a point on the outline)
and masks (a PNG for the box from the first point to the second, both included) have pixels, by the rule of
:mod:`.shape_masks`; points and lines have none. Shapes of one label and one ``group_id`` are one instance. A
flag ``crowd`` or ``iscrowd`` of a shape makes it a crowd; other flags say nothing.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow import json_fields as fields
from spatialflow.data.converters.embedded_images import mask_of_base64, size_of_base64
from spatialflow.data.converters.export_notes import ExportConversion
from spatialflow.data.converters.export_photos import PhotoFolder, image_size, name_inside
from spatialflow.data.converters.export_rules import CROWD, ExportRules
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.panoptic_output import Progress
from spatialflow.data.converters.shape_layout import Shape
from spatialflow.data.converters.shape_masks import runs_at, runs_of_box, runs_of_ellipse, runs_of_polygon
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.json_fields import FieldError
from spatialflow.masks.mask_runs import MaskRuns

_AREAS = ("polygon", "rectangle", "rotation", "oriented_rectangle", "circle", "mask")
_NO_AREAS = ("point", "points", "line", "linestrip")


def labelme_to_panoptic(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    classes: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    overlap: OverlapPolicy = "error",
    ignore_unknown: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportConversion:
    """Convert all labelme JSON files in a folder and those below it, by name; other JSON files are left out.

    The PNGs have the names of the JSON files; photos are named relative to ``images``.

    Args:
        folder: of the JSON files.
        out: the JSON file to write; PNGs go to the folder of that name.
        classes: a YAML file of things and stuff; see :mod:`.class_list`.
        images: the folder of the photos, in which they are found by the end of their ``imagePath``. By
            default they are where ``imagePath`` says, which may not leave ``folder``.
        overlap: what becomes of pixels in several segments; see :mod:`.overlap`. The last listed shape is on
            top by ``order``.
        ignore_unknown: leave out shapes whose label is not among the classes, instead of refusing them.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a file cannot be read or is wrong, a photo has another size, a label is unknown, or shapes
            overlap and may not.
        OutputError: a file is in the way or cannot be written.
        ConfigError: no such overlap policy.
    """
    rules = ExportRules.load(classes, overlap, ignore_unknown)
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: no such folder of labelme JSON files; check the path")
    photos = PhotoFolder(folder if images is None else images, is_given=images is not None)
    paths = list(_find(Path(folder), rules))
    if not paths:
        raise DataError(
            f"{folder}: no labelme JSON file (with shapes and imagePath) is in it; check the path"
        )
    reader = _Reader(Path(folder), photos, rules)
    return rules.write(
        out,
        list(enumerate(paths, 1)),
        reader.convert,
        source=folder,
        inputs=[photos.folder, *paths],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _find(folder: Path, rules: ExportRules) -> Iterator[Path]:
    """The JSON files of a folder that are labelme's."""
    for path in sorted(folder.rglob("*.json")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        content = path.read_bytes()
        if b'"shapes"' in content or b'"imagePath"' in content:
            yield path
        elif content.strip():
            rules.tally.add("other", path.relative_to(folder).as_posix())
        else:
            raise DataError(f"{path}: the file is empty; remove it, or save the photo's shapes again")


class _Reader:
    """One file after the other, from several threads."""

    def __init__(self, folder: Path, photos: PhotoFolder, rules: ExportRules) -> None:
        self._folder = folder
        self._photos = photos
        self._rules = rules
        self._lock = threading.Lock()
        self._json_of: dict[str, Path] = {}
        """The file that is of each photo."""

    def convert(self, item: tuple[int, Path]) -> PanopticImage:
        image_id, path = item
        content = read_json(path)
        try:
            name, size = self._photo(content, path)
            shapes = list(self._shapes(content, size))
        except FieldError as error:
            raise DataError(f"{path}: {error.field}: {error.problem}") from None
        self._claim(name, path)
        png_name = path.relative_to(self._folder).with_suffix(".png").as_posix()
        image = ImageInfo(image_id, name, *size)
        return self._rules.lay_flat(image, shapes, png_name=png_name, source=str(path))

    def _photo(self, content: Any, path: Path) -> tuple[str, tuple[int, int]]:
        """The photo's name relative to its folder, and the image's (H, W)."""
        stated = fields.get(content, "imagePath")
        if not self._photos.is_given:
            stated = name_inside(stated, "imagePath")
        if isinstance(stated, str) and path.parent != self._folder:
            stated = f"{path.parent.relative_to(self._folder).as_posix()}/{stated}"
        name, photo = self._photos.find(stated, "imagePath")
        height, width = (
            None if content.get(key) is None else fields.positive(content, key)
            for key in ("imageHeight", "imageWidth")
        )
        size = None if height is None or width is None else (height, width)
        data = content.get("imageData")
        if photo is None and data is not None:
            held = size_of_base64(data, "imageData")
            if size not in (None, held):
                raise FieldError("imageData", f"is {held[1]}x{held[0]} pixels, {width}x{height} are stated")
            size = held
        if photo is None:
            self._rules.tally.add("absent" if data is None else "embedded")
        return name, image_size(photo, size, str(path))

    def _claim(self, name: str, path: Path) -> None:
        with self._lock:
            other = self._json_of.setdefault(name, path)
        if other != path:
            first, second = sorted((other, path))
            raise DataError(f"{second}: imagePath: {name!r} is the photo of {first} too; remove one of them")

    def _shapes(self, content: Mapping[str, Any], size: tuple[int, int]) -> Iterator[Shape]:
        shapes = fields.get(content, "shapes")
        if not isinstance(shapes, list):
            raise FieldError("shapes", f"a list is expected, got {fields.show(shapes)}")
        for i, entry in enumerate(shapes):
            try:
                label = fields.get(entry, "label")
                kind = entry.get("shape_type") or "polygon"  # files of old versions have no other
                if kind in _NO_AREAS:
                    self._rules.tally.add("kind", kind)
                    continue
                category_id = self._rules.category(label)
                if category_id is not None:
                    yield Shape(category_id, _mask(entry, kind, size), _group(entry), _is_crowd(entry))
            except FieldError as error:
                raise error.under(f"shapes[{i}]") from None


def _mask(entry: Mapping[str, Any], kind: Any, size: tuple[int, int]) -> MaskRuns:
    if kind not in _AREAS:
        raise FieldError("shape_type", f"{fields.show(kind)} is unknown; {', '.join(_AREAS)} are known")
    points = _points(fields.get(entry, "points"))
    if kind in ("circle", "mask") and len(points) != 2:
        raise FieldError("points", f"two points are expected of a {kind}, got {len(points)}")
    if kind == "circle":
        squared = float(((points[1] - points[0]) ** 2).sum())
        return runs_of_ellipse((points[0, 0], points[0, 1]), (squared, squared), size)
    if kind == "mask":
        return _png_mask(entry, points, size)
    if kind == "rectangle" and len(points) == 2:
        return runs_of_box((*points[0], *points[1]), size)
    return runs_of_polygon(points, size)


def _png_mask(entry: Mapping[str, Any], points: NDArray[np.float64], size: tuple[int, int]) -> MaskRuns:
    mask = mask_of_base64(fields.get(entry, "mask"), "mask")
    left, top, right, bottom = points.astype(np.int64).ravel().tolist()
    if mask.shape != (bottom - top + 1, right - left + 1):
        raise FieldError(
            "mask",
            f"the PNG is {mask.shape[1]}x{mask.shape[0]}, the box of its points {right - left + 1}x"
            f"{bottom - top + 1} pixels; draw it again",
        )
    return runs_at(mask, left, top, size)


def _points(value: Any) -> NDArray[np.float64]:
    """(K, 2) x, y."""
    if not isinstance(value, list):
        raise FieldError("points", f"a list of [x, y] is expected, got {fields.show(value)}")
    for i, point in enumerate(value):
        if not isinstance(point, list) or len(point) != 2 or not all(map(fields.is_number, point)):
            raise FieldError(f"points[{i}]", f"[x, y] is expected, got {fields.show(point)}")
    return np.array(value, np.float64).reshape(-1, 2)


def _group(entry: Mapping[str, Any]) -> int | str | None:
    group = entry.get("group_id")
    if group is not None and type(group) not in (int, str):
        raise FieldError("group_id", f"a whole number or null is expected, got {fields.show(group)}")
    return group


def _is_crowd(entry: Mapping[str, Any]) -> bool:
    flags = entry.get("flags")
    return isinstance(flags, Mapping) and any(flags.get(name) is True for name in CROWD)
