"""``spatialflow convert`` of published data sets, each from the layout it is published in."""

from pathlib import Path
from typing import Annotated, cast

import typer

from spatialflow.cli.console import one_progress, say
from spatialflow.cli.convert_options import JsonOut, Overwrite, Workers

_Split = Annotated[str, typer.Option(metavar="NAME", help="training or validation.")]


def ade20k(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="The one that has images, annotations and annotations_instance."
        ),
    ],
    out: JsonOut,
    split: _Split = "training",
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """ADE20K (ADEChallengeData2016 with its instances) to COCO panoptic, 100 things and 50 stuff classes.

    Example: spatialflow convert ade20k ADEChallengeData2016 --split validation --out ade20k_val.json
    """
    from spatialflow.data.converters import ade20k_to_panoptic

    with one_progress("convert") as show:
        result = ade20k_to_panoptic(
            root, out, split=split, overwrite=overwrite, workers=workers, progress=show
        )
    say(str(result))
    say(f"its photos: {root / 'images' / split} (data.train_images, data.val_images)")


def mapillary(
    root: Annotated[Path, typer.Argument(metavar="FOLDER", help="The one that has training and validation.")],
    out: JsonOut,
    split: _Split = "training",
    version: Annotated[str, typer.Option(metavar="VERSION", help="v1.2 or v2.0.")] = "v1.2",
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="KIND", help="What is read: panoptic (PNGs and JSON) or instances (PNGs)."
        ),
    ] = "panoptic",
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Mapillary Vistas to COCO panoptic; classes that are not evaluated become void.

    Example: spatialflow convert mapillary data/vistas --version v2.0 --split validation --out vistas_val.json
    """
    from spatialflow.data.converters import VistasSource, VistasVersion, mapillary_to_panoptic

    with one_progress("convert") as show:
        result = mapillary_to_panoptic(
            root,
            out,
            split=split,
            version=cast(VistasVersion, version),
            source=cast(VistasSource, source),
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))
    say(f"its photos: {root / split / 'images'} (data.train_images, data.val_images)")


def coco_stuff(
    instances: Annotated[Path, typer.Argument(metavar="INSTANCES.json", help="COCO's things.")],
    stuff: Annotated[
        Path, typer.Argument(metavar="STUFF.json|FOLDER", help="COCO's stuff, or stuffthingmaps (PNGs).")
    ],
    out: JsonOut,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """COCO's instances and stuff to COCO panoptic, by COCO's own rule: things over stuff, small over large.

    Example: spatialflow convert coco-stuff instances_val2017.json stuff_val2017.json --out panoptic.json
    """
    from spatialflow.data.converters import coco_stuff_to_panoptic

    with one_progress("convert") as show:
        result = coco_stuff_to_panoptic(
            instances, stuff, out, overwrite=overwrite, workers=workers, progress=show
        )
    say(str(result))
