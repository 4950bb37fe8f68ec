"""The demo's report: one HTML page with its pictures inside, which needs no network and no script."""

import base64
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from PIL import Image

from spatialflow.categories import Categories, Category
from spatialflow.demo.chart import line_chart, thin_out
from spatialflow.evaluation.pq_result import ClassPQ, PQResult
from spatialflow.files import write_bytes

Row = tuple[Image.Image, Image.Image, Image.Image, str]

_PICTURES = ("photo", "truth", "prediction")


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    facts: Mapping[str, str],
    result: PQResult,
    categories: Categories,
    curve: Sequence[tuple[int, Mapping[str, float]]],
    val_curve: Sequence[tuple[int, float]],
    rows: Sequence[Row],
) -> None:
    """Write the page, atomically.

    Args:
        path: of the HTML file.
        title: heading of the page.
        facts: what a reader should know of the run, such as ``{"Training": "1,200 steps, 4 min"}``.
        result: panoptic quality on the validation images.
        categories: of the data set, for the table by class.
        curve: step and losses by name, ascending.
        val_curve: step and validation PQ (0..1), ascending; may be empty.
        rows: photo, picture of the truth, picture of the prediction, and a caption.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    style = resources.files("spatialflow.demo").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        f"<header><h1>{escape(title)}</h1>{_headline(result)}</header>",
        _section("The run", _facts(facts)),
        _section("Panoptic quality", _groups(result)),
        _section("Pictures", *(_pictures(row, number) for number, row in enumerate(rows, 1))) if rows else "",
        _section("By class", _classes(result, categories)),
        _section("Training", _curves(curve, val_curve)) if curve or val_curve else "",
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )
    write_bytes(path, page.encode())


def _headline(result: PQResult) -> str:
    return (
        f'<p class="headline"><strong>PQ {_percent(result.all.pq)}</strong> '
        f"things {_percent(result.things.pq)}, stuff {_percent(result.stuff.pq)}</p>"
    )


def _section(heading: str, *content: str) -> str:
    return f"<section>\n<h2>{escape(heading)}</h2>\n" + "\n".join(content) + "\n</section>"


def _facts(facts: Mapping[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _groups(result: PQResult) -> str:
    groups = {"All": result.all, "Things": result.things, "Stuff": result.stuff}
    rows = [
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{_percent(v) if g.n else '-'}</td>" for v in (g.pq, g.sq, g.rq))
        + f"<td>{g.n}</td></tr>"
        for name, g in groups.items()
    ]
    explanation = (
        "In percent. PQ = SQ &times; RQ for each class, then averaged over the N classes: SQ is the mean IoU "
        "of the segments found, RQ the F1 score of finding them (a match has an IoU above 0.5)."
    )
    return _table(("", "PQ", "SQ", "RQ", "N"), rows) + f'<p class="note">{explanation}</p>'


def _classes(result: PQResult, categories: Categories) -> str:
    head = ("class", "kind", "PQ", "SQ", "RQ", "found", "missed", "wrong")
    known = [c for c in categories if c.id in result.per_class]
    return _table(head, [_class_row(c, result.per_class[c.id]) for c in known])


def _class_row(category: Category, quality: ClassPQ) -> str:
    color = "#{:02x}{:02x}{:02x}".format(*category.color)
    swatch = f'<span class="swatch" style="background:{color}"></span>'
    scores = (_percent(v) if quality.counts else "-" for v in (quality.pq, quality.sq, quality.rq))
    return (
        f'<tr><th scope="row">{swatch}{escape(category.name)}</th>'
        f"<td>{'thing' if category.is_thing else 'stuff'}</td>"
        + "".join(f"<td>{score}</td>" for score in scores)
        + f"<td>{quality.tp}</td><td>{quality.fn}</td><td>{quality.fp}</td></tr>"
    )


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in head)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def _pictures(row: Row, number: int) -> str:
    """Photo, truth and prediction side by side; below one another on a narrow screen."""
    *pictures, caption = row
    largest = max((p.size for p in pictures), key=lambda size: size[0])
    cells = "".join(
        f'<div><img src="{_data_uri(picture)}" width="{largest[0]}" height="{largest[1]}" loading="lazy" '
        f'alt="{escape(f"{name} {number}: {caption}")}"><span>{name}</span></div>'
        for name, picture in zip(_PICTURES, pictures, strict=True)
    )
    return f'<figure><div class="trio">{cells}</div><figcaption>{escape(caption)}</figcaption></figure>'


def _data_uri(picture: Image.Image) -> str:
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, "JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()


def _curves(curve: Sequence[tuple[int, Mapping[str, float]]], val_curve: Sequence[tuple[int, float]]) -> str:
    charts = []
    if curve:
        names = list(dict.fromkeys(name for _, losses in curve for name in losses))
        lines = {n: thin_out([(step, losses[n]) for step, losses in curve if n in losses]) for n in names}
        last = ", ".join(f"{name} {points[-1][1]:.3g}" for name, points in lines.items())
        chart = line_chart(lines, x_name="step", description=f"Losses over the steps; at the end {last}.")
        charts.append(f"<div><h3>Losses</h3>\n{chart}</div>")
    if val_curve:
        chart = line_chart(
            {"PQ": [(step, 100 * pq) for step, pq in val_curve]},
            x_name="step",
            top=100,
            description=f"Validation PQ over the steps; at the end {_percent(val_curve[-1][1])} percent.",
        )
        charts.append(f"<div><h3>Validation PQ, percent</h3>\n{chart}</div>")
    return '<div class="charts">' + "\n".join(charts) + "</div>"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
