"""Cityscapes (cityscapes-dataset.com) to COCO panoptic.

The rule is that of cityscapesScripts' createPanopticImgs.py, with train ids: in ``_instanceIds`` PNGs a
value from 1000 on is an instance of the label value // 1000, and a value below is all of that label that is
no instance: stuff, or for a class with instances a group that nobody could tell apart (a crowd). Labels
that are not evaluated become void. The segments keep these values as their ids, and the PNGs their names.
Other than there, the JSON names each photo as it is found in leftImg8bit/SPLIT.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.cityscapes_labels import EVALUATED, INSTANCES_A_LABEL, NUM_LABELS
from spatialflow.data.converters.panoptic_image import PanopticImage, SegmentLabel, from_id_map
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.converters.split_folders import check_folders, check_size_of_photo, check_split
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.reading import ids_in
from spatialflow.errors import DataError
from spatialflow.label_png import read_label_png

_INSTANCES = "_gtFine_instanceIds.png"
_PHOTO = "_leftImg8bit.png"
_PANOPTIC = "_gtFine_panoptic.png"
_LABEL_OF = {label.id: label for label in EVALUATED}


def cityscapes_to_panoptic(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str = "train",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert one split; ``_labelIds`` PNGs are not needed, since ``_instanceIds`` have all that they have.

    Args:
        root: the folder that has leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and
            gtFine/SPLIT/CITY/*_gtFine_instanceIds.png.
        out: the JSON file to write; PNGs go to the folder of that name.
        split: train, val, or another folder's name.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a folder, a photo or an ``_instanceIds`` PNG is missing, or a PNG has values that
            Cityscapes does not have.
        OutputError: a file is in the way or cannot be written.
    """
    photos, truth = Path(root) / "leftImg8bit" / split, Path(root) / "gtFine" / split
    pngs = _find(photos, truth, split)

    def convert(png: Path) -> PanopticImage:
        return _convert(png, photos / png.parent.name / png.name.replace(_INSTANCES, _PHOTO))

    return write_panoptic(
        out,
        pngs,
        convert,
        cityscapes_categories(),
        source=root,
        inputs=[photos, truth],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def cityscapes_categories() -> list[dict[str, Any]]:
    """The 19 evaluated classes as a ``categories`` list, by train id; those with instances are things."""
    return [
        {
            "id": label.train_id,
            "name": label.name,
            "color": list(label.color),
            "supercategory": label.group,
            "isthing": int(label.has_instances),
        }
        for label in EVALUATED
    ]


def _find(photos: Path, truth: Path, split: str) -> list[Path]:
    """All ``_instanceIds`` PNGs of a split, by name."""
    check_split(split, "train or val")
    remedy = "name the folder that has leftImg8bit and gtFine, unpacked from "
    check_folders([photos], f"{remedy}leftImg8bit_trainvaltest.zip")
    check_folders([truth], f"{remedy}gtFine_trainvaltest.zip")
    pngs = sorted(truth.glob(f"*/*{_INSTANCES}"), key=lambda path: path.name)
    if not pngs:
        raise DataError(
            f"{truth}: no CITY/*{_INSTANCES} in it; unpack gtFine_trainvaltest.zip, or choose another split"
        )
    known = {png.name.removesuffix(_INSTANCES) for png in pngs}
    missing = sorted(
        photo.name for photo in photos.glob(f"*/*{_PHOTO}") if photo.name.removesuffix(_PHOTO) not in known
    )
    if missing:
        raise DataError(
            f"{truth}: {len(missing)} photos have no {_INSTANCES} in it, such as {missing[0]}; unpack "
            f"gtFine_trainvaltest.zip whole, or take these photos away"
        )
    return pngs


def _convert(png: Path, photo: Path) -> PanopticImage:
    values = read_label_png(png)
    if values.ndim != 2:
        raise DataError(f"{png}: has {values.shape[2]} channels, one of 16 bits is expected; fetch it again")
    check_size_of_photo(png, values.shape, photo)
    name = png.name.removesuffix(_INSTANCES)
    image = ImageInfo(name, f"{photo.parent.name}/{photo.name}", *values.shape)
    id_map = values.astype(np.int32)
    return from_id_map(image, id_map, _labels(id_map, png), png_name=f"{name}{_PANOPTIC}")


def _labels(id_map: NDArray[np.int32], png: Path) -> list[SegmentLabel]:
    """What the values in a map stand for, ascending, without those that are not evaluated."""
    labels = []
    for value in ids_in(id_map).tolist():
        is_instance = value >= INSTANCES_A_LABEL
        label_id = value // INSTANCES_A_LABEL if is_instance else value
        if label_id >= NUM_LABELS:
            raise DataError(
                f"{png}: has the value {value}, which is neither a label 0..{NUM_LABELS - 1} nor an instance "
                f"of one; fetch the PNG again"
            )
        label = _LABEL_OF.get(label_id)
        if label is not None:
            labels.append(SegmentLabel(value, label.train_id, label.has_instances and not is_instance))
    return labels
