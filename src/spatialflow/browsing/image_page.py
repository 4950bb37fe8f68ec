"""The page of one image: its pictures, its legend, and what a prediction gets wrong."""

from collections.abc import Sequence
from html import escape

from spatialflow.browsing.card import Card, page_of
from spatialflow.browsing.markup import (
    NO_VALUE,
    TITLES,
    count_of,
    document,
    mark,
    marks_legend,
    names_of,
    percent,
    surface_legend,
    swatch,
    text,
)
from spatialflow.browsing.mistakes import Kind, Mistake
from spatialflow.browsing.scene import Layer, Scene
from spatialflow.categories import Category
from spatialflow.evaluation.pq_result import ClassPQ

_CAPTIONS = {
    "photo": "photo",
    "truth": "truth",
    "prediction": "prediction",
    "mistakes": "mistakes; what is right has a thin grey outline",
}


def image_page(
    card: Card,
    scene: Scene | None,
    mistakes: Sequence[Mistake],
    grid: str,
    neighbours: tuple[str | None, str | None],
) -> bytes:
    """The page.

    Args:
        card: the image.
        scene: its segments; None if it could not be read.
        mistakes: of its prediction.
        grid: file name of the grid it is in.
        neighbours: stems of the images before and after.
    """
    sections = [_navigation(grid, neighbours), f"<h1>{text(card.image.file_name)}</h1>"]
    if scene is None:
        sections.append(f'<p class="error">{text(card.error)}</p>')
    else:
        sections += [_facts(card, scene), *(f'<p class="note">{escape(note)}</p>' for note in card.notes)]
        sections.append(
            f'<div class="pictures">{"".join(_figure(card, i) for i in range(len(card.pictures)))}</div>'
        )
        if card.quality is not None:
            sections.append(_mistakes(card, mistakes))
        if scene.truth is not None:
            sections.append(f"<section><h2>Legend</h2>{_legend(card, scene)}{surface_legend()}</section>")
    return document(card.image.file_name, "\n".join(sections), up="../")


def _navigation(grid: str, neighbours: tuple[str | None, str | None]) -> str:
    before, after = (
        "" if stem is None else f'<a rel="{rel}" href="../{page_of(stem)}">{label}</a>'
        for stem, rel, label in zip(
            neighbours, ("prev", "next"), ("&larr; previous", "next &rarr;"), strict=True
        )
    )
    up = f'<a rel="up" href="../{grid}">all images</a>'
    return f'<nav aria-label="images"><span>{before}</span>{up}<span>{after}</span></nav>'


def _facts(card: Card, scene: Scene) -> str:
    height, width = scene.size
    facts = [f"image {text(card.image.id)}", f"{width} &times; {height} pixels"]
    if scene.truth is not None:
        facts.append(f"{len(scene.truth.shapes)} segments")
        facts.append(f"{percent(scene.truth.void / (height * width))} % void")
    quality = "" if card.quality is None else f"<strong>PQ {percent(card.pq)}</strong> "
    return f'<p class="headline">{quality}{", ".join(facts)}</p>'


def _figure(card: Card, index: int) -> str:
    picture = card.pictures[index]
    height, width = picture.size
    alt = escape(f"{picture.what} of {card.image.file_name}")
    return (
        f'<figure><a href="../{picture.file}"><img src="../{picture.file}" width="{width}" height="{height}" '
        f'alt="{alt}"></a><figcaption>{_CAPTIONS[picture.what]}</figcaption></figure>'
    )


def _mistakes(card: Card, mistakes: Sequence[Mistake]) -> str:
    parts = []
    for kind in Kind:
        names = card.mistakes[kind]
        rows = "".join(_row(mistake) for mistake in mistakes if mistake.kind == kind)
        if rows:
            table = f'<details><summary>each of them</summary><ul class="rows">{rows}</ul></details>'
            parts.append(
                f"<dt>{mark(kind)}{count_of(kind, names.total())}</dt><dd>{names_of(names)}{table}</dd>"
            )
        else:
            parts.append(f"<dt>{mark(kind)}{TITLES[kind]}</dt><dd>none</dd>")
    return (
        f'<section><h2>Mistakes</h2><dl class="key">{"".join(parts)}</dl>'
        f"<details><summary>What these are</summary>{marks_legend()}</details></section>"
    )


def _row(mistake: Mistake) -> str:
    iou = "" if mistake.iou is None else f", IoU {mistake.iou:.2f}"
    names = " as ".join(swatch(category) for category in mistake.categories)
    return f"<li>{names}: {mistake.shape.area} pixels{iou}</li>"


def _legend(card: Card, scene: Scene) -> str:
    """Table by category, the largest first."""
    head = ["category", "kind", "segments", "crowds", "share, %"]
    if scene.pred is not None:
        head += ["predicted", "share, %", "matched", "missed", "false", "PQ"]
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = "".join(_legend_row(category, card, scene) for category in card.present)
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"
    table = f'<div class="scroll" tabindex="0">{table}</div>'
    if scene.pred is None:
        return table
    note = "As PQ counts: a wrong match is a miss of the one category and a false positive of the other."
    return f'{table}<p class="note">{note}</p>'


def _legend_row(category: Category, card: Card, scene: Scene) -> str:
    assert scene.truth is not None
    pixels = scene.size[0] * scene.size[1]
    number, crowds, share = _share(scene.truth, category, pixels)
    cells = ["thing" if category.is_thing else "stuff", str(number), str(crowds or NO_VALUE), share]
    if scene.pred is not None and card.quality is not None:
        predicted, _, share = _share(scene.pred, category, pixels)
        cells += [str(predicted), share, *_scores(card.quality.per_class[category.id])]
    data = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{swatch(category)}</th>{data}</tr>'


def _share(layer: Layer, category: Category, pixels: int) -> tuple[int, int, str]:
    shapes = [shape for shape in layer.shapes if shape.category == category]
    crowds = sum(shape.is_crowd for shape in shapes)
    return len(shapes) - crowds, crowds, percent(sum(shape.area for shape in shapes) / pixels)


def _scores(quality: ClassPQ) -> list[str]:
    pq = percent(quality.pq if quality.counts else None)
    return [str(quality.tp), str(quality.fn), str(quality.fp), pq]
