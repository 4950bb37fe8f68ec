"""``spatialflow convert``: exports of annotation tools."""

from pathlib import Path
from typing import Annotated, cast

import typer

from spatialflow.cli.console import one_progress, say
from spatialflow.cli.convert_options import JsonOut, Overwrite, Workers

_Classes = Annotated[
    Path,
    typer.Option(
        metavar="CLASSES.yaml",
        help="The classes, as lists under things: and stuff:, each one a name or {name, id, color}.",
    ),
]
_Images = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="The photos; by default where the export has them.")
]
_Overlap = Annotated[
    str,
    typer.Option(
        metavar="POLICY",
        help="Of pixels in several shapes: error, smaller-on-top, or order (the last listed is on top).",
    ),
]
_IgnoreUnknown = Annotated[
    bool, typer.Option("--ignore-unknown", help="Leave out shapes whose label is not among the classes.")
]


def labelme(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="labelme's JSON files, one a photo.")],
    out: JsonOut,
    classes: _Classes,
    images: _Images = None,
    overlap: _Overlap = "error",
    ignore_unknown: _IgnoreUnknown = False,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Labelme's JSON files to COCO panoptic: polygons, rectangles, circles, masks; groups are instances.

    Example: spatialflow convert labelme photos/ --classes classes.yaml --out panoptic.json --overlap order
    """
    from spatialflow.data.converters import OverlapPolicy, labelme_to_panoptic

    with one_progress("convert") as show:
        result = labelme_to_panoptic(
            folder,
            out,
            classes=classes,
            images=images,
            overlap=cast(OverlapPolicy, overlap),
            ignore_unknown=ignore_unknown,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def cvat(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="EXPORT", help="annotations.xml, instances_default.json, or the folder that has it."
        ),
    ],
    out: JsonOut,
    classes: _Classes,
    images: _Images = None,
    overlap: _Overlap = "error",
    ignore_unknown: _IgnoreUnknown = False,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """CVAT's exports "CVAT for images 1.1" and "COCO 1.0" to COCO panoptic.

    Example: spatialflow convert cvat task_1/ --classes classes.yaml --out panoptic.json --overlap order
    """
    from spatialflow.data.converters import OverlapPolicy, cvat_to_panoptic

    with one_progress("convert") as show:
        result = cvat_to_panoptic(
            source,
            out,
            classes=classes,
            images=images,
            overlap=cast(OverlapPolicy, overlap),
            ignore_unknown=ignore_unknown,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def label_studio(
    source: Annotated[Path, typer.Argument(metavar="EXPORT.json", help='Exported as "JSON".')],
    out: JsonOut,
    classes: _Classes,
    images: _Images = None,
    image_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Of a task's data, which has the photo.")
    ] = None,
    overlap: _Overlap = "error",
    ignore_unknown: _IgnoreUnknown = False,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Label Studio's JSON export to COCO panoptic; the latest annotation of each task is taken.

    Example: spatialflow convert label-studio project.json --classes classes.yaml --out panoptic.json
    """
    from spatialflow.data.converters import OverlapPolicy, label_studio_to_panoptic

    with one_progress("convert") as show:
        result = label_studio_to_panoptic(
            source,
            out,
            classes=classes,
            images=images,
            image_key=image_key,
            overlap=cast(OverlapPolicy, overlap),
            ignore_unknown=ignore_unknown,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def masks(
    folder: Annotated[Path, typer.Argument(metavar="MASKS", help="The folder of PNGs.")],
    out: JsonOut,
    classes: _Classes,
    images: Annotated[Path, typer.Option(metavar="FOLDER", help="The photos.")],
    layout: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="photos (MASKS/PHOTO/CLASS_N.png), classes (MASKS/CLASS/PHOTO_N.png), labels "
            "(MASKS/PHOTO.png of ids or colours of the classes), or auto. PHOTO is a photo's name without "
            "suffix; _N may be missing.",
        ),
    ] = "auto",
    split: Annotated[
        bool, typer.Option("--split", help="Make each separate part of a thing's mask an instance.")
    ] = False,
    overlap: _Overlap = "error",
    ignore_unknown: _IgnoreUnknown = False,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Mask PNGs, one for each class or instance or one map of ids for each photo, to COCO panoptic.

    Example: spatialflow convert masks masks/ --images photos/ --classes classes.yaml --out panoptic.json
    """
    from spatialflow.data.converters import MaskLayout, OverlapPolicy, masks_to_panoptic

    with one_progress("convert") as show:
        result = masks_to_panoptic(
            folder,
            out,
            classes=classes,
            images=images,
            layout=cast(MaskLayout, layout),
            split=split,
            overlap=cast(OverlapPolicy, overlap),
            ignore_unknown=ignore_unknown,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))
