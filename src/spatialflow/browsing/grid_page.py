"""The pages on which all images are seen at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from spatialflow.browsing.card import Card
from spatialflow.browsing.markup import (
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
from spatialflow.categories import Category
from spatialflow.evaluation.pq_result import PQResult

ON_A_PAGE = 100
"""Images."""
_CHIPS = 8
"""Categories that a card names."""
_NAMES = 6
"""Names that a card gives for a kind of mistake."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page says of all images."""

    facts: tuple[str, ...]
    """Plain text."""
    quality: PQResult | None = None
    failed: tuple[Card, ...] = ()


def grid_file(number: int) -> str:
    """File name of the ``number``-th page, from 0."""
    return f"page-{number + 1}.html" if number else "index.html"


def grid_page(
    cards: Sequence[Card], number: int, pages: int, title: str, overview: Overview | None = None
) -> bytes:
    """One page of the grid.

    Args:
        cards: its images.
        number: of this page, from 0.
        pages: how many there are.
        title: of all of them.
        overview: what to say before the images; only on the first page.
    """
    has_quality = any(card.quality is not None for card in cards)
    body = [f"<header><h1>{text(title)}</h1>{'' if overview is None else _headline(overview)}</header>"]
    if overview is not None and overview.failed:
        body.append(_failures(overview.failed))
    legend = (marks_legend() if has_quality else "") + surface_legend()
    opened = " open" if number == 0 else ""
    summary = "<summary>What the pictures show</summary>"
    body.append(f'<details class="legend"{opened}>{summary}{legend}</details>')
    pager = _pager(number, pages)
    body += [_filter(cards, has_quality, pages), pager]
    body.append(f'<ul class="cards{" trio" if has_quality else ""}">{"".join(map(_card, cards))}</ul>')
    return document(title if not number else f"{title}, page {number + 1}", "\n".join([*body, pager]))


def _headline(overview: Overview) -> str:
    facts = ", ".join(escape(fact) for fact in overview.facts)
    if overview.quality is None:
        return f'<p class="headline">{facts}</p>'
    quality = overview.quality
    groups = f"things {percent(quality.things.pq)}, stuff {percent(quality.stuff.pq)}"
    return f'<p class="headline"><strong>PQ {percent(quality.all.pq)}</strong> {groups}; {facts}</p>'


def _failures(failed: Sequence[Card]) -> str:
    rows = "".join(
        f'<li><a href="{card.page}">{text(card.image.file_name)}</a>: {text(card.error)}</li>'
        for card in failed
    )
    title = f"{len(failed)} image{'' if len(failed) == 1 else 's'} could not be drawn"
    return f'<section class="error"><h2>{title}</h2><ul class="rows">{rows}</ul></section>'


def _filter(cards: Sequence[Card], has_quality: bool, pages: int) -> str:
    """Hidden until the script that serves it shows it."""
    counts = Counter(category for card in cards for category in card.present)
    options = "".join(
        f'<option value="{category.id}">{escape(category.name)} ({count})</option>'
        for category, count in sorted(counts.items(), key=lambda item: item[0].name.casefold())
    )
    wrong = (
        '<label><input type="checkbox" name="wrong"> only where it is mistaken</label>' if has_quality else ""
    )
    where = " on this page" if pages > 1 else ""
    return (
        f'<form class="filter" hidden><label>Category <select name="category"><option value="">all</option>'
        f"{options}</select></label>{wrong}<span><output>{len(cards)} of {len(cards)}</output> "
        f"images{where}</span></form>"
    )


def _pager(number: int, pages: int) -> str:
    if pages == 1:
        return ""
    links = []
    for other in range(pages):
        if other == number:
            links.append(f'<span aria-current="page">{other + 1}</span>')
        elif other in (0, pages - 1) or abs(other - number) < 4:
            rel = {number - 1: ' rel="prev"', number + 1: ' rel="next"'}.get(other, "")
            links.append(f'<a href="{grid_file(other)}"{rel}>{other + 1}</a>')
        elif abs(other - number) == 4:
            links.append("<span>&hellip;</span>")
    return f'<nav class="pager" aria-label="pages">{"".join(links)}</nav>'


def _card(card: Card) -> str:
    has, wrong = (" ".join(str(category.id) for category in group) for group in (card.present, card.wrong))
    return (
        f'<li class="card" data-has="{has}" data-wrong="{wrong}"><a href="{card.page}">'
        f'<span class="thumbs">{_thumbs(card)}</span>'
        f'<span class="name">{text(card.image.file_name)}</span></a>'
        f"{_chips(card.present) if card.quality is None else _scores(card)}</li>"
    )


def _thumbs(card: Card) -> str:
    if card.error is not None:
        return f'<span class="error">{text(card.error)}</span>'
    return "".join(
        f'<span><img src="{p.small}" width="{p.small_size[1]}" height="{p.small_size[0]}" loading="lazy" '
        f'alt="">{p.what}</span>'
        for p in card.pictures
        if p.small is not None
    )


def _chips(categories: Sequence[Category]) -> str:
    chips = [f'<span class="chip">{swatch(category)}</span>' for category in categories[:_CHIPS]]
    left = len(categories) - len(chips)
    return f'<p class="chips">{" ".join(chips)}{f" and {left} more" if left else ""}</p>'


def _scores(card: Card) -> str:
    lines = "".join(
        f"<li>{mark(kind)}{count_of(kind, names.total())}: {names_of(names, _NAMES)}</li>"
        for kind, names in card.mistakes.items()
        if names
    )
    rows = f'<ul class="rows">{lines}</ul>' if lines else '<p class="note">no mistakes</p>'
    return f'<p class="pq">PQ {percent(card.pq)}</p>{rows}'
