"""The map of segments and the list of them, which must agree."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from spatialflow.errors import DataError
from spatialflow.image_io import MAX_SEGMENT_ID
from spatialflow.masks.id_map import ids_of, replace_ids
from spatialflow.masks.polygons import outline
from spatialflow.structures import coco
from spatialflow.structures.segment import Segment
from spatialflow.structures.text import summary


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SegmentMap:
    """A map of segments and the list of them: every pixel is in one segment, or void (0).

    Iterating gives the segments, ``len`` their number. Two results are equal if their maps have the same
    values, on whatever device, and their segments are equal and in the same order.
    """

    segment_ids: Tensor
    """(H, W) int32."""
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        """Check that the map and the list name the same segments."""
        painted = set(ids_of(self.segment_ids)) - {0}
        listed = [segment.id for segment in self.segments]
        if len(set(listed)) != len(listed) or painted != set(listed):
            raise ValueError(f"segment_ids has segments {sorted(painted)}, segments lists {sorted(listed)}")

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SegmentMap):
            return NotImplemented
        return self.segments == other.segments and torch.equal(
            self.segment_ids.cpu(), other.segment_ids.cpu()
        )

    def __hash__(self) -> int:
        return hash((tuple(self.segment_ids.shape), self.segments))

    def __repr__(self) -> str:
        return summary(self.segment_ids.shape, self.segments, str(self.segment_ids.device))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Copy with the map on ``device``."""
        return self._with(self.segment_ids.to(device, non_blocking=non_blocking), self.segments)

    def with_ids(self, new: Mapping[int, int]) -> Self:
        """The same segments with other ids, such as those of tracks in a video.

        Args:
            new: by the ids they replace; segments that are not named keep theirs.

        Raises:
            DataError: an id is not 1..2^24-1, two segments would get the same, or there is no such segment.
        """
        known = {segment.id for segment in self.segments}
        for segment_id in new:
            if segment_id not in known:
                self.segment(segment_id)  # which tells
        ids = [new.get(segment.id, segment.id) for segment in self.segments]
        for segment_id in ids:
            if not 0 < segment_id <= MAX_SEGMENT_ID:
                raise DataError(f"segment id {segment_id}: give one of 1..{MAX_SEGMENT_ID}")
        if len(set(ids)) != len(ids):
            double = next(i for i in ids if ids.count(i) > 1)
            raise DataError(f"segment id {double}: two segments would have it; give each one of its own")
        changed = replace_ids(self.segment_ids, [segment.id for segment in self.segments], ids, fill=0)
        renamed = (replace(segment, id=i) for segment, i in zip(self.segments, ids, strict=True))
        return self._with(changed, tuple(renamed))

    def _with(self, segment_ids: Tensor, segments: tuple[Segment, ...]) -> Self:
        """Copy with these, which are known to fit each other."""
        changed = copy.copy(self)
        object.__setattr__(changed, "segment_ids", segment_ids)
        object.__setattr__(changed, "segments", segments)
        return changed

    def segment(self, segment: Segment | int) -> Segment:
        """The segment of this id; given a segment, it must be the very one.

        Raises:
            DataError: there is none.
        """
        segment_id = segment.id if isinstance(segment, Segment) else segment
        for own in self.segments:
            if own.id == segment_id:
                if isinstance(segment, Segment) and segment != own:
                    raise DataError(
                        f"segment {segment_id}: {segment.category.name} is of another prediction; here this "
                        f"id is a {own.category.name} of {own.area} pixels. Give one of this, or the id"
                    )
                return own
        known = [own.id for own in self.segments]
        listed = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
        raise DataError(f"segment {segment_id}: is not of this prediction, whose ids are {listed or 'none'}")

    def mask(self, segment: Segment | int) -> Tensor:
        """Pixels of one segment, given itself or by its id, (H, W) bool.

        Raises:
            DataError: there is no such segment.
        """
        return self.segment_ids == self.segment(segment).id

    def masks(self, segments: Sequence[Segment | int] | None = None) -> Tensor:
        """Pixels of several segments, by default of all, (N, H, W) bool."""
        chosen = self.segments if segments is None else [self.segment(segment) for segment in segments]
        ids = [segment.id for segment in chosen]
        keys = torch.tensor(ids, dtype=self.segment_ids.dtype, device=self.segment_ids.device)
        return self.segment_ids == keys[:, None, None]

    def rle(self, segment: Segment | int) -> dict[str, Any]:
        """One segment's mask as COCO's compressed run lengths, ``{"size": [H, W], "counts": text}``.

        pycocotools reads it, and JSON holds it.
        """
        own = self.segment(segment)
        return coco.run_lengths(self.segment_ids.numpy(force=True), [own])[0]

    def polygons(
        self, segment: Segment | int, *, tolerance: float = 0.0, holes: bool = True
    ) -> list[list[float]]:
        """One segment's outline as COCO's polygons, lists x, y, x, y, ... in pixels, one for each part.

        They run along the edges of pixels: (0, 0) is the photo's corner, and drawn by COCO's rule they are
        the very mask. COCO's polygons have no holes, so each is cut in from the outline, along a line of no
        width. Pixels that touch at a corner are one part.

        Args:
            segment: itself or its id.
            tolerance: leave out corners while the outline stays within so many pixels; 0 to be exact.
            holes: if not, holes are filled.
        """
        own = self.segment(segment)
        x1, y1, x2, y2 = own.box
        part = self.segment_ids[y1:y2, x1:x2].numpy(force=True) == own.id
        return [
            [value + (x1, y1)[i % 2] for i, value in enumerate(polygon)]
            for polygon in outline(part, tolerance, holes)
        ]
