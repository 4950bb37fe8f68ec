"""A COCO-panoptic data set (cocodataset.org/#format-data) of images made one by one, on all cores."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from spatialflow.categories import Categories
from spatialflow.data.converters.json_output import JsonOutput
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.panoptic_files import image_entry, is_png_inside
from spatialflow.errors import DataError
from spatialflow.image_io import encode_id_png
from spatialflow.panoptic_annotation import ImageId, SegmentInfo
from spatialflow.workers import map_in_order

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told how many items are done, and of how many."""


@dataclass(slots=True)
class Conversion:
    """What a conversion has written."""

    path: Path
    """The JSON file, or the folder of PNGs if there is none."""
    images: int = 0
    segments: int = 0
    overlapping: int = 0
    """Pixels that more than one mask claimed, of all images."""
    overlapping_images: int = 0
    """Images that have such pixels."""
    dropped: int = 0
    """Masks left out because no pixel was theirs."""

    def __str__(self) -> str:
        text = f"{self.path}: {self.images} images, {self.segments} segments"
        if self.overlapping:
            text += f"; {self.overlapping} pixels of {self.overlapping_images} images were in several masks"
        if self.dropped:
            text += f"; {self.dropped} masks have no pixel and are left out"
        return text


def write_panoptic(
    out: str | os.PathLike[str],
    items: Sequence[T],
    convert: Callable[[T], PanopticImage],
    categories: Sequence[Mapping[str, Any]],
    *,
    source: str | os.PathLike[str],
    head: Mapping[str, Any] | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert each item to an image, and write them all as ``NAME.json`` with the folder ``NAME`` of PNGs.

    One image of each worker is in memory, and of all others their entry of ``images``. The files appear when
    all are there; an earlier conversion of that name is replaced, other files are not.

    Args:
        out: the JSON file.
        items: one for each image.
        convert: makes an image of an item; called from several threads.
        categories: the ``categories`` list, written as it is.
        source: the file or folder that is converted, to be named in errors.
        head: what else the JSON file says, such as ``info`` and ``licenses``.
        inputs: files and folders that must not be replaced, besides ``source``.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: what ``convert`` raises; two images of one id or PNG name; a category that is not listed.
        OutputError: a file is in the way or cannot be written.
    """
    known = Categories.from_json(list(categories), str(source))
    images: list[dict[str, Any]] = []
    seen = _Seen(str(source))
    with JsonOutput(out, head or {}, [source, *inputs], overwrite) as output:

        def write(item: T) -> tuple[PanopticImage, dict[str, Any]]:
            made = convert(item)
            _check(made, known, str(source))
            output.write_png(made.png_name, encode_id_png(made.id_map))
            return made, _annotation(made)

        result = Conversion(output.path)
        for made, annotation in map_in_order(write, items, workers):
            seen.add(made)
            output.append(annotation)
            images.append({**made.more, **image_entry(made.image)})
            result.images += 1
            result.segments += len(made.segments)
            result.overlapping += made.overlapping
            result.overlapping_images += made.overlapping > 0
            result.dropped += made.dropped
            if progress:
                progress(result.images, len(items))
        output.finish({"images": images, "categories": list(categories)})
    return result


class _Seen:
    """Ids and names so far, of which each may come once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._ids: set[ImageId] = set()
        self._names: set[str] = set()

    def add(self, made: PanopticImage) -> None:
        for value, seen, what in ((made.image.id, self._ids, "id"), (made.png_name, self._names, "PNG name")):
            if value in seen:
                raise DataError(
                    f"{self._source}: two images have the {what} {value!r}; give each one its own"
                )
        self._ids.add(made.image.id)
        self._names.add(made.png_name)


def _check(made: PanopticImage, categories: Categories, source: str) -> None:
    """What is written must be readable again."""
    if not is_png_inside(PurePosixPath(made.png_name)):
        raise DataError(f"{source}: image {made.image.id!r}: {made.png_name!r} leaves the folder of PNGs")
    for segment in made.segments:
        if segment.category_id not in categories:
            raise DataError(
                f"{source}: image {made.image.id!r} ({made.image.file_name}): category {segment.category_id} "
                f"is not among the categories; add it to them"
            )


def _annotation(made: PanopticImage) -> dict[str, Any]:
    infos = [_segment_info(segment) for segment in made.segments]
    return {"image_id": made.image.id, "file_name": made.png_name, "segments_info": infos}


def _segment_info(segment: SegmentInfo) -> dict[str, Any]:
    return {
        "id": segment.id,
        "category_id": segment.category_id,
        "iscrowd": int(segment.is_crowd),
        "area": segment.area,
        "bbox": segment.bbox,
    }
