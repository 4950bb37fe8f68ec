"""The merge: instances, then stuff, then boxes over what is still void (the original's ``combine_panoptic``).

Faults of the original that are mended: an instance is listed once, no segment is without pixels, and ids
count 1, 2, 3, ... in the order in which segments come about instead of being random.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.config import MergeConfig
from spatialflow.postprocess.masks import paste_mask
from spatialflow.structures import PanopticPrediction, Segment

_STRIP_PIXELS = 1 << 22
"""Of a map, that are worked on at a time."""


class Instances(NamedTuple):
    """Things of one image on the CPU, by descending score."""

    boxes: NDArray[np.float32]
    """(N, 4) xyxy in pixels of the photo; they may lie partly outside."""
    scores: NDArray[np.float32]
    """(N,)."""
    labels: NDArray[np.int64]
    """(N,)."""
    masks: NDArray[np.float32]
    """(N, M, M) probabilities over the box."""


class Found(NamedTuple):
    """What the network says of one photo, before the merge; on the CPU."""

    things: Instances
    stuff: NDArray[np.uint8]
    """(H, W) channel of each pixel of the photo."""
    stuff_scores: NDArray[np.float32]
    """(S+1,)."""


def merge(
    things: Instances,
    stuff: NDArray[np.uint8],
    stuff_scores: NDArray[np.float32],
    categories: Categories,
    config: MergeConfig,
) -> PanopticPrediction:
    """Resolve one image's things and stuff into one panoptic map.

    Args:
        things: see :class:`Instances`; scores are compared with ``config.score_threshold``.
        stuff: (H, W) channel of the stuff head at each pixel, in pixels of the photo.
        stuff_scores: (S+1,) confidence in each channel, reported as the segments' score.
        categories: of the model.
        config: thresholds.
    """
    canvas = _Canvas(stuff.shape[0], stuff.shape[1])
    count = int((things.scores >= config.score_threshold).sum())
    owner = [_paint_instance(canvas, things, i, config) for i in range(count)]
    _paint_stuff(canvas, stuff, stuff_scores, categories, config)
    if config.using_bbox:
        for i in range(count):
            _fill_box(canvas, things, i, owner[i], config)
    return as_prediction(canvas.ids, canvas.labels, canvas.scores, categories)


class _Canvas:
    """The id map under construction, and what each id stands for."""

    def __init__(self, height: int, width: int) -> None:
        self.ids = np.zeros((height, width), np.int32)
        self.labels: list[int] = []
        self.scores: list[float] = []

    def new_id(self, label: int, score: float) -> int:
        self.labels.append(label)
        self.scores.append(score)
        return len(self.labels)


def as_prediction(
    ids: NDArray[np.int32], labels: Sequence[int], scores: Sequence[float], categories: Categories
) -> PanopticPrediction:
    """A finished id map and what its ids 1, 2, ... stand for, each of which has pixels.

    Args:
        ids: (H, W), 0 is void.
        labels: of the segments.
        scores: of the segments.
        categories: of the model.
    """
    areas, boxes = segment_geometry(ids, len(labels))
    segments = tuple(
        Segment(
            id=i + 1,
            label=label,
            category=categories[label],
            is_thing=label < categories.num_things,
            score=scores[i],
            area=int(areas[i]),
            box=(int(boxes[i, 0]), int(boxes[i, 1]), int(boxes[i, 2]), int(boxes[i, 3])),
        )
        for i, label in enumerate(labels)
    )
    return PanopticPrediction(torch.from_numpy(ids), segments)


def _paint_instance(canvas: _Canvas, things: Instances, i: int, config: MergeConfig) -> int | None:
    """Give instance ``i`` its mask's free pixels; its id, or None if it is empty or too much overlapped."""
    mask = paste_mask(things.masks[i], things.boxes[i], canvas.ids.shape)
    below = canvas.ids[mask.slices]
    free = mask.pixels & (below == 0)
    area, visible = int(mask.pixels.sum()), int(free.sum())
    if area == 0 or (area - visible) / area > config.overlap_threshold or visible == 0:
        return None
    segment_id = canvas.new_id(int(things.labels[i]), float(things.scores[i]))
    below[free] = segment_id
    return segment_id


def _paint_stuff(
    canvas: _Canvas,
    stuff: NDArray[np.uint8],
    scores: NDArray[np.float32],
    categories: Categories,
    config: MergeConfig,
) -> None:
    strips = strips_of(stuff.shape[0], stuff.shape[1])
    areas = np.zeros(max(categories.num_stuff_channels, 1), np.int64)
    for strip in strips:  # 8 bytes a pixel while they are counted
        areas += np.bincount(stuff[strip][canvas.ids[strip] == 0], minlength=len(areas))
    table = np.zeros(len(areas), np.int32)
    for label in range(categories.num_things, len(categories)):
        channel = categories.stuff_channel(label)
        if areas[channel] >= max(config.stuff_area, 1):
            table[channel] = canvas.new_id(label, float(scores[channel]))
    for strip in strips:
        below = canvas.ids[strip]
        np.copyto(below, table[stuff[strip]], where=below == 0)


def _fill_box(
    canvas: _Canvas, things: Instances, i: int, segment_id: int | None, config: MergeConfig
) -> None:
    """Give instance ``i`` the void pixels of its box if they are enough of it; maybe as a new segment."""
    x1, y1, x2, y2 = (float(v) for v in things.boxes[i])
    # The original turns boxes into x, y, w, h and back before it truncates.
    rows = slice(max(int(y1), 0), max(int(y1 + (y2 - y1)), 0))
    columns = slice(max(int(x1), 0), max(int(x1 + (x2 - x1)), 0))
    region = canvas.ids[rows, columns]
    free = region == 0
    void = int(free.sum())
    if void == 0 or void / region.size < config.bbox_threshold:
        return
    if segment_id is None:
        segment_id = canvas.new_id(int(things.labels[i]), float(things.scores[i]))
    region[free] = segment_id


def segment_geometry(ids: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Area and tight box of segments 1..count in an id map (H, W), all of which have pixels.

    Returns:
        (count,) pixels and (count, 4) x1, y1, x2, y2 with exclusive ends.
    """
    height, width = ids.shape
    areas = np.zeros(count + 1, np.int64)
    boxes = np.tile(np.array([width, height, 0, 0]), (count + 1, 1))
    for strip in strips_of(height, width):
        flat = ids[strip].ravel()
        # Runs of equal ids; a run never crosses the end of a row.
        is_start = np.empty(flat.size, bool)
        np.not_equal(flat[1:], flat[:-1], out=is_start[1:])
        is_start[::width] = True
        starts = np.flatnonzero(is_start)
        ends = np.append(starts[1:], flat.size)
        owner = flat[starts]
        areas += np.bincount(owner, ends - starts, minlength=count + 1).astype(np.int64)
        row, left = np.divmod(starts, width)
        row += strip.start
        np.minimum.at(boxes[:, 0], owner, left)
        np.minimum.at(boxes[:, 1], owner, row)
        np.maximum.at(boxes[:, 2], owner, left + (ends - starts))
        np.maximum.at(boxes[:, 3], owner, row + 1)
    return areas[1:], boxes[1:]


def strips_of(height: int, width: int) -> list[slice]:
    """Rows of a map, so many at a time that what is computed of them stays small beside a large photo."""
    step = max(1, _STRIP_PIXELS // width)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]
