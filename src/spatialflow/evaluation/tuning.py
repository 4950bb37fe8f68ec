"""Search of the merge's thresholds on what the network said of a data set, without running it again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.config import MergeConfig
from spatialflow.evaluation.matching import match_segments
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.ranks import ALONE, Ranks
from spatialflow.evaluation.segment_table import SegmentTable
from spatialflow.panoptic_annotation import ImageId
from spatialflow.postprocess.panoptic import Instances, merge
from spatialflow.postprocess.pipeline import Found
from spatialflow.workers import map_in_order

Change = dict[str, Any]
"""Values of some fields of :class:`MergeConfig`."""
Truth = Callable[[ImageId], tuple[NDArray[np.int32], SegmentTable]]
"""An image's true id map and its segments."""

LOWEST_SCORE = 0.1
"""Least score threshold that is tried."""
GRID: tuple[tuple[Change, ...], ...] = (
    tuple({"score_threshold": value} for value in np.arange(LOWEST_SCORE, 0.81, 0.1).round(2).tolist()),
    tuple({"stuff_area": value} for value in (0, 100, 300, 1000, 2000, 4096, 8192, 16384)),
    (
        {"using_bbox": False},
        *({"using_bbox": True, "bbox_threshold": value} for value in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
    ),
    tuple({"overlap_threshold": value} for value in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
)
"""Values tried in the first round, one group of fields after the other."""
FINER_STEPS = ((0.05, 1.4), (0.02, 1.15))
"""Of the later rounds: added to and taken from shares, and a factor for areas."""


class FoundStore:
    """What the network says of each image, in files, so that memory does not grow with their number.

    Args:
        folder: for the files, which are the caller's to remove.
        start: the setting that tuning begins with; things that neither it nor any other lets in are left out.
    """

    def __init__(self, folder: Path, start: MergeConfig) -> None:
        self._folder = folder
        self._lowest = min(LOWEST_SCORE, start.score_threshold)
        self.image_ids: list[ImageId] = []

    def add(self, image_id: ImageId, found: Found) -> None:
        """Keep the next image's."""
        kept = found.things.scores >= self._lowest
        columns = {f"things_{name}": column[kept] for name, column in found.things._asdict().items()}
        path = self._path(len(self.image_ids))
        np.savez_compressed(path, stuff=found.stuff, stuff_scores=found.stuff_scores, **columns)
        self.image_ids.append(image_id)

    def read(self, index: int) -> Found:
        """That of one image."""
        with np.load(self._path(index)) as file:
            things = Instances(*(file[f"things_{name}"] for name in Instances._fields))
            return Found(things, file["stuff"], file["stuff_scores"])

    def _path(self, index: int) -> Path:
        return self._folder / f"{index}.npz"


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best setting found, and its quality beside that of the first."""

    config: MergeConfig
    result: PQResult
    before: PQResult
    trials: int
    """Settings tried."""


def tune(
    store: FoundStore,
    truth: Truth,
    categories: Categories,
    model_categories: Categories,
    start: MergeConfig,
    *,
    ranks: Ranks = ALONE,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tuned:
    """Search the setting of the highest PQ: one group of fields at a time, on a grid, then in finer steps.

    A setting must beat all before it, so the one that is given stays if nothing does.

    Args:
        store: what this process's images are made of.
        truth: of the same images.
        categories: of the truth.
        model_categories: of what the network says.
        start: where the search begins.
        ranks: processes that have a share of the images each; all of them come to the same end.
        progress: called with the number of rounds over all images, and of those to come at most.
    """

    def quality(configs: Sequence[MergeConfig]) -> list[PQResult]:
        counts = ranks.sum(count_all(store, truth, categories, model_categories, configs))
        return [PQResult.from_counts(of_one, categories) for of_one in counts]

    passes = _passes()
    best, trials = start, 1
    (result,) = (before,) = quality([start])
    for done, changes in enumerate(passes, start=1):
        tried = [MergeConfig.model_validate({**best.model_dump(), **change}) for change in changes(best)]
        trials += len(tried)
        for config, found in zip(tried, quality(tried), strict=True):
            if found.all.pq > result.all.pq:
                best, result = config, found
        progress(done, len(passes))
    return Tuned(best, result, before, trials)


def _passes() -> list[Callable[[MergeConfig], Iterable[Change]]]:
    """What each pass over the images tries, given the best so far."""

    def fixed(changes: tuple[Change, ...]) -> Callable[[MergeConfig], Iterable[Change]]:
        return lambda best: changes

    finer = [
        partial(_neighbours, name=list(changes[-1])[-1], step=step, factor=factor)
        for step, factor in FINER_STEPS
        for changes in GRID
    ]
    return [*map(fixed, GRID), *finer]


def _neighbours(config: MergeConfig, name: str, step: float, factor: float) -> Iterator[Change]:
    value = getattr(config, name)
    if name == "stuff_area":
        yield from ({name: round(value * f)} for f in (1 / factor, factor))
    elif name != "bbox_threshold" or config.using_bbox:
        lowest = LOWEST_SCORE if name == "score_threshold" else 0.0
        yield from ({name: float(np.clip(round(value + d, 4), lowest, 1.0))} for d in (-step, step))


def count_all(
    store: FoundStore,
    truth: Truth,
    categories: Categories,
    model_categories: Categories,
    configs: Sequence[MergeConfig],
) -> NDArray[np.float64]:
    """Counts of every setting, summed over the images: (len(configs), num_labels, 4)."""

    def count(index: int) -> NDArray[np.float64]:
        found, (ids, segments) = store.read(index), truth(store.image_ids[index])
        counts = np.zeros((len(configs), len(categories), 4))
        for number, config in enumerate(configs):
            prediction = merge(*found, model_categories, config)
            counts[number] = match_segments(
                prediction.segment_ids.numpy(),
                SegmentTable.from_prediction(prediction, categories),
                ids,
                segments,
                len(categories),
            )
        return counts

    total = np.zeros((len(configs), len(categories), 4))
    if configs:
        for counts in map_in_order(count, range(len(store.image_ids))):
            total += counts
    return total


def overrides(config: MergeConfig, start: MergeConfig) -> list[str]:
    """What turns a recipe with ``start`` into one with ``config``: ``model.merge.KEY=VALUE``."""
    values, earlier = config.model_dump(), start.model_dump()
    return [
        f"model.merge.{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in values.items()
        if value != earlier[key]
    ]
