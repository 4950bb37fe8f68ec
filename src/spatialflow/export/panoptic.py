"""The merge of :mod:`spatialflow.postprocess.panoptic` as loops of the graph."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch._higher_order_ops import while_loop

from spatialflow.categories import Categories
from spatialflow.config import MergeConfig
from spatialflow.export.outputs import FoundOutputs, PanopticMap
from spatialflow.postprocess.masks import MASK_THRESHOLD

State = tuple[Tensor, Tensor]
"""Number of the next thing, () int64, and slots, (H, W) int32."""


def merge_in_graph(found: FoundOutputs, categories: Categories, config: MergeConfig) -> PanopticMap:
    """Resolve one image's things and stuff into one panoptic map.

    Until the end a pixel holds a slot rather than an id: 1..N the things, N+1..N+S the stuff classes, and
    then N things again, for those that get pixels only by their box.
    """
    number = found.scores.shape[0]
    slots = _paint_instances(found, config)
    slots, stuff_labels, stuff_values = _paint_stuff(slots, found, categories, config)
    if config.using_bbox:
        slots = _fill_boxes(slots, found, number + len(stuff_labels), config)
    labels = torch.cat([found.labels, stuff_labels, found.labels])
    scores = torch.cat([found.scores, stuff_values, found.scores])
    pixels = torch.zeros(len(labels) + 1, dtype=torch.int64)
    flat = slots.flatten().long()
    exists = pixels.scatter_add(0, flat, torch.ones_like(flat))[1:] > 0
    # Slots are in the order in which segments come about, so counting those that exist gives the ids.
    ids = exists.long().cumsum(0) * exists
    table = torch.cat([ids.new_zeros(1), ids])
    rows = torch.where(exists, ids - 1, len(labels))  # a row more, for those that do not exist
    segment_labels = labels.new_full((len(labels) + 1,), -1).scatter(0, rows, labels)
    segment_scores = scores.new_zeros(len(labels) + 1).scatter(0, rows, scores)
    is_one = torch.arange(len(labels)) < exists.sum()
    return PanopticMap(
        table.to(torch.int32)[slots.long()],
        torch.where(is_one, segment_labels[:-1], -1),
        torch.where(is_one, segment_scores[:-1], 0.0),
    )


def _paint_instances(found: FoundOutputs, config: MergeConfig) -> Tensor:
    """Each thing in turn gets its mask's free pixels, unless too few of them are free; (H, W) int32 slots."""
    count = (found.scores >= config.score_threshold).logical_and(found.scores > 0).sum()
    x, y = _centres(found.stuff)

    def goes_on(i: Tensor, slots: Tensor) -> Tensor:
        return i < count

    def paint(i: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        box = found.boxes.index_select(0, i[None])[0]
        mask = _paste(found.masks.index_select(0, i[None])[0], box, x, y)
        free = mask & (slots == 0)
        area, visible = mask.sum().double(), free.sum().double()
        is_kept = (visible > 0) & ((area - visible) / area.clamp(min=1) <= config.overlap_threshold)
        return i + 1, torch.where(free & is_kept, (i + 1).to(torch.int32), slots)

    start = torch.zeros((), dtype=torch.int64), torch.zeros_like(found.stuff, dtype=torch.int32)
    return _loop(goes_on, paint, start)[1]


def _loop(
    goes_on: Callable[[Tensor, Tensor], Tensor],
    step: Callable[[Tensor, Tensor], State],
    state: State,
) -> State:
    """A loop of the graph while it is traced; else an ordinary one, which need not be compiled first."""
    if torch.compiler.is_exporting():
        return while_loop(goes_on, step, state)
    while goes_on(*state):
        state = step(*state)
    return state


def _centres(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Middle of each column (W,) and row (H,)."""
    height, width = pixels.shape
    return torch.arange(width).float() + 0.5, torch.arange(height).float() + 0.5


def _paste(probabilities: Tensor, box: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """See :func:`spatialflow.postprocess.masks.paste_mask`; (H, W) bool."""
    horizontal = _weights(box[0], box[2], x, probabilities.shape[0])
    vertical = _weights(box[1], box[3], y, probabilities.shape[0])
    return vertical @ probabilities @ horizontal.T >= MASK_THRESHOLD


def _weights(start: Tensor, end: Tensor, centres: Tensor, size: int) -> Tensor:
    """Bilinear weights of the map's cells for each pixel along an axis, (pixels, cells)."""
    extent = end - start
    has_extent = extent > 0
    cells = (centres - start) / torch.where(has_extent, extent, 1.0) * size - 0.5
    cells = torch.where(has_extent, cells, (size - 1) / 2)
    weights = (1 - (cells[:, None] - torch.arange(size).float()).abs()).clamp(min=0)
    inside = (centres > start.floor() - 1) & (centres < end.ceil() + 1)
    return torch.where(inside[:, None], weights, 0.0)


def _paint_stuff(
    slots: Tensor, found: FoundOutputs, categories: Categories, config: MergeConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Stuff of enough free pixels gets them; also the labels (S,) and scores (S,) of the stuff classes."""
    labels = range(categories.num_things, len(categories))
    channels = torch.tensor([categories.stuff_channel(label) for label in labels], dtype=torch.int64)
    stuff = found.stuff.long()
    areas = torch.zeros(categories.num_stuff_channels, dtype=torch.int64)
    areas = areas.scatter_add(0, stuff.flatten(), (slots == 0).flatten().long())
    first = found.scores.shape[0] + 1
    own = (torch.arange(len(channels)) + first) * (areas[channels] >= max(config.stuff_area, 1))
    table = torch.zeros(categories.num_stuff_channels, dtype=torch.int64).scatter(0, channels, own)
    slots = torch.where(slots == 0, table.to(torch.int32)[stuff], slots)
    return slots, torch.tensor(labels, dtype=torch.int64), found.stuff_scores[channels]


def _fill_boxes(slots: Tensor, found: FoundOutputs, offset: int, config: MergeConfig) -> Tensor:
    """Each thing in turn gets the void pixels of its box, if they are enough of it."""
    number = found.scores.shape[0]
    count = (found.scores >= config.score_threshold).logical_and(found.scores > 0).sum()
    painted = torch.zeros(offset + 1, dtype=torch.int64)
    flat = slots.flatten().long()
    owner = painted.scatter_add(0, flat, torch.ones_like(flat))[1 : number + 1] > 0
    own_slots = torch.arange(number) + 1 + torch.where(owner, 0, offset)
    boxes = found.boxes.double()
    # The original turns boxes into x, y, w, h and back before it truncates.
    ends = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2])
    corners = torch.cat([boxes[:, :2], ends], dim=1).long().clamp(min=0)
    height, width = slots.shape
    columns, rows = torch.arange(width), torch.arange(height)

    def goes_on(i: Tensor, slots: Tensor) -> Tensor:
        return i < count

    def fill(i: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        x1, y1, x2, y2 = corners.index_select(0, i[None])[0].unbind()
        inside = ((rows >= y1) & (rows < y2))[:, None] & ((columns >= x1) & (columns < x2))
        free = inside & (slots == 0)
        void, size = free.sum().double(), inside.sum().double()
        is_filled = (void > 0) & (void / size.clamp(min=1) >= config.bbox_threshold)
        slot = own_slots.index_select(0, i[None])[0].to(torch.int32)
        return i + 1, torch.where(free & is_filled, slot, slots)

    return _loop(goes_on, fill, (torch.zeros((), dtype=torch.int64), slots))[1]
