"""Panoptic results to and from COCO's formats (cocodataset.org/#format-results)."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow import json_fields as fields
from spatialflow.categories import Categories
from spatialflow.errors import DataError
from spatialflow.image_io import read_id_png
from spatialflow.json_fields import FieldError
from spatialflow.masks.extents import measure
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.panoptic_annotation import SegmentInfo, parse_annotation
from spatialflow.structures.segment import Segment
from spatialflow.zip_path import ReadPath, ZipPath, open_folder

TRUTH_SCORE = 1.0
"""Score of segments that state none, as ground truth does not."""


def panoptic_entry(segments: Sequence[Segment], image_id: int | str, file_name: str) -> dict[str, Any]:
    """Entry of ``annotations`` of a COCO-panoptic result; ``file_name`` is that of the PNG."""
    return {
        "image_id": image_id,
        "file_name": file_name,
        "segments_info": [_segment_info(segment) for segment in segments],
    }


def _segment_info(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "category_id": segment.category.id,
        "isthing": int(segment.is_thing),
        "iscrowd": int(segment.is_crowd),
        "area": segment.area,
        "bbox": _bbox(segment),
        "score": segment.score,
    }


def _bbox(segment: Segment) -> list[int]:
    x1, y1, x2, y2 = segment.box
    return [x1, y1, x2 - x1, y2 - y1]


def instance_entries(
    ids: NDArray[np.int32], segments: Sequence[Segment], image_id: int | str
) -> list[dict[str, Any]]:
    """Entries of a COCO detection result: one for each thing, crowds left out.

    Args:
        ids: (H, W).
        segments: of the map.
        image_id: of the photo.
    """
    things = [segment for segment in segments if segment.is_thing and not segment.is_crowd]
    return [
        {
            "image_id": image_id,
            "category_id": segment.category.id,
            "bbox": _bbox(segment),
            "score": segment.score,
            "segmentation": rle,
        }
        for segment, rle in zip(things, run_lengths(ids, things), strict=True)
    ]


def run_lengths(ids: NDArray[np.int32], segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """COCO's compressed run lengths of each segment, ``{"size": [H, W], "counts": text}``."""
    if not segments:
        return []
    # only the columns between the first and the last of their pixels are read
    left = min(segment.box[0] for segment in segments)
    right = max(segment.box[2] for segment in segments)
    found, runs = MaskRuns.of_id_map(ids[:, left:right])
    places = np.searchsorted(found, [segment.id for segment in segments])
    runs = runs.select(places)
    moved = MaskRuns(
        runs.starts + left * ids.shape[0], runs.ends + left * ids.shape[0], runs.bounds, ids.shape[:2]
    )
    return moved.to_rle()


def read_coco(
    annotation: Mapping[str, Any], png: str | os.PathLike[str], categories: Categories
) -> tuple[NDArray[np.int32], tuple[Segment, ...]]:
    """A COCO-panoptic annotation and its PNG as a map and segments; see ``PanopticPrediction.from_coco``."""
    name = annotation.get("file_name") if isinstance(annotation, Mapping) else None
    where = f"annotation of {name}" if isinstance(name, str) else "annotation"
    try:
        parsed = parse_annotation(annotation, is_truth=False)
        scores = _scores(annotation["segments_info"])
        for j, info in enumerate(parsed.segments):
            if info.category_id not in categories:
                problem = f"{info.category_id} is not among the categories; give those of its file"
                raise FieldError(f"segments_info[{j}].category_id", problem)
    except FieldError as error:
        raise DataError(f"{where}: {error.field}: {error.problem}".replace(": :", ":")) from None
    path = _png_path(png, parsed.file_name)
    ids = read_id_png(path)
    found = measure(ids)
    measured = zip(found.ids.tolist(), found.areas.tolist(), found.boxes.tolist(), strict=True)
    painted = {segment_id: (area, bbox) for segment_id, area, bbox in measured}
    _check_same(path, painted.keys(), [info.id for info in parsed.segments], where)
    return ids, tuple(
        _segment(info, *painted[info.id], scores.get(info.id, TRUTH_SCORE), categories)
        for info in parsed.segments
    )


def _scores(infos: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """By segment id, of those that state one."""
    scores: dict[int, float] = {}
    for j, info in enumerate(infos):
        score = info.get("score")
        if score is None:
            continue
        if not fields.is_number(score) or not 0 <= score <= 1:
            raise FieldError(
                f"segments_info[{j}].score",
                f"a number 0..1 is expected, got {fields.show(score)}",
            )
        scores.setdefault(info["id"], float(score))
    return scores


def _png_path(png: str | os.PathLike[str], file_name: str) -> ReadPath:
    """The PNG: given itself, or by its folder or ``.zip``."""
    if isinstance(png, ZipPath):
        return png if png.is_file() else png / file_name
    path = Path(png)
    if path.suffix.lower() != ".zip" and not path.is_dir():
        return path
    folder = open_folder(path, file_name)
    if folder is None:
        raise DataError(f"{path}: no such folder of panoptic PNGs; check the path")
    return folder / file_name


def _check_same(path: ReadPath, painted: Any, listed: Sequence[int], where: str) -> None:
    for segment_id in sorted(painted - set(listed))[:1]:
        raise DataError(
            f"{path}: segment {segment_id} has pixels but is not in segments_info of the {where}; add it, or "
            f"paint it 0 (void)"
        )
    for segment_id in sorted(set(listed) - painted)[:1]:
        raise DataError(
            f"{path}: segment {segment_id} has no pixel but is in segments_info of the {where}; drop it, or "
            f"paint it"
        )


def _segment(info: SegmentInfo, area: int, bbox: list[int], score: float, categories: Categories) -> Segment:
    label = categories.label(info.category_id)
    x, y, width, height = bbox
    return Segment(
        id=info.id,
        label=label,
        category=categories[label],
        is_thing=categories[label].is_thing,
        score=score,
        area=area,
        box=(x, y, x + width, y + height),
        is_crowd=info.is_crowd,
    )
