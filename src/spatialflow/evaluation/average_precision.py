"""Average precision of boxes and masks (cocodataset.org/#detection-eval), computed by pycocotools.

The truth is that of the panoptic annotation: its things, crowds included, which COCO ignores.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spatialflow.categories import Categories
from spatialflow.evaluation.ranks import Ranks
from spatialflow.postprocess.masks import paste_mask
from spatialflow.postprocess.panoptic import Instances
from spatialflow.structures import Target

Kind = Literal["bbox", "segm"]
Rle = dict[str, Any]


@dataclass(frozen=True, slots=True)
class APResult:
    """Average precision as fractions 0..1; NaN where the truth has no object of that kind."""

    ap: float
    """Mean over IoU thresholds 0.50, 0.55, ..., 0.95."""
    ap50: float
    ap75: float
    ap_small: float
    """Of objects below 32 x 32 pixels."""
    ap_medium: float
    ap_large: float
    """Of objects above 96 x 96 pixels."""
    per_class: dict[int, float]
    """``ap`` of each thing category by its id."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, without NaN, which JSON does not know."""
        numbers = asdict(self)
        classes = numbers.pop("per_class")
        clean = {key: None if np.isnan(value) else value for key, value in numbers.items()}
        clean["per_class"] = {str(k): None if np.isnan(v) else v for k, v in classes.items()}
        return clean


class InstanceTable:
    """Collects detections and truth of a data set image by image, as COCO's JSON formats have them.

    Masks are kept as run lengths, so that a data set of thousands of images fits into memory.
    """

    def __init__(self, categories: Categories) -> None:
        self.categories = categories
        self.images: list[dict[str, Any]] = []
        self.truth: list[dict[str, Any]] = []
        self.detections: list[dict[str, Any]] = []

    def add(self, target: Target, things: Instances) -> None:
        """Add one image; boxes and masks of both are in pixels of the photo."""
        height, width = target.original_size
        image_id = target.image_id
        self.images.append({"id": image_id, "height": height, "width": width})
        self.truth += _truth_of(target, self.categories)
        for box, score, label, probabilities in zip(*things, strict=True):
            window = paste_mask(probabilities, box, (height, width))
            mask = np.zeros((height, width), np.bool_)
            mask[window.slices] = window.pixels
            x1, y1, x2, y2 = (float(v) for v in box)
            self.detections.append(
                {
                    "image_id": image_id,
                    "category_id": self.categories[int(label)].id,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(score),
                    "segmentation": _encode(mask),
                }
            )

    def gather(self, ranks: Ranks) -> None:
        """Add what the other processes collected of their images, on the first of them."""
        own = (self.images, self.truth, self.detections)
        for theirs in ranks.gather(own)[1:]:
            for rows, more in zip(own, theirs, strict=True):
                rows += more

    def compute(self, kind: Kind) -> APResult:
        """Average precision by the overlap of boxes (``bbox``) or masks (``segm``)."""
        things = [c for c in self.categories if c.is_thing]
        return average_precision(self.images, self.truth, self.detections, [c.id for c in things], kind)


def average_precision(
    images: Sequence[dict[str, Any]],
    truth: Sequence[dict[str, Any]],
    detections: Sequence[dict[str, Any]],
    category_ids: Sequence[int],
    kind: Kind,
) -> APResult:
    """COCO's evaluation of detections against truth, both as the entries of COCO's JSON files.

    Args:
        images: with ``id``, ``height``, ``width``.
        truth: with ``image_id``, ``category_id``, ``bbox``, ``segmentation`` (RLE), ``area``, ``iscrowd``.
        detections: with ``image_id``, ``category_id``, ``bbox``, ``segmentation``, ``score``.
        category_ids: of the things.
        kind: what overlaps.
    """
    # the library sorts image ids, which numbers and texts together cannot be
    number_of = {image["id"]: number for number, image in enumerate(images, start=1)}
    images = [{**image, "id": number_of[image["id"]]} for image in images]
    truth, detections = (
        [{**entry, "image_id": number_of[entry["image_id"]]} for entry in entries]
        for entries in (truth, detections)
    )
    with contextlib.redirect_stdout(io.StringIO()):  # the library prints
        gt = COCO()
        gt.dataset = {
            "info": {},
            "images": list(images),
            "annotations": [{**entry, "id": number} for number, entry in enumerate(truth, start=1)],
            "categories": [{"id": category_id} for category_id in category_ids],
        }
        gt.createIndex()
        dt = COCO()
        # one by one: the library (2.0.11) fails on lists of more than 255
        areas = [coco_mask.area(d["segmentation"]) for d in detections]
        by = {"bbox": lambda d, _: d["bbox"][2] * d["bbox"][3], "segm": lambda _, area: float(area)}[kind]
        dt.dataset = {
            **gt.dataset,
            "annotations": [
                {**d, "id": number, "iscrowd": 0, "area": by(d, area)}
                for number, (d, area) in enumerate(zip(detections, areas, strict=True), start=1)
            ],
        }
        dt.createIndex()
        evaluation = COCOeval(gt, dt, kind)
        evaluation.evaluate()
        evaluation.accumulate()
    # (thresholds, recalls, categories, areas, numbers of detections); -1 where there is no truth
    precision = evaluation.eval["precision"][..., -1]
    every, small, medium, large = range(4)
    return APResult(
        ap=_mean(precision[..., every]),
        ap50=_mean(precision[0, ..., every]),
        ap75=_mean(precision[5, ..., every]),
        ap_small=_mean(precision[..., small]),
        ap_medium=_mean(precision[..., medium]),
        ap_large=_mean(precision[..., large]),
        per_class={
            int(category_id): _mean(precision[:, :, place, every])
            for place, category_id in enumerate(evaluation.params.catIds)
        },
    )


def _truth_of(target: Target, categories: Categories) -> list[dict[str, Any]]:
    ids = target.id_map.numpy(force=True)
    columns = (target.ids, target.labels, target.is_crowd)
    entries = []
    for segment_id, label, is_crowd in zip(*(c.tolist() for c in columns), strict=True):
        if label >= categories.num_things:
            continue
        mask = ids == segment_id
        if not mask.any():  # a row without pixels is nothing to be found
            continue
        rle = _encode(mask)
        entries.append(
            {
                "image_id": target.image_id,
                "category_id": categories[label].id,
                "iscrowd": int(is_crowd),
                "area": float(coco_mask.area(rle)),
                "bbox": [float(v) for v in coco_mask.toBbox(rle)],
                "segmentation": rle,
            }
        )
    return entries


def _encode(mask: NDArray[np.bool_]) -> Rle:
    rle: Rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return rle


def _mean(precision: NDArray[np.float64]) -> float:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float("nan")
