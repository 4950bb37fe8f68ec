"""Panoptic results in the formats of the Cityscapes benchmark (cityscapes-dataset.com/benchmarks).

The facts are those of cityscapesScripts: evalPanopticSemanticLabeling.py reads a JSON file and a folder of
PNGs in COCO-panoptic format with label ids (person is 24) as categories, evalInstanceLevelSemanticLabeling.py
one text file a photo, with a line ``mask.png labelID confidence`` for each instance. The numbers of segments
are chosen as createPanopticImgs.py does: a label's id for stuff, 1000 times the label's id plus a count for
instances.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.cityscapes_labels import EVALUATED, INSTANCES_A_LABEL, NUM_LABELS
from spatialflow.errors import DataError
from spatialflow.files import write_bytes
from spatialflow.label_png import encode_label_png
from spatialflow.structures.segment import Segment

PANOPTIC = "cityscapes_panoptic"
"""Folder of the PNGs of segment ids; the evaluation looks for it beside a JSON of that name."""
INSTANCES = "instances"
_LABEL_ID = {label.name: label.id for label in EVALUATED}
_NAME = re.compile(r"(?P<name>[A-Za-z-]+_\d+_\d+)(_leftImg8bit)?(\.png)?")


def photo_name(image_name: str) -> str:
    """CITY_SEQUENCE_FRAME of a photo, of which its file name may be given.

    Raises:
        DataError: it has no such name, by which the benchmark tells photos apart.
    """
    match = _NAME.fullmatch(Path(image_name).name)
    if match is None:
        raise DataError(
            f"{image_name}: is no name of a Cityscapes photo; give CITY_SEQUENCE_FRAME, such as "
            f"frankfurt_000000_000294"
        )
    return match["name"]


def label_id(segment: Segment) -> int:
    """Cityscapes' id of a segment's class, by its name: categories may count by train id or by id.

    Raises:
        DataError: Cityscapes evaluates no class of this name.
    """
    known = _LABEL_ID.get(segment.category.name)
    if known is None:
        raise DataError(
            f"categories: {segment.category.name!r} is no class that Cityscapes evaluates; results for the "
            f"benchmark come from a model of its 19 classes"
        )
    return known


def benchmark_ids(segments: Sequence[Segment]) -> dict[int, int]:
    """The benchmark's number of each segment, by its id."""
    taken: set[int] = set()
    count: Counter[int] = Counter()
    beyond = NUM_LABELS * INSTANCES_A_LABEL
    new = {}
    for segment in segments:
        label = label_id(segment)
        number = label
        if (segment.is_thing and not segment.is_crowd) or label in taken:
            number = label * INSTANCES_A_LABEL + count[label]
            count[label] += 1
            if count[label] > INSTANCES_A_LABEL:  # any number is allowed that no other segment has
                number, beyond = beyond, beyond + 1
        taken.add(number)
        new[segment.id] = number
    return new


def panoptic_entry(entry: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    """An entry of COCO's format with label ids in the place of category ids; ``segments`` are its own."""
    infos = [
        {**info, "category_id": label_id(segment)}
        for info, segment in zip(entry["segments_info"], segments, strict=True)
    ]
    return {**entry, "segments_info": infos}


def write_instances(
    folder: str | os.PathLike[str], name: str, ids: NDArray[np.int32], segments: Sequence[Segment]
) -> None:
    """Write the list of a photo's instances and the mask of each, crowds left out.

    Args:
        folder: receives ``NAME.txt`` and ``masks/NAME_*.png``.
        name: of the photo.
        ids: (H, W).
        segments: of the map.

    Raises:
        OutputError: a file cannot be written.
    """
    things = [segment for segment in segments if segment.is_thing and not segment.is_crowd]
    lines = []
    for number, segment in enumerate(things):
        place = f"masks/{name}_{number}.png"
        mask = (ids == segment.id).astype(np.uint8) * 255
        write_bytes(Path(folder) / place, encode_label_png(mask))
        lines.append(f"{place} {label_id(segment)} {segment.score!r}\n")
    write_bytes(Path(folder) / f"{name}.txt", "".join(lines).encode())
