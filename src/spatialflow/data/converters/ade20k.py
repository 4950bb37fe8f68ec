"""ADE20K as the scene parsing challenge has it (ADEChallengeData2016) to COCO panoptic, 150 classes.

The rule is that of Mask2Former's prepare_ade20k_pan_seg.py (github.com/facebookresearch/Mask2Former), which
detectron2's users have too: stuff is what ``annotations`` say; things are what ``annotations_instance`` say,
and lie over stuff; pixels of a thing class without an instance become void. Categories are counted from 0.

In ``annotations_instance`` PNGs red is the class, 1..100, and green the number of the instance, 0 for none.
The segments keep what the PNGs have as their ids: stuff its value, things red + 256 green.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.converters.ade20k_labels import INSTANCE_CATEGORIES, LABELS
from spatialflow.data.converters.panoptic_image import PanopticImage, SegmentLabel, from_id_map
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.converters.split_folders import check_folders, check_size_of_photo, check_split
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.reading import ids_in
from spatialflow.errors import DataError
from spatialflow.label_png import read_label_png

_VOID = 0
"""In ``annotations``."""
_STUFF_VALUES = np.array([label_id + 1 for label_id, label in enumerate(LABELS) if not label.has_instances])
_FIRST_INSTANCE = 256
"""Ids of things are from here on, those of stuff are below."""


def ade20k_to_panoptic(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str = "training",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert one split: every photo of it, by name.

    Args:
        root: the folder ADEChallengeData2016, with images/SPLIT/NAME.jpg, annotations/SPLIT/NAME.png and
            annotations_instance/SPLIT/NAME.png.
        out: the JSON file to write; PNGs go to the folder of that name.
        split: training, validation, or another folder's name.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a folder or a PNG is missing, a PNG has another size than its photo, or values that
            the challenge does not have.
        OutputError: a file is in the way or cannot be written.
    """
    check_split(split, "training or validation")
    folders = [Path(root) / name / split for name in ("images", "annotations", "annotations_instance")]
    remedy = (
        "name the folder ADEChallengeData2016, which has images and annotations, and unpack "
        "annotations_instance.tar there"
    )
    check_folders(folders, remedy)
    photos, semantic, instances = folders
    names = sorted(photos.glob("*.jpg"))
    if not names:
        raise DataError(f"{photos}: no *.jpg in it; unpack ADEChallengeData2016.zip, or choose another split")

    def convert(photo: Path) -> PanopticImage:
        name = f"{photo.stem}.png"
        return _convert(photo, semantic / name, instances / name)

    return write_panoptic(
        out,
        names,
        convert,
        ade20k_categories(),
        source=root,
        inputs=folders,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def ade20k_categories() -> list[dict[str, Any]]:
    """The 150 classes as a ``categories`` list, counted from 0; the 100 with instances are things."""
    return [
        {"id": i, "name": label.name, "isthing": int(label.has_instances), "color": list(label.color)}
        for i, label in enumerate(LABELS)
    ]


def _convert(photo: Path, semantic: Path, instances: Path) -> PanopticImage:
    classes = _read_semantic(semantic)
    check_size_of_photo(semantic, classes.shape, photo)
    things = _read_instances(instances)
    check_size_of_photo(instances, things.shape, photo)
    id_map = np.where(np.isin(classes, _STUFF_VALUES), classes, _VOID).astype(np.int32)
    np.copyto(id_map, things, where=things > 0)
    labels = [SegmentLabel(i, _category_of(i, instances)) for i in ids_in(id_map).tolist()]
    height, width = id_map.shape
    return from_id_map(ImageInfo(photo.stem, photo.name, height, width), id_map, labels)


def _read_semantic(path: Path) -> NDArray[np.uint8]:
    """(H, W) class of each pixel, 0..150."""
    values = read_label_png(path)
    if values.ndim != 2:
        raise DataError(f"{path}: has {values.shape[2]} channels, one of 8 bits is expected; fetch it again")
    if int(values.max()) > len(LABELS):
        raise DataError(
            f"{path}: has the value {values.max()}, but classes are 1..{len(LABELS)} and void is {_VOID}; "
            f"fetch ADEChallengeData2016.zip again"
        )
    return values


def _read_instances(path: Path) -> NDArray[np.int32]:
    """(H, W) segment id of each pixel of a thing, else 0."""
    values = read_label_png(path)
    if values.ndim != 3 or values.dtype != np.uint8:
        raise DataError(f"{path}: 8-bit red, green and blue are expected, class and instance; fetch it again")
    numbers = values[..., 1].astype(np.int32)
    return np.where(numbers > 0, numbers * _FIRST_INSTANCE + values[..., 0], 0)


def _category_of(segment_id: int, instances: Path) -> int:
    if segment_id < _FIRST_INSTANCE:
        return segment_id - 1
    number, value = divmod(segment_id, _FIRST_INSTANCE)
    if not 1 <= value <= len(INSTANCE_CATEGORIES):
        raise DataError(
            f"{instances}: instance {number} (green) has the class {value} (red), but classes are "
            f"1..{len(INSTANCE_CATEGORIES)}; fetch annotations_instance.tar again"
        )
    return INSTANCE_CATEGORIES[value - 1]
