"""A folder of masks as PNGs, which many tools and scripts can write, to COCO panoptic.

See :mod:`.mask_layout` for how the files may lie. In a mask each pixel that is not 0 (black, or transparent)
belongs to it. In a map of ids each pixel is the id of a class in the YAML file, or in a map of three channels
the colour of one; 0 (black) that is of no class is void.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.data.converters.export_notes import ExportConversion
from spatialflow.data.converters.export_photos import PhotoFolder, files_below, image_size
from spatialflow.data.converters.export_rules import ExportRules
from spatialflow.data.converters.mask_layout import MaskFile, MaskLayout, MaskNames
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.panoptic_output import Progress
from spatialflow.data.converters.shape_layout import Shape
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError
from spatialflow.json_fields import FieldError
from spatialflow.label_png import read_label_png
from spatialflow.masks.mask_runs import MaskRuns


class _Item(NamedTuple):
    id: int
    photo: str
    png_name: str
    masks: list[MaskFile]


def masks_to_panoptic(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    classes: str | os.PathLike[str],
    images: str | os.PathLike[str],
    layout: MaskLayout = "auto",
    split: bool = False,
    overlap: OverlapPolicy = "error",
    ignore_unknown: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportConversion:
    """Convert the masks of all photos in a folder and those below it, by name.

    A mask of a thing is one instance. Photos that have no mask become void.

    Args:
        folder: of the PNGs.
        out: the JSON file to write; PNGs go to the folder of that name.
        classes: a YAML file of things and stuff; see :mod:`.class_list`.
        images: the folder of the photos.
        layout: of the PNGs; see :mod:`.mask_layout`.
        split: make each part of a thing's mask that is apart from the others, corners included, an instance.
        overlap: what becomes of pixels in several segments; see :mod:`.overlap`. By ``order`` things lie over
            stuff, and else the last PNG by name is on top.
        ignore_unknown: leave out masks whose class, or pixels whose id, is not among the classes, instead of
            refusing them.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a PNG cannot be read, is of no photo or of another size, a class is unknown, or masks
            overlap and may not.
        OutputError: a file is in the way or cannot be written.
        ConfigError: no such overlap policy or layout.
    """
    rules = ExportRules.load(classes, overlap, ignore_unknown)
    masks = Path(folder)
    if not masks.is_dir():
        raise DataError(f"{folder}: no such folder of masks; check the path")
    photos = PhotoFolder(images, is_given=True)
    items = list(_items(masks, photos, layout, rules))

    def convert(item: _Item) -> PanopticImage:
        size: tuple[int, int] | None = None
        found: list[tuple[MaskFile, NDArray[Any]]] = []
        for file in item.masks:
            pixels = read_label_png(masks / file.path)
            size = image_size(photos.folder / item.photo, pixels.shape[:2], str(masks / file.path))
            found.append((file, pixels))
        size = size or image_size(photos.folder / item.photo, None, item.photo)
        shapes = [shape for file, pixels in found for shape in _shapes(file, pixels, masks, rules, split)]
        if overlap == "order":  # names say nothing of which of the two is in front
            shapes.sort(key=lambda shape: rules.classes.is_thing(shape.category_id))
        image = ImageInfo(item.id, item.photo, *size)
        return rules.lay_flat(image, shapes, png_name=item.png_name, source=str(folder))

    return rules.write(
        out,
        items,
        convert,
        source=folder,
        inputs=[images],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _items(folder: Path, photos: PhotoFolder, layout: MaskLayout, rules: ExportRules) -> Iterator[_Item]:
    """Each photo with its masks, by name."""
    if folder.resolve() == photos.folder.resolve():
        raise DataError(f"{folder}: has the photos, too; put the masks into a folder of their own")
    names = _outside(photos.names, photos.folder, folder)
    photo_of: dict[str, str] = {}
    for name in names:
        stem = PurePosixPath(name).with_suffix("").as_posix()
        if stem in photo_of:
            raise DataError(
                f"{photos.folder}: {photo_of[stem]} and {name} differ only in the suffix, so masks cannot "
                f"tell them apart; rename one, with its masks"
            )
        photo_of[stem] = name
    if not photo_of:
        raise DataError(f"{photos.folder}: there are no photos in it; check the path (--images)")
    masks_of: dict[str, list[MaskFile]] = {name: [] for name in names}
    paths = _outside(files_below(folder), folder, photos.folder)
    pngs = [path for path in paths if PurePosixPath(path).suffix.lower() == ".png"]
    if not pngs:
        found = f"; {paths[0]} is none" if paths else ""
        raise DataError(f"{folder}: there is no mask in it: masks are PNGs, which keep values{found}")
    for path in sorted(set(paths) - set(pngs)):
        rules.tally.add("other", path)
    for file in MaskNames(rules.classes, photo_of).assign(sorted(pngs), layout):
        if file.photo is None:
            raise DataError(
                f"{folder / file.path}: is of no photo in {photos.folder}; masks are PHOTO/CLASS_N.png, "
                f"CLASS/PHOTO_N.png, or maps of ids PHOTO.png (see --layout)"
            )
        masks_of[photo_of[file.photo]].append(file)
    pairs = zip(masks_of.items(), png_names(masks_of), strict=True)
    for i, ((photo, files), png_name) in enumerate(pairs, 1):
        yield _Item(i, photo, png_name, files)


def _outside(paths: Iterable[str], folder: Path, other: Path) -> list[str]:
    """Paths below a folder that are not below another one inside it."""
    inner = other.resolve()
    if not inner.is_relative_to(folder.resolve()):
        return list(paths)
    prefix = f"{inner.relative_to(folder.resolve()).as_posix()}/"
    return [path for path in paths if not path.startswith(prefix)]


def _shapes(
    file: MaskFile, pixels: NDArray[Any], folder: Path, rules: ExportRules, split: bool
) -> Iterator[Shape]:
    path = folder / file.path
    if file.label is None:
        found = _read_ids(pixels, path, rules)
    else:
        try:
            category_id = rules.category(file.label, "the class")
        except FieldError as error:
            raise DataError(f"{path}: {error.field}: {error.problem}") from None
        found = [] if category_id is None else [(category_id, MaskRuns.of_array(_is_inside(pixels)))]
    for category_id, mask in found:
        parts = _parts(mask) if split and rules.classes.is_thing(category_id) else [mask]
        for part in parts:
            yield Shape(category_id, part)


def _is_inside(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W), true where a mask is neither black nor transparent."""
    if pixels.ndim == 2:
        return pixels != 0
    has_alpha = pixels.shape[2] in (2, 4)
    colors = pixels[..., :-1] if has_alpha else pixels
    inside: NDArray[np.bool_] = (colors != 0).any(axis=2)
    return inside & (pixels[..., -1] != 0) if has_alpha else inside


def _read_ids(pixels: NDArray[Any], path: Path, rules: ExportRules) -> list[tuple[int, MaskRuns]]:
    """The classes in a map, each with its pixels."""
    entries = rules.classes.entries
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        if pixels.dtype != np.uint8:
            raise DataError(f"{path}: colours of 8 bits are expected; export it again")
        red, green, blue = (pixels[..., i].astype(np.int32) for i in range(3))
        values = (red << 16) + (green << 8) + blue
        known = {int.from_bytes(bytes(entry["color"])): entry["id"] for entry in entries}
        shown, what = "#{:06x}", "colour"
    else:
        values = (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.int32)
        known = {entry["id"]: entry["id"] for entry in entries}
        shown, what = "{}", "id"
    if len(known) < len(entries):
        raise DataError(f"{rules.classes.path}: two classes have one colour, but {path} is a map of colours")
    ids, runs = MaskRuns.of_id_map(values + 1)  # 0 may be a class
    found = []
    for i, value in enumerate((ids - 1).tolist()):
        if value in known:
            found.append((known[value], runs.select(np.array([i]))))
        elif value and rules.ignore_unknown:
            rules.tally.add("unknown", f"{what} {shown.format(value)}")
        elif value:
            listed = ", ".join(f"{shown.format(key)} {_name(entries, of)}" for key, of in known.items())
            raise DataError(
                f"{path}: has the {what} {shown.format(value)}, which no class of {rules.classes.path} has "
                f"({listed}); add it there, or leave such pixels void (--ignore-unknown)"
            )
    return found


def _name(entries: list[dict[str, Any]], category_id: int) -> str:
    return next(str(entry["name"]) for entry in entries if entry["id"] == category_id)


def _parts(mask: MaskRuns) -> list[MaskRuns]:
    """The parts of a mask that touch each other nowhere, not even at corners."""
    _, parts = cv2.connectedComponents((mask.paint() > 0).astype(np.uint8), connectivity=8)
    ids, runs = MaskRuns.of_id_map(np.asarray(parts, np.int32))
    return [runs.select(np.array([i])) for i in range(len(ids))]
