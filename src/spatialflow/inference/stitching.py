"""Panoptic maps of overlapping tiles, put together: what a seam cuts comes out as one segment.

A pixel is decided by the tile whose centre is nearest (its *cell*), but for things of which another tile
knows more. In the order of the tiles:

1. A tile paints its cell.
2. It is compared with every earlier tile that it overlaps. Two things are one where, among the pixels that
   both tiles see, their masks have an IoU above one half: as in the matching of panoptic quality (Kirillov
   et al., CVPR 2019), a thing then has one partner at most, so that neighbours are never joined in pairs.
   Classes may differ, as they do when a tile sees only a corner of a thing.
3. A thing is *whole* in a tile that it leaves a margin in, and *cut* where it reaches a border of the tile
   that is none of the photo. A whole thing also takes its pixels in the other tile's cell, over stuff, void
   and cut things, unless that tile has it whole itself.

At the end joined things get one id and the class that most of their pixels are for; stuff is one segment for
each class. What is left of a thing of which others have taken more than half is void, and so is stuff that is
too small in the whole photo.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spatialflow.inference.tiles import Area, Tile
from spatialflow.postprocess.panoptic import segment_geometry, strips_of
from spatialflow.structures import PanopticPrediction, Segment

SAME_IOU = 0.5
"""Above it, two masks are of one thing."""
KEPT_SHARE = 0.5
"""Of a thing's largest view: with less visible, it is a remnant."""
_MARGIN = 1 / 64
"""Of a tile's longer side: masks of cut things need not reach the very border."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A segment as one tile shows it."""

    segment: Segment
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tile after the network."""

    tile: Tile
    ids: NDArray[np.int32]
    """(h, w) numbers of pieces, 0 = void."""
    pieces: range
    """Their numbers."""


class Stitcher:
    """Takes the tiles of a photo one by one, and keeps those that later ones may overlap.

    Memory: 4 bytes a pixel of the photo and of two rows of tiles.

    Args:
        size: (H, W) of the photo.
        stuff_area: smallest stuff segment, in pixels of the photo.
    """

    def __init__(self, size: tuple[int, int], stuff_area: int) -> None:
        self._ids = np.zeros(size, np.int32)
        self._stuff_area = stuff_area
        self._pieces: list[_Piece | None] = [None]
        self._firm = np.zeros(1, bool)
        self._parent = [0]
        self._stuff: dict[int, int] = {}
        self._recent: list[_Seen] = []

    def add(self, tile: Tile, prediction: PanopticPrediction) -> None:
        """Put the next tile into its place.

        Args:
            tile: of :meth:`Tiling.tiles`, in its order.
            prediction: of the tile's area, with stuff of any size.
        """
        seen = self._number(tile, prediction)
        self._recent = [other for other in self._recent if other.tile.area.bottom > tile.area.top]
        overlapping = [other for other in self._recent if other.tile.area.intersection(tile.area)]
        self._ids[tile.cell.slices] = seen.ids[tile.cell.slices_in(tile.area)]
        for other in overlapping:
            self._unite(other, seen)
        for other in overlapping:
            self._spill(other, seen)
            self._spill(seen, other)
        self._recent.append(seen)

    def finish(self) -> PanopticPrediction:
        """The whole map. The stitcher is used up."""
        visible = np.zeros(len(self._pieces), np.int64)
        for strip in self._strips():
            visible += np.bincount(strip.ravel(), minlength=len(visible))
        kept = self._kept(visible)
        table = np.zeros(len(self._pieces), np.int32)
        for number, (_, pieces) in enumerate(kept, start=1):
            table[pieces] = number
        for strip in self._strips():
            strip[...] = table[strip]
        areas, boxes = segment_geometry(self._ids, len(kept))
        segments = tuple(
            Segment(
                id=i + 1,
                label=one.label,
                category=one.category,
                is_thing=one.is_thing,
                score=one.score,
                area=int(areas[i]),
                box=(int(boxes[i, 0]), int(boxes[i, 1]), int(boxes[i, 2]), int(boxes[i, 3])),
            )
            for i, (one, _) in enumerate(kept)
        )
        return PanopticPrediction(torch.from_numpy(self._ids), segments)

    def _strips(self) -> list[NDArray[np.int32]]:
        return [self._ids[rows] for rows in strips_of(*self._ids.shape)]

    def _number(self, tile: Tile, prediction: PanopticPrediction) -> _Seen:
        """Give a tile's segments numbers of their own; stuff joins what there is of its class."""
        first = len(self._pieces)
        table = np.zeros(max((s.id for s in prediction.segments), default=0) + 1, np.int32)
        for number, segment in enumerate(prediction.segments, start=first):
            table[segment.id] = number
            self._pieces.append(_Piece(segment, _is_cut(segment, tile.area, self._ids.shape)))
            self._parent.append(number)
            if not segment.is_thing:
                self._parent[number] = self._stuff.setdefault(segment.label, number)
        whole = [self._is_thing(piece, whole=True) for piece in range(first, len(self._pieces))]
        self._firm = np.append(self._firm, np.array(whole, bool))
        local = prediction.segment_ids.cpu().numpy()
        return _Seen(tile, table[local], range(first, len(self._pieces)))

    def _root(self, piece: int) -> int:
        while self._parent[piece] != piece:
            self._parent[piece] = self._parent[self._parent[piece]]
            piece = self._parent[piece]
        return piece

    def _is_thing(self, piece: int, *, whole: bool = False) -> bool:
        one = self._pieces[piece]
        return one is not None and one.segment.is_thing and not (whole and one.is_cut)

    def _unite(self, one: _Seen, other: _Seen) -> None:
        """Join things of two tiles that are the same where both tiles see."""
        shared = one.tile.area.intersection(other.tile.area)
        assert shared is not None, "only tiles that overlap are compared"
        first = _positions(one, shared)
        second = _positions(other, shared)
        rows, columns = len(one.pieces) + 1, len(other.pieces) + 1
        common = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
        union = common.sum(1, keepdims=True) + common.sum(0, keepdims=True) - common
        for i, j in zip(*np.nonzero(common > SAME_IOU * union), strict=True):
            if i and j:  # 0 is void
                pair = one.pieces[i - 1], other.pieces[j - 1]
                if all(map(self._is_thing, pair)):
                    low, high = sorted(map(self._root, pair))
                    self._parent[high] = low

    def _spill(self, source: _Seen, target: _Seen) -> None:
        """Let whole things of one tile take their pixels in another's cell."""
        shared = source.tile.area.intersection(target.tile.cell)
        if shared is None:
            return
        at_home = {self._root(piece) for piece in target.pieces if self._is_thing(piece, whole=True)}
        going = np.zeros(len(self._pieces), bool)
        for piece in source.pieces:
            going[piece] = self._is_thing(piece, whole=True) and self._root(piece) not in at_home
        if not going.any():
            return
        incoming = source.ids[shared.slices_in(source.tile.area)]
        place = self._ids[shared.slices]
        np.copyto(place, incoming, where=going[incoming] & ~self._firm[place])

    def _kept(self, visible: NDArray[np.int64]) -> list[tuple[Segment, list[int]]]:
        """Segments of the whole photo and the pieces that each is made of: things by score, then stuff.

        Of each, area and box are not right yet.
        """
        groups: dict[int, list[int]] = {}
        for piece in range(1, len(self._pieces)):
            groups.setdefault(self._root(piece), []).append(piece)
        kept = []
        for pieces in groups.values():
            area = int(visible[pieces].sum())
            views = [one for piece in pieces if (one := self._pieces[piece]) is not None]
            segment = _combined(views, visible[pieces].tolist())
            least = (
                KEPT_SHARE * max(one.segment.area for one in views) if segment.is_thing else self._stuff_area
            )
            if area >= max(least, 1):
                kept.append((segment, pieces))
        return sorted(
            kept, key=lambda k: (not k[0].is_thing, -k[0].score if k[0].is_thing else k[0].label, k[1])
        )


def _is_cut(segment: Segment, area: Area, photo: tuple[int, int]) -> bool:
    """Whether a thing reaches, or nearly, a border of its tile that is none of the photo."""
    if not segment.is_thing:
        return False
    height, width = area.size
    margin = max(1, round(max(height, width) * _MARGIN))
    x1, y1, x2, y2 = segment.box
    return (
        (area.left > 0 and x1 < margin)
        or (area.top > 0 and y1 < margin)
        or (area.right < photo[1] and x2 > width - margin)
        or (area.bottom < photo[0] and y2 > height - margin)
    )


def _positions(seen: _Seen, part: Area) -> NDArray[np.int64]:
    """Of each pixel of a part of a tile, which of the tile's pieces it is, from 1; 0 is void."""
    ids = seen.ids[part.slices_in(seen.tile.area)].ravel()
    return np.where(ids > 0, ids.astype(np.int64) - (seen.pieces.start - 1), 0)


def _combined(views: list[_Piece], visible: list[int]) -> Segment:
    """One segment's class and score from all views of it.

    The class with the largest sum of pixels times score; the score is the mean over that class's pixels.
    """
    weighed = [(one, pixels) for one, pixels in zip(views, visible, strict=True) if pixels > 0]
    weighed = weighed or [(views[0], 1)]
    votes: dict[int, float] = {}
    for one, pixels in weighed:
        votes[one.segment.label] = votes.get(one.segment.label, 0.0) + pixels * one.segment.score
    label = max(votes, key=lambda key: (votes[key], -key))
    pixels = sum(pixels for one, pixels in weighed if one.segment.label == label)
    example = next(one.segment for one, _ in weighed if one.segment.label == label)
    return Segment(
        id=example.id,
        label=label,
        category=example.category,
        is_thing=example.is_thing,
        score=votes[label] / pixels,
        area=example.area,
        box=example.box,
    )
