"""COCO panoptic to COCO detection format, in which each segment is an annotation of its own.

What is written is what panopticapi's converter of this name writes (github.com/cocodataset/panopticapi),
except that area and box are counted from the pixels instead of copied.
"""

import os

import numpy as np

from spatialflow.data.converters.detection_output import Entries, detection_entries, write_detection
from spatialflow.data.converters.panoptic_output import Conversion, Progress
from spatialflow.data.converters.panoptic_source import open_panoptic
from spatialflow.panoptic_annotation import ImageAnnotation


def panoptic_to_detection(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    segments: str | os.PathLike[str] | None = None,
    things_only: bool = False,
    first_id: int = 0,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Write each segment as an annotation with its mask as compressed run lengths.

    All images stay in the list, those without any annotation too.

    Args:
        source: a COCO-panoptic JSON file.
        out: the JSON file to write.
        segments: folder of the PNGs; by default the JSON's path without ``.json``.
        things_only: leave out stuff, of the annotations and of the categories.
        first_id: of the annotations. The original counts from 0; pycocotools, evaluating against such a file,
            takes the annotation of id 0 for unmatched, which 1 avoids.
        overwrite: replace a file that no conversion made, too.
        workers: processes; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: the source cannot be read, or contradicts itself.
        OutputError: a file is in the way or cannot be written.
    """
    panoptic = open_panoptic(source, segments)
    kept = {c.id for c in panoptic.categories if c.is_thing or not things_only}

    def convert(annotation: ImageAnnotation) -> Entries:
        is_kept = np.array([s.category_id in kept for s in annotation.segments], np.bool_)
        runs = panoptic.read_runs(annotation).select(np.flatnonzero(is_kept))
        chosen = [s for s in annotation.segments if s.category_id in kept]
        crowd = [s.is_crowd for s in chosen]
        return detection_entries(annotation.image_id, runs, [s.category_id for s in chosen], crowd)

    return write_detection(
        out,
        panoptic,
        convert,
        [entry for entry in panoptic.entries if entry["id"] in kept],
        first_id=first_id,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )
