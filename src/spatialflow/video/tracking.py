"""Ids that stay with their things from frame to frame, by the overlap of masks of one class.

For each frame, every track (see :mod:`spatialflow.video.track`) is moved on as fast as it was, and compared
with the frame's things of its class. What other things cover of a track counts neither for nor against a
match. Pairs are taken greedily, tracks that were seen a frame ago first, then the best overlap first: with
overlaps above one half that is the best assignment, and all of it is deterministic. What is left is compared
across classes, since models now and then call a thing by another name for some frames, and by distance, since
small, fast things may not overlap themselves. A track that finds nothing waits for some frames, moving on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.video.track import Box, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig:
    """When two masks are one thing."""

    min_iou: float = 0.15
    """Least overlap over union of a track's expected mask and a segment, without what other things cover."""
    min_iou_across: float = 0.4
    """Least overlap over union where the classes differ; above 1 they must not."""
    reach: float = 0.4
    """Without overlap: largest distance of the middles, in sides of a square of the boxes' size."""
    max_gap: int = 30
    """Frames for which a track that is not seen is remembered."""
    smoothing: float = 0.4
    """Weight of the newest velocity in the mean, 0..1."""


class _Pair(NamedTuple):
    """A track and a place that may belong together; the smallest is the best."""

    was_missed: bool
    cost: float
    track_id: int
    place: int
    track: Track


class _Scene:
    """One frame's things beside the tracks, and which of them have found each other."""

    def __init__(self, places: NDArray[np.integer], segments: Sequence[Segment], tracks: list[Track]) -> None:
        self.places = places
        self.things = {place: segment for place, segment in enumerate(segments, 1) if segment.is_thing}
        self.tracks = {track.id: track for track in tracks}
        self.under = {track.id: track.count_under(places, len(segments)) for track in tracks}
        self.followed: dict[int, Track] = {}
        """The track of each place that continues one."""

    def match(self, cost_of: Callable[[Track, int, Segment], float | None]) -> None:
        """Join what is left, the cheapest pair first; ``cost_of`` says None where one cannot be."""
        pairs = [
            _Pair(track.missed > 1, cost, track.id, place, track)
            for track in self.tracks.values()
            for place, segment in self.things.items()
            if (cost := cost_of(track, place, segment)) is not None
        ]
        for pair in sorted(pairs):
            if pair.place in self.things and pair.track_id in self.tracks:
                self.followed[pair.place] = pair.track
                del self.things[pair.place], self.tracks[pair.track_id]


class Tracker:
    """Gives the segments of a video's frames, one frame after the other, ids that last.

    A thing keeps its id while it is found again, through gaps of up to ``config.max_gap`` frames; ids are
    never used again. Stuff has one id for each category. Ids count 1, 2, 3, ... as they come up. A thing that
    the model calls by several names has the one that it was called most so far.

    Args:
        config: when two masks are one thing.

    Example:
        >>> tracker = Tracker()
        >>> tracked = [tracker.update(predictor.predict(frame)) for frame in frames]
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self.num_things = 0
        """Ids given to things so far."""
        self._last_id = 0
        self._tracks: list[Track] = []
        self._stuff: dict[int, int] = {}
        self._labels: dict[int, int] = {}
        """Label of each category met, by its id."""

    def update(self, prediction: PanopticPrediction) -> PanopticPrediction:
        """The next frame's prediction, with lasting ids.

        Segments of stuff of one category, should there be several, become one.

        Args:
            prediction: of the next frame, of the same size as those before.
        """
        segments = prediction.segments
        self._labels.update({segment.category.id: segment.label for segment in segments})
        places = _places(prediction.segment_ids.numpy(force=True), segments)
        for track in self._tracks:
            track.advance()
        followed = self._follow(places, segments)
        is_thing = np.array([False, *(segment.is_thing for segment in segments)])
        named: list[Segment] = []
        for place, segment in enumerate(segments, 1):
            if place in followed:
                followed[place].see(places, place, segment, is_thing, self.config.smoothing)
            elif segment.is_thing:
                followed[place] = self._begin(places, place, segment)
            named.append(self._named(segment, followed.get(place)))
        self._tracks = [track for track in self._tracks if track.missed <= self.config.max_gap]
        ids = np.array([0, *(segment.id for segment in named)], np.int32)
        return replace(prediction, segment_ids=torch.from_numpy(ids[places]), segments=tuple(_joined(named)))

    def _follow(self, places: NDArray[np.integer], segments: Sequence[Segment]) -> dict[int, Track]:
        """The track of each place that continues one."""
        scene, config = _Scene(places, segments, self._tracks), self.config
        covers = [place for place, segment in enumerate(segments, 1) if segment.is_thing]

        def overlap(track: Track, place: int, segment: Segment, least: float) -> float | None:
            under = scene.under[track.id]
            shared = int(under[place])
            union = int(under.sum()) + segment.area - shared
            hidden = int(under[covers].sum()) - shared
            return -shared / union if shared and shared >= least * (union - hidden) else None

        def same_class(track: Track, place: int, segment: Segment) -> float | None:
            is_same = segment.category in track.votes
            return overlap(track, place, segment, config.min_iou) if is_same else None

        def any_class(track: Track, place: int, segment: Segment) -> float | None:
            return overlap(track, place, segment, config.min_iou_across)

        def near(track: Track, place: int, segment: Segment) -> float | None:
            distance = _distance(track.expected_box, segment.box)
            return distance if distance <= config.reach and segment.category in track.votes else None

        for cost_of in (same_class, any_class, near):
            scene.match(cost_of)
        return scene.followed

    def _begin(self, places: NDArray[np.integer], place: int, segment: Segment) -> Track:
        x1, y1, x2, y2 = segment.box
        shape, corner = places[y1:y2, x1:x2] == place, np.array((y1, x1), np.float64)
        self.num_things += 1
        track = Track(self._new_id(), {segment.category: segment.score}, shape, corner, segment.box)
        self._tracks.append(track)
        return track

    def _named(self, segment: Segment, track: Track | None) -> Segment:
        """With its lasting id and name."""
        if track is not None:
            category = track.category
            return replace(segment, id=track.id, category=category, label=self._labels[category.id])
        if segment.label not in self._stuff:
            self._stuff[segment.label] = self._new_id()
        return replace(segment, id=self._stuff[segment.label])

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


def _places(ids: NDArray[np.integer], segments: Sequence[Segment]) -> NDArray[np.integer]:
    """(H, W) position of each pixel's segment in the list, from 1; 0 for void."""
    listed = [segment.id for segment in segments]
    if listed == list(range(1, len(segments) + 1)):  # as the merge leaves them
        return ids
    known = np.array([0, *listed])
    order = np.argsort(known)
    return order[np.searchsorted(known[order], ids)]


def _distance(first: tuple[float, float, float, float], second: Box) -> float:
    """Distance of two boxes' middles in mean sides of squares of their size."""
    sides = [((box[2] - box[0]) * (box[3] - box[1])) ** 0.5 for box in (first, second)]
    x, y = ((first[i] + first[i + 2] - second[i] - second[i + 2]) / 2 for i in (0, 1))
    return float((x * x + y * y) ** 0.5 / (sum(sides) / 2))


def _joined(segments: Sequence[Segment]) -> Iterator[Segment]:
    """One row for each id: areas added, boxes around all, the score a mean by area."""
    rows: dict[int, list[Segment]] = {}
    for segment in segments:
        rows.setdefault(segment.id, []).append(segment)
    for first, *others in rows.values():
        if not others:
            yield first
            continue
        parts = [first, *others]
        area = sum(part.area for part in parts)
        lows, highs = [part.box[:2] for part in parts], [part.box[2:] for part in parts]
        yield replace(
            first,
            area=area,
            score=sum(part.score * part.area for part in parts) / area,
            box=(*map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True))),
        )
