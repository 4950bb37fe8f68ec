"""Mapillary Vistas (mapillary.com/dataset/vistas), v1.2 or v2.0, to COCO panoptic.

Two of the things that it ships can be converted, and have the same categories:

- ``panoptic``: PNGs of segment ids, and ``panoptic_2018.json`` (v1.2) or ``panoptic_2020.json`` (v2.0). These
  are nearly what is written; areas and boxes are counted anew.
- ``instances``: PNGs of 16 bits, class * 256 + number of the instance, with the classes of the config file
  counted from 0 (Vistas' demo.py). Each value of a class with instances is an instance, number 0 too; all of
  another class is one segment. Groups are crowds, as in Mapillary's own prepare_vistas.py
  (github.com/mapillary/seamseg).

Either way, classes that the config file says are not evaluated become void.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.converters.mapillary_labels import VistasLabel, read_config, vistas_categories
from spatialflow.data.converters.panoptic_image import PanopticImage, SegmentLabel, from_id_map
from spatialflow.data.converters.panoptic_output import Conversion, Progress, write_panoptic
from spatialflow.data.converters.panoptic_source import open_panoptic
from spatialflow.data.converters.split_folders import check_folders, check_size_of_photo, check_split
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.reading import ids_in, read_id_map
from spatialflow.errors import ConfigError, DataError
from spatialflow.label_png import read_label_png
from spatialflow.panoptic_annotation import ImageAnnotation

VistasVersion = Literal["v1.2", "v2.0"]
VistasSource = Literal["panoptic", "instances"]
_PANOPTIC_JSON = {"v1.2": "panoptic_2018.json", "v2.0": "panoptic_2020.json"}
_INSTANCES_A_LABEL = 256


class _Layout(NamedTuple):
    """Where the files of a split are."""

    photos: Path
    panoptic: Path
    instances: Path
    config: Path


class _Plan(NamedTuple):
    """What is converted, and how."""

    items: Sequence[Any]
    convert: Callable[[Any], PanopticImage]
    categories: list[dict[str, Any]]
    head: dict[str, Any]


def mapillary_to_panoptic(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str = "training",
    version: VistasVersion = "v1.2",
    source: VistasSource = "panoptic",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert one split.

    Args:
        root: the folder with config_VERSION.json, SPLIT/images/NAME.jpg, and SPLIT/VERSION/panoptic or
            SPLIT/VERSION/instances. Earlier releases, with config.json and no folder VERSION, count as v1.2.
        out: the JSON file to write; PNGs go to the folder of that name.
        split: training, validation, or another folder's name.
        version: v1.2 with 66 classes, or v2.0 with 124.
        source: what is converted. ``panoptic`` needs no photos, and the config file only to know what is
            void; images that its JSON has no annotation of are left out.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        ConfigError: no such version or source.
        DataError: a file or folder is missing, or contradicts another.
        OutputError: a file is in the way or cannot be written.
    """
    if version not in _PANOPTIC_JSON:
        raise ConfigError(f"version: {version!r} is unknown; choose among {', '.join(_PANOPTIC_JSON)}")
    plans = {"panoptic": _plan_panoptic, "instances": _plan_instances}
    if source not in plans:
        raise ConfigError(f"source (--from): {source!r} is unknown; choose among {', '.join(plans)}")
    check_split(split, "training or validation")
    layout = _find(Path(root), split, version)
    plan = plans[source](layout, version)
    return write_panoptic(
        out,
        plan.items,
        plan.convert,
        plan.categories,
        source=root,
        head=plan.head,
        inputs=[layout.photos, layout.panoptic, layout.instances],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _find(root: Path, split: str, version: str) -> _Layout:
    folder, config = root / split / version, root / f"config_{version}.json"
    if version == "v1.2" and not folder.exists() and not config.exists():
        folder, config = root / split, root / "config.json"
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; name the folder that has training and validation, or choose another "
            f"split or version"
        )
    return _Layout(root / split / "images", folder / "panoptic", folder / "instances", config)


def _plan_panoptic(layout: _Layout, version: str) -> _Plan:
    check_folders([layout.panoptic], "unpack it, or convert the instances (--from instances)")
    panoptic = open_panoptic(layout.panoptic / _PANOPTIC_JSON[version], layout.panoptic)
    labels = read_config(layout.config) if layout.config.exists() else []
    categories = [entry for entry in panoptic.entries if not _is_void(entry, labels)]
    kept = {entry["id"] for entry in categories}
    images = {entry["id"]: entry for entry in panoptic.head["images"]}

    def convert(annotation: ImageAnnotation) -> PanopticImage:
        image = panoptic.images[annotation.image_id]
        ids = np.array([segment.id for segment in annotation.segments], np.int32)
        id_map = read_id_map(layout.panoptic / annotation.file_name, image, ids, panoptic.path)
        found = [SegmentLabel(s.id, s.category_id, s.is_crowd) for s in annotation.segments]
        return from_id_map(
            image,
            id_map,
            [label for label in found if label.category_id in kept],
            png_name=annotation.file_name,
            more=images[image.id],
        )

    head = {key: value for key, value in panoptic.head.items() if key != "images"}
    return _Plan(panoptic.annotations, convert, categories, head)


def _is_void(entry: dict[str, Any], labels: Sequence[VistasLabel]) -> bool:
    """Whether a category of the panoptic JSON is a class of the config file that is not evaluated."""
    # Vistas' own have the readable name as their name, and the other as supercategory.
    same = [label for label in labels if label.name in (entry["name"], entry.get("supercategory"))]
    same = same or [label for label in labels if label.readable == entry["name"]]
    return any(not label.is_evaluated for label in same)


def _plan_instances(layout: _Layout, version: str) -> _Plan:
    check_folders([layout.instances, layout.photos], "unpack it")
    labels = read_config(layout.config)
    pngs = sorted(layout.instances.glob("*.png"))
    if not pngs:
        raise DataError(f"{layout.instances}: no *.png in it; unpack it, or choose another split or version")

    def convert(png: Path) -> PanopticImage:
        photo = layout.photos / f"{png.stem}.jpg"
        values = _read_instances(png)
        check_size_of_photo(png, values.shape, photo)
        new_ids = np.zeros(1 << 16, np.int32)
        found: dict[int, SegmentLabel] = {}
        for value in (ids_in(values + 1) - 1).tolist():
            segment = _segment(value, labels, png)
            if segment is not None:
                new_ids[value] = segment.id
                found[segment.id] = segment
        height, width = values.shape
        return from_id_map(ImageInfo(png.stem, photo.name, height, width), new_ids[values], found.values())

    return _Plan(pngs, convert, vistas_categories(labels), {})


def _read_instances(png: Path) -> NDArray[np.int32]:
    values = read_label_png(png)
    if values.ndim != 2 or values.dtype != np.uint16:
        raise DataError(f"{png}: one channel of 16 bits is expected, class * 256 + instance; fetch it again")
    return values.astype(np.int32)


def _segment(value: int, labels: Sequence[VistasLabel], png: Path) -> SegmentLabel | None:
    """What a value of an ``instances`` PNG becomes; None for void."""
    index = value // _INSTANCES_A_LABEL
    if index >= len(labels):
        raise DataError(
            f"{png}: has the value {value}, which is of class {index}, but the config file has classes "
            f"0..{len(labels) - 1}; choose another version"
        )
    label = labels[index]
    if not label.is_evaluated:
        return None
    # Value 0 is a bird, and may not become void.
    segment_id = 1 + (value if label.has_instances else index * _INSTANCES_A_LABEL)
    return SegmentLabel(segment_id, index + 1, label.is_group)
