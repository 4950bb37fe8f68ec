"""A COCO detection file (cocodataset.org/#format-data) whose masks are compressed run lengths."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spatialflow.data.converters.json_output import JsonOutput
from spatialflow.data.converters.panoptic_output import Conversion, Progress
from spatialflow.data.converters.panoptic_source import PanopticSource
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.panoptic_annotation import ImageAnnotation, ImageId
from spatialflow.workers import map_in_processes

Entries = list[dict[str, Any]]


def write_detection(
    out: str | os.PathLike[str],
    source: PanopticSource,
    convert: Callable[[ImageAnnotation], Entries],
    categories: Sequence[Mapping[str, Any]],
    *,
    first_id: int,
    overwrite: bool,
    workers: int | None,
    progress: Progress | None,
) -> Conversion:
    """Write what ``convert`` makes of each image, as it comes; the list of images is the source's.

    Args:
        out: the JSON file.
        source: what is converted.
        convert: annotations of an image, without ids; called in several processes.
        categories: of the source's ``categories``; colours and ``isthing``, which detection files do not
            tell, are left out.
        first_id: of the annotations, which are numbered.
        overwrite: replace a file that no conversion made, too.
        workers: processes; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: what ``convert`` raises.
        OutputError: a file is in the way or cannot be written.
    """
    result = Conversion(Path(out))
    with JsonOutput(out, source.head, [source.path, source.folder], overwrite) as output:
        for entries in map_in_processes(convert, source.annotations, workers):
            for entry in entries:
                output.append({**entry, "id": first_id + result.segments})
                result.segments += 1
            result.images += 1
            if progress:
                progress(result.images, len(source.annotations))
        output.finish({"categories": [_plain(category) for category in categories]})
    return result


def detection_entries(
    image_id: ImageId, masks: MaskRuns, category_ids: Sequence[int], is_crowd: Sequence[bool]
) -> Entries:
    """Annotations of N masks of an image, with area and box counted from their pixels, without ids."""
    rows = zip(
        category_ids,
        is_crowd,
        masks.areas().tolist(),
        masks.bboxes().tolist(),
        masks.to_rle(),
        strict=True,
    )
    return [
        {
            "image_id": image_id,
            "category_id": category_id,
            "iscrowd": int(crowd),
            "area": area,
            "bbox": bbox,
            "segmentation": rle,
        }
        for category_id, crowd, area, bbox, rle in rows
    ]


def _plain(category: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in category.items() if key not in ("isthing", "color")}
