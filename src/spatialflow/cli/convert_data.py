"""``spatialflow convert``: annotations of data sets, from one format to another."""

from pathlib import Path
from typing import Annotated, cast

import typer

from spatialflow.cli.console import one_progress, say
from spatialflow.cli.convert_options import JsonOut, Overwrite, Workers

_Panoptic = Annotated[Path, typer.Argument(metavar="ANN.json", help="Ground truth, COCO panoptic.")]
_Segments = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="PNGs of the ground truth; by default beside ANN.json."),
]
_FirstId = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Id of the first annotation; 1 if pycocotools is to evaluate with them."
    ),
]


def panoptic2detection(
    source: _Panoptic,
    out: Annotated[Path, typer.Option(metavar="OUT.json", help="The file to write.")],
    things_only: Annotated[bool, typer.Option("--things-only", help="Leave out stuff.")] = False,
    segments: _Segments = None,
    first_id: _FirstId = 0,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """COCO panoptic to COCO detection: each segment an annotation with a mask.

    Example: spatialflow convert panoptic2detection panoptic_val2017.json --out instances.json --things-only
    """
    from spatialflow.data.converters import panoptic_to_detection

    with one_progress("convert") as show:
        result = panoptic_to_detection(
            source,
            out,
            segments=segments,
            things_only=things_only,
            first_id=first_id,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def panoptic2semantic(
    source: _Panoptic,
    out: Annotated[
        Path,
        typer.Option(metavar="OUT.json|FOLDER", help="The JSON file, or the folder of PNGs, to write."),
    ],
    things_other: Annotated[
        bool, typer.Option("--things-other", help="All things become category 183, other.")
    ] = False,
    segments: _Segments = None,
    void: Annotated[int, typer.Option(metavar="VALUE", help="Of void pixels in the PNGs.")] = 0,
    first_id: _FirstId = 0,
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """COCO panoptic to semantic segmentation: one region for each category, as PNGs or JSON.

    Example: spatialflow convert panoptic2semantic panoptic_val2017.json --out semantic_val2017 --things-other
    """
    from spatialflow.data.converters import panoptic_to_semantic

    with one_progress("convert") as show:
        result = panoptic_to_semantic(
            source,
            out,
            segments=segments,
            things_other=things_other,
            void=void,
            first_id=first_id,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def detection2panoptic(
    source: Annotated[Path, typer.Argument(metavar="ANN.json", help="Masks in COCO detection format.")],
    out: JsonOut,
    categories: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON with categories that say isthing; by default ANN.json, if it does, else COCO's.",
        ),
    ] = None,
    overlap: Annotated[
        str,
        typer.Option(
            metavar="POLICY",
            help="Of pixels in several masks: error, smaller-on-top, or order (the last listed is on top).",
        ),
    ] = "error",
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """COCO detection to COCO panoptic; pixels without a mask become void.

    Example: spatialflow convert detection2panoptic instances.json --out panoptic.json --overlap order
    """
    from spatialflow.data.converters import OverlapPolicy, detection_to_panoptic

    with one_progress("convert") as show:
        result = detection_to_panoptic(
            source,
            out,
            categories=categories,
            overlap=cast(OverlapPolicy, overlap),
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def two_channel2panoptic(
    images: Annotated[Path, typer.Argument(metavar="IMAGES.json", help="A COCO file that lists the images.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="PNGs: category, instance.")],
    out: JsonOut,
    categories: Annotated[
        str, typer.Option(metavar="FILE", help="JSON with categories that say isthing.")
    ] = "coco_panoptic",
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Two-channel PNGs (category, instance) to COCO panoptic.

    Example: spatialflow convert two-channel2panoptic images.json two_channel/ --out panoptic.json
    """
    from spatialflow.data.converters import two_channel_to_panoptic

    with one_progress("convert") as show:
        result = two_channel_to_panoptic(
            images,
            folder,
            out,
            categories=categories,
            overwrite=overwrite,
            workers=workers,
            progress=show,
        )
    say(str(result))


def cityscapes(
    root: Annotated[Path, typer.Argument(metavar="FOLDER", help="The one that has leftImg8bit and gtFine.")],
    out: JsonOut,
    split: Annotated[str, typer.Option(metavar="NAME", help="train or val.")] = "train",
    overwrite: Overwrite = False,
    workers: Workers = None,
) -> None:
    """Cityscapes to COCO panoptic with train ids, groups as crowds.

    Example: spatialflow convert cityscapes data/cityscapes --split val --out data/cityscapes/val.json
    """
    from spatialflow.data.converters import cityscapes_to_panoptic

    with one_progress("convert") as show:
        result = cityscapes_to_panoptic(
            root, out, split=split, overwrite=overwrite, workers=workers, progress=show
        )
    say(str(result))
    say(f"its photos: {root / 'leftImg8bit' / split} (data.train_images, data.val_images)")
