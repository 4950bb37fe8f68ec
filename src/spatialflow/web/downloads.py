"""The files of one photo's result: those that ``spatialflow predict`` writes."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.evaluation.coco_format import OVERLAYS, ResultWriter
from spatialflow.structures import PanopticPrediction


class Downloads(NamedTuple):
    """Paths of a result."""

    png: Path
    """Segment ids, R + 256 G + 65536 B."""
    json: Path
    """COCO panoptic."""
    overlay: Path
    """Picture with class names."""


def write_downloads(
    name: str, prediction: PanopticPrediction, overlay: Image.Image, categories: Categories, folder: Path
) -> Downloads:
    """Write a result to a new folder of its own.

    Args:
        name: of the photo's file.
        prediction: the result.
        overlay: the picture, of full size.
        categories: of the model.
        folder: in which the new one is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="result-", dir=folder))
    stem = Path(name).stem
    height, width = prediction.segment_ids.shape
    with ResultWriter(out) as writer:
        writer.add(1, f"{stem}.png", prediction, overlay)
        path = writer.close(categories, [ImageInfo(1, name, height, width)])
    return Downloads(out / "panoptic" / f"{stem}.png", path, out / OVERLAYS / f"{stem}.jpg")
