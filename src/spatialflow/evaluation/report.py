"""Panoptic quality as tables in a terminal, laid out as papers do."""

from rich.table import Table

from spatialflow.categories import Categories
from spatialflow.evaluation.pq_result import ClassPQ, GroupPQ, PQResult


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


def _class_cells(quality: ClassPQ) -> list[str]:
    if not quality.counts:
        return ["-"] * 3
    return [*_percentages(quality), "", str(quality.tp), str(quality.fp), str(quality.fn)]


def _percentages(quality: GroupPQ | ClassPQ) -> list[str]:
    return [f"{100 * value:.1f}" for value in (quality.pq, quality.sq, quality.rq)]
