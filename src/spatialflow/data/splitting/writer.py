"""New data sets made of the images of others: a JSON file and, beside it, its folder of PNGs."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spatialflow.data.splitting.source import SourceSet
from spatialflow.errors import DataError, OutputError
from spatialflow.files import write_bytes, write_json
from spatialflow.image_io import read_id_png, write_id_png
from spatialflow.masks.extents import measure
from spatialflow.staging import Staging
from spatialflow.workers import map_in_order
from spatialflow.zip_path import ReadPath, ZipPath

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class NewImage:
    """One image of a new set."""

    image: dict[str, Any]
    """Its entry in ``images``."""
    annotation: dict[str, Any] | None
    """Its entry in ``annotations``, if it has one."""
    png: ReadPath
    """Its PNG in the set it comes from."""
    repaint: Mapping[int, int] = field(default_factory=dict)
    """Segment ids to replace in the PNG; 0 makes void."""


@dataclass(frozen=True, slots=True)
class NewSet:
    """A set to write."""

    json_path: Path
    header: dict[str, Any]
    """Categories, and whatever else the file is to say."""
    images: Sequence[NewImage]


def keep(source: SourceSet, image: dict[str, Any], annotation: dict[str, Any] | None) -> NewImage:
    """An image of a set as it is."""
    return NewImage(image, annotation, source.segments / annotation["file_name"] if annotation else Path())


def write_sets(sets: Sequence[NewSet], progress: Progress = lambda done, total: None) -> None:
    """Write sets into one folder, all of them or none.

    A PNG that stays as it is becomes a hard link, or a copy where there can be none: on another disk, from a
    ``.zip``.
    Boxes and areas are computed anew for segments that are painted.

    Args:
        sets: with paths in one folder.
        progress: called with the number of images that are done, and of all.

    Raises:
        DataError: a PNG is missing or cannot be read.
        OutputError: a file is in the way, or one cannot be written.
    """
    for new in sets:
        refuse_existing(new.json_path)
    folder = sets[0].json_path.parent
    total, done = sum(len(new.images) for new in sets), 0
    with Staging(folder, "-".join(new.json_path.stem for new in sets)) as staging:
        for new in sets:
            pngs = staging.hidden / new.json_path.stem
            pngs.mkdir()
            annotations = []
            for annotation in map_in_order(functools.partial(_write_image, pngs=pngs), new.images):
                if annotation is not None:
                    annotations.append(annotation)
                progress(done := done + 1, total)
            images = [image.image for image in new.images]
            content = {**new.header, "images": images, "annotations": annotations}
            write_json(staging.hidden / new.json_path.name, content)
        for new in sets:  # again, since that may have taken a while
            refuse_existing(new.json_path)
        staging.show()


def refuse_existing(json_path: Path) -> None:
    """Refuse to write over a JSON file or a folder of PNGs.

    Raises:
        OutputError: one of both is there, or the name is no JSON file's.
    """
    if json_path.suffix.lower() != ".json":
        raise OutputError(f"{json_path}: give the output a name that ends in .json")
    folder = json_path.with_suffix("")
    taken = [json_path] if json_path.exists() else []
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        taken.append(folder)
    if taken:
        names = " and ".join(map(str, taken))
        raise OutputError(f"{taken[0]}: is there already; remove {names}, or choose another name")


def _write_image(new: NewImage, pngs: Path) -> dict[str, Any] | None:
    """Write one PNG; returns the annotation as it is then."""
    annotation = new.annotation
    if annotation is None:
        return None
    target = pngs / annotation["file_name"]
    if not new.repaint:
        _link_or_copy(new.png, target)
        return annotation
    ids = read_id_png(new.png)
    for old, value in new.repaint.items():
        np.copyto(ids, value, where=ids == old)
    write_id_png(target, ids)
    found = measure(ids)
    places = {segment_id: row for row, segment_id in enumerate(found.ids.tolist())}
    segments = []
    for info in annotation["segments_info"]:
        if info["id"] in new.repaint.values() and info["id"] in places:
            row = places[info["id"]]
            info = {**info, "area": int(found.areas[row]), "bbox": found.boxes[row].tolist()}
        segments.append(info)
    return {**annotation, "segments_info": segments}


def _link_or_copy(source: ReadPath, target: Path) -> None:
    if isinstance(source, ZipPath):
        write_bytes(target, source.read_bytes())
        return
    if not source.is_file():
        raise DataError(f"{source}: no such panoptic PNG; `spatialflow data check` tells what is missing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # another disk, or one without links
            os.link(source.resolve(), target)
            return
        shutil.copyfile(source, target)
    except OSError as error:
        raise OutputError(
            f"{target.name}: cannot be written ({error.strerror or error}); free some space or choose "
            f"another output folder"
        ) from error
