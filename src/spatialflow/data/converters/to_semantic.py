"""COCO panoptic to semantic segmentation: all segments of a category in an image become one region.

What is written is what panopticapi's converter of this name writes (github.com/cocodataset/panopticapi).
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from spatialflow.categories import COCO_THINGS_OTHER_ID
from spatialflow.data.converters.detection_output import Entries, detection_entries, write_detection
from spatialflow.data.converters.json_output import check_no_input, refuse_foreign
from spatialflow.data.converters.panoptic_output import Conversion, Progress
from spatialflow.data.converters.panoptic_source import PanopticSource, open_panoptic
from spatialflow.errors import ConfigError, DataError
from spatialflow.label_png import encode_label_png
from spatialflow.panoptic_annotation import ImageAnnotation
from spatialflow.staging import Staging, write_hidden
from spatialflow.workers import map_in_processes

THINGS_OTHER = {"id": COCO_THINGS_OTHER_ID, "name": "other", "supercategory": "other"}
"""The category of all things together, as in COCO's stuff challenge of 2017."""


def panoptic_to_semantic(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    segments: str | os.PathLike[str] | None = None,
    things_other: bool = False,
    void: int = 0,
    first_id: int = 0,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Write regions as annotations of a COCO detection file, or as PNGs of category ids.

    Args:
        source: a COCO-panoptic JSON file.
        out: the file to write if it ends in ``.json``, else the folder of PNGs: one channel of 8 bits, or of
            16 where category ids need them.
        segments: folder of the PNGs that are read; by default the JSON's path without ``.json``.
        things_other: give all things the category 183, "other".
        void: value of void pixels in the PNGs.
        first_id: of the annotations in the JSON file; see :func:`.to_detection.panoptic_to_detection`.
        overwrite: replace files that no conversion made, too.
        workers: processes; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: the source cannot be read, or contradicts itself.
        ConfigError: a category has the id that is to mean void or all things, or one above 65535.
        OutputError: a file is in the way or cannot be written.
    """
    panoptic = open_panoptic(source, segments)
    merged = _merge(panoptic, things_other)
    if Path(out).suffix != ".json":
        return _write_pngs(panoptic, Path(out), merged, void, overwrite, workers, progress)
    kept = [entry for entry in panoptic.entries if merged[entry["id"]] == entry["id"]]

    def convert(annotation: ImageAnnotation) -> Entries:
        of_segment = [merged[segment.category_id] for segment in annotation.segments]
        category_ids = list(dict.fromkeys(of_segment))
        groups = np.array([category_ids.index(i) for i in of_segment], np.int32)
        regions = panoptic.read_runs(annotation).join(groups, len(category_ids))
        return detection_entries(annotation.image_id, regions, category_ids, [False] * len(category_ids))

    return write_detection(
        out,
        panoptic,
        convert,
        [*kept, THINGS_OTHER] if things_other else kept,
        first_id=first_id,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _merge(panoptic: PanopticSource, things_other: bool) -> dict[int, int]:
    """The semantic category of each category."""
    if not things_other:
        return {category.id: category.id for category in panoptic.categories}
    if COCO_THINGS_OTHER_ID in panoptic.categories:
        label = panoptic.categories.label(COCO_THINGS_OTHER_ID)
        raise ConfigError(
            f"{panoptic.path}: categories: id {COCO_THINGS_OTHER_ID} is {panoptic.categories[label].name!r}, "
            f"but --things-other gives it to all things; leave that away, or give the category another id"
        )
    return {c.id: COCO_THINGS_OTHER_ID if c.is_thing else c.id for c in panoptic.categories}


def _write_pngs(
    panoptic: PanopticSource,
    out: Path,
    merged: Mapping[int, int],
    void: int,
    overwrite: bool,
    workers: int | None,
    progress: Progress | None,
) -> Conversion:
    dtype = _dtype(panoptic, merged, void)
    check_no_input([out], [panoptic.folder])
    names = _names(panoptic)
    result = Conversion(out)
    with Staging(out, "semantic") as staging:

        def write(annotation: ImageAnnotation) -> int:
            category_ids = np.array([merged[s.category_id] for s in annotation.segments], dtype)
            regions = panoptic.read_values(annotation, category_ids, void)
            name = names[annotation.file_name]
            write_hidden(staging.hidden / name, encode_label_png(regions), shown=out / name)
            return len(set(category_ids.tolist()))

        for regions in map_in_processes(write, panoptic.annotations, workers):
            result.images += 1
            result.segments += regions
            if progress:
                progress(result.images, len(panoptic.annotations))
        if not overwrite:
            refuse_foreign(staging, set())
        staging.show()
    return result


def _dtype(panoptic: PanopticSource, merged: Mapping[int, int], void: int) -> type[np.unsignedinteger[Any]]:
    """Of the pixels, which must tell every category from void."""
    if void in merged.values():
        raise ConfigError(
            f"{panoptic.path}: categories: id {void} is a category, but is to mean void in the PNGs; choose "
            f"another value for that: --void 255"
        )
    largest = max(void, *merged.values())
    if not void >= 0 or largest > np.iinfo(np.uint16).max:
        raise ConfigError(
            f"{panoptic.path}: categories: a PNG has no room for {void if void < 0 else largest}, only for "
            f"0..65535; write a JSON file instead (--out NAME.json)"
        )
    return np.uint8 if largest < 256 else np.uint16


def _names(panoptic: PanopticSource) -> dict[str, str]:
    """Name of each image's PNG, by that of the one it is made from."""
    names: dict[str, str] = {}
    for annotation in panoptic.annotations:
        if annotation.file_name in names:
            raise DataError(
                f"{panoptic.path}: annotations: {annotation.file_name!r} is the PNG of two images; give each "
                f"its own"
            )
        names[annotation.file_name] = PurePosixPath(annotation.file_name).with_suffix(".png").as_posix()
    return names
