"""CVAT (cvat.ai) to COCO panoptic, from two of its exports: "CVAT for images 1.1" and "COCO 1.0"."""

import os
from collections.abc import Sequence
from pathlib import Path

from spatialflow.data.converters.cvat_coco import read_cvat_coco
from spatialflow.data.converters.cvat_xml import read_cvat_xml
from spatialflow.data.converters.export_notes import ExportConversion
from spatialflow.data.converters.export_photos import PhotoFolder
from spatialflow.data.converters.export_rules import ExportRules
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_output import Progress
from spatialflow.errors import DataError


def cvat_to_panoptic(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    classes: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    overlap: OverlapPolicy = "error",
    ignore_unknown: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportConversion:
    """Convert one export, in the order of the file; photos are named relative to the folder they are in.

    See :mod:`.cvat_xml` and :mod:`.cvat_coco` for what becomes of each kind of shape.

    Args:
        source: annotations.xml, instances_default.json, or the folder of the unpacked export that has
            annotations.xml or annotations/instances_*.json.
        out: the JSON file to write; PNGs go to the folder of that name.
        classes: a YAML file of things and stuff; see :mod:`.class_list`.
        images: the folder of the photos, in which they are found by the end of their name. By default that of
            the export, images, or of its parts such as images/default, if they are there.
        overlap: what becomes of pixels in several segments; see :mod:`.overlap`. By ``order`` the shape of
            the highest z_order is on top, and of equal ones the last listed.
        ignore_unknown: leave out shapes whose label is not among the classes, instead of refusing them.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: a file cannot be read or is wrong, a photo has another size, a label is unknown, or shapes
            overlap and may not.
        OutputError: a file is in the way or cannot be written.
        ConfigError: no such overlap policy.
    """
    rules = ExportRules.load(classes, overlap, ignore_unknown)
    path = _annotations_in(Path(source))
    photos = _photos(path, images)
    read_export = read_cvat_coco if path.suffix.lower() == ".json" else read_cvat_xml
    images_of_export, head = read_export(path, photos, rules)
    return rules.write(
        out,
        images_of_export,
        lambda convert: convert(),
        source=path,
        head=head,
        inputs=[source, photos.folder],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _annotations_in(source: Path) -> Path:
    """The file of an export that is named by its folder."""
    if not source.is_dir():
        return source
    found = [source / "annotations.xml"] if (source / "annotations.xml").is_file() else []
    found = found or sorted(source.glob("annotations/instances_*.json"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "neither"
        raise DataError(
            f"{source}: annotations.xml or one annotations/instances_*.json is expected, there is {names}; "
            f"name the file"
        )
    return found[0]


def _photos(path: Path, images: str | os.PathLike[str] | None) -> PhotoFolder:
    if images is not None:
        return PhotoFolder(images, is_given=True)
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    subset = path.stem.removeprefix("instances_")
    usual: Sequence[Path] = (root / "images" / subset, root / "images", root)
    found = next((folder for folder in usual if folder.is_dir()), None)
    if found is None:
        raise DataError(f"{path}: no such file; check the path")
    return PhotoFolder(found, is_given=False)
