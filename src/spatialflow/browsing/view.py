"""``spatialflow data view``: pictures of a data set, and pages to browse them."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialflow.browsing.artist import Artist
from spatialflow.browsing.card import Card
from spatialflow.browsing.grid import Grid
from spatialflow.browsing.grid_page import Overview
from spatialflow.browsing.output import PageWriter
from spatialflow.browsing.source import Source, open_source
from spatialflow.errors import DataError
from spatialflow.evaluation.file_pairs import FilePairs
from spatialflow.evaluation.panoptic_quality import PanopticQuality
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.image_io import pillow_warnings
from spatialflow.workers import map_in_order

Location = str | os.PathLike[str]
Progress = Callable[[int, int], object]


def _silent(done: int, total: int) -> None:
    """No progress bar."""


@dataclass(frozen=True, slots=True)
class ViewResult:
    """What became of a data set's pages."""

    index: Path
    """The first page."""
    drawn: int
    total: int
    """Images that could have been drawn, whatever the limit."""
    failed: tuple[str, ...]
    """One line for each image that could not be read."""
    quality: PQResult | None = None
    """Of all predictions that could be scored, whatever the limit; None without predictions."""
    scored: int = 0
    """How many those are."""


@dataclass(slots=True)
class _Ranking:
    """The order in which images are shown."""

    order: list[int]
    quality: PQResult | None = None
    scored: int = 0


def view_dataset(
    annotations: Location,
    out: Location,
    *,
    images: Location | None = None,
    segments: Location | None = None,
    limit: int | None = None,
    predictions: Location | None = None,
    predictions_dir: Location | None = None,
    workers: int | None = None,
    on_scored: Progress = _silent,
    on_drawn: Progress = _silent,
) -> ViewResult:
    """Draw a data set's segments over its photos, and write pages to browse the pictures.

    ``out`` receives ``index.html`` (and ``page-2.html``, ... beyond 100 images), a page for each image, and
    ``view.json``, which lists them, all at the end and in the place of earlier pages. The pages need no
    network. Large photos are drawn reduced, small ones enlarged. Images stream through: memory does not grow
    with their number beyond what the JSON files take.

    With predictions, those of the lowest PQ come first, and each image's false positives, misses and wrong
    matches (see :class:`spatialflow.evaluation.matching.Matching`) are marked and listed. Images without a
    prediction, or that the data set does not annotate, are then left out.

    Args:
        annotations: ground truth, COCO panoptic.
        out: folder; made if need be.
        images: folder of the photos; by default the usual place that holds the most of them.
        segments: folder of the PNGs; by default the path of ``annotations`` without ``.json``.
        limit: images to draw: the first of the file, or with predictions, the worst.
        predictions: a COCO-panoptic result.
        predictions_dir: folder of its PNGs; by default beside it.
        workers: threads; by default one a core.
        on_scored: called with the number of predictions that are scored, and of all.
        on_drawn: called with the number of images that are drawn, and of all.

    Raises:
        DataError: a JSON file is wrong, a folder is missing, or no image can be drawn.
        OutputError: ``out`` cannot be written to, or a file of something else is in the way.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"a limit of 1 or more is expected, got {limit}")
    source = open_source(annotations, images, segments, predictions, predictions_dir)
    about = {
        "annotations": str(annotations),
        "predictions": None if predictions is None else str(predictions),
    }
    with PageWriter(out, about) as writer, pillow_warnings():
        ranking = _rank(source, limit, workers, on_scored)
        order = ranking.order
        grid = Grid(writer, source.path.name, len(order))
        failed: list[Card] = []
        # closed before the writer: no thread may write after its files are removed
        with closing(map_in_order(Artist(source, order, writer).draw, range(len(order)), workers)) as cards:
            for done, card in enumerate(cards, start=1):
                writer.add(card)
                grid.add(card)
                if card.error is not None:
                    failed.append(card)
                on_drawn(done, len(order))
        drawn = len(order) - len(failed)
        if not drawn:
            raise DataError(
                f"{annotations}: none of {len(failed)} images can be drawn; the first: {failed[0].error}"
            )
        grid.finish(Overview(_facts(source, ranking, drawn), ranking.quality, tuple(failed)))
        index = writer.close(grid.files)
    lines = tuple(str(card.error) for card in failed)
    return ViewResult(index, drawn, len(source), lines, ranking.quality, ranking.scored)


def _rank(source: Source, limit: int | None, workers: int | None, progress: Progress) -> _Ranking:
    """The first images of the file, or the worst, and after them those that cannot be scored."""
    pairs = source.pairs
    if pairs is None:
        return _Ranking(list(range(len(source)))[:limit])
    metric = PanopticQuality(pairs.categories)
    scores: list[tuple[float, int]] = []
    failed = []
    for index, result in enumerate(_count(pairs, workers)):
        if result is None:
            failed.append(index)
        else:
            metric.add(result[0])
            scores.append((result[1], index))
        progress(index + 1, len(pairs))
    worst = [index for _, index in sorted(scores)[:limit]]
    return _Ranking([*worst, *failed], metric.compute(), len(scores))


def _count(pairs: FilePairs, workers: int | None) -> Iterator[tuple[NDArray[np.float64], float] | None]:
    """Counts and PQ of each image, in order; None where a file is wrong, infinity where nothing counts."""

    def count(index: int) -> tuple[NDArray[np.float64], float] | None:
        try:
            counts = pairs.count(index)
        except DataError:  # said when it is to be drawn
            return None
        every = PQResult.from_counts(counts, pairs.categories).all
        return counts, every.pq if every.n else math.inf

    return map_in_order(count, range(len(pairs)), workers)


def _facts(source: Source, ranking: _Ranking, drawn: int) -> tuple[str, ...]:
    total = len(source)
    if ranking.quality is None:
        return (f"{drawn} images" if drawn == total else f"{drawn} of {total} images",)
    which = "all, the worst first" if drawn == ranking.scored else f"the worst {drawn} of them"
    return f"{ranking.scored} images scored", f"here {which}"
