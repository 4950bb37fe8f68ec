"""Panoptic quality as tables in a terminal, laid out as papers do."""

import math
from collections.abc import Mapping

from rich.table import Table

from spatialflow.categories import Categories
from spatialflow.config import MergeConfig
from spatialflow.evaluation.average_precision import APResult, Kind
from spatialflow.evaluation.pq_result import ClassPQ, GroupPQ, PQResult
from spatialflow.evaluation.tuning import Tuned


def pq_table(result: PQResult, categories: Categories, per_class: bool = False) -> Table:
    """Rows All, Things, Stuff and, on request, every category; columns PQ, SQ, RQ in percent, and N.

    N is the number of categories that occur or are predicted. A category's row has its matched (TP),
    spurious (FP) and missed (FN) segments instead, and a category without any shows dashes.
    """
    table = Table(title="Panoptic quality")
    table.add_column("", no_wrap=True)
    for heading in ("PQ", "SQ", "RQ", "N", *(("TP", "FP", "FN") if per_class else ())):
        table.add_column(heading, justify="right")
    for name, group in (("All", result.all), ("Things", result.things), ("Stuff", result.stuff)):
        table.add_row(name, *_percentages(group), str(group.n))
    if per_class:
        for label, category in enumerate(categories):
            if label in (0, categories.num_things):
                table.add_section()
            table.add_row(category.name, *_class_cells(result.per_class[category.id]))
    return table


def ap_table(results: Mapping[Kind, APResult], categories: Categories, per_class: bool = False) -> Table:
    """A row for boxes and one for masks, in percent, and on request one for every thing category.

    A category without any object in the truth shows a dash.
    """
    table = Table(title="Average precision")
    table.add_column("", no_wrap=True)
    for heading in ("AP", "AP50", "AP75", "small", "medium", "large"):
        table.add_column(heading, justify="right")
    for kind, r in results.items():
        values = (r.ap, r.ap50, r.ap75, r.ap_small, r.ap_medium, r.ap_large)
        table.add_row({"bbox": "Boxes", "segm": "Masks"}[kind], *map(_percentage, values))
        if per_class:
            for category in categories:
                if category.is_thing:
                    table.add_row(f"  {category.name}", _percentage(r.per_class[category.id]))
            table.add_section()
    return table


def tuning_table(tuned: Tuned, start: MergeConfig) -> Table:
    """Thresholds of the merge and panoptic quality, as given and as found."""
    table = Table(title="Tuning of the merge (model.merge)")
    table.add_column("", no_wrap=True)
    for heading in ("score", "overlap", "stuff area", "boxes", "PQ", "things", "stuff"):
        table.add_column(heading, justify="right")
    for name, config, result in (
        ("as given", start, tuned.before),
        ("best found", tuned.config, tuned.result),
    ):
        table.add_row(
            name,
            f"{config.score_threshold:g}",
            f"{config.overlap_threshold:g}",
            str(config.stuff_area),
            f"{config.bbox_threshold:g}" if config.using_bbox else "no",
            *(_percentage(group.pq) for group in (result.all, result.things, result.stuff)),
        )
    return table


def _percentage(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _class_cells(quality: ClassPQ) -> list[str]:
    if not quality.counts:
        return ["-"] * 3
    return [*_percentages(quality), "", str(quality.tp), str(quality.fp), str(quality.fn)]


def _percentages(quality: GroupPQ | ClassPQ) -> list[str]:
    return [f"{100 * value:.1f}" for value in (quality.pq, quality.sq, quality.rq)]
