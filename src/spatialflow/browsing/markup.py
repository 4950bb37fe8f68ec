"""Pieces of HTML that the pages share. Whatever comes from files is escaped here or by the caller."""

from collections import Counter
from html import escape

from spatialflow.browsing.drawing import COLORS
from spatialflow.browsing.mistakes import Kind
from spatialflow.categories import Category

STYLE, SCRIPT = "assets/view.css", "assets/view.js"
"""Relative to the folder of all."""
TITLES = {Kind.WRONG: "wrong matches", Kind.FALSE: "false positives", Kind.MISSED: "misses"}
"""Of many; see :func:`count_of` for one."""
_ONE = {Kind.WRONG: "wrong match", Kind.FALSE: "false positive", Kind.MISSED: "miss"}
_MEANING = {
    Kind.WRONG: "overlaps a true segment with an IoU above 0.5, but has another category: true name as "
    "predicted name. PQ counts it as a false positive and a miss.",
    Kind.FALSE: "predicted, but matches no true segment and does not lie on void or a crowd.",
    Kind.MISSED: "a true segment that no prediction matches.",
}
NO_VALUE = "&ndash;"


def document(title: str, body: str, up: str = "") -> bytes:
    """A whole page.

    Args:
        title: plain text.
        body: HTML.
        up: what leads from the page's folder to that of all, such as ``../``.
    """
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="stylesheet" href="{up}{STYLE}">\n'
        f'<script src="{up}{SCRIPT}" defer></script>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n'
        "</html>\n"
    )
    return page.encode(errors="backslashreplace")  # a name may hold half of a pair of UTF-16


def text(value: object) -> str:
    """A name from a file: escaped, and isolated from the text around it if it is written right to left."""
    return f"<bdi>{escape(str(value))}</bdi>"


def swatch(category: Category) -> str:
    """A category's colour and name."""
    red, green, blue = category.color
    return f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>{text(category.name)}'


def mark(kind: Kind) -> str:
    """How a kind of mistake is drawn."""
    return f'<span class="mark {kind.value}" style="--mark:rgb{COLORS[kind]}"></span>'


def marks_legend() -> str:
    """What the three kinds of mistakes mean and how they are drawn."""
    rows = "".join(f"<dt>{mark(k)}{_ONE[k]}</dt><dd>{escape(_MEANING[k])}</dd>" for k in Kind)
    return f'<dl class="key">{rows}</dl>'


def surface_legend() -> str:
    """How void and crowds are drawn."""
    return (
        '<dl class="key"><dt><span class="mark void"></span>void</dt><dd>pixels of no segment.</dd>'
        '<dt><span class="mark crowd"></span>crowd</dt><dd>several things in one segment; never counted as '
        "found or missed.</dd></dl>"
    )


def count_of(kind: Kind, count: int) -> str:
    """Such as ``2 false positives``."""
    return f"{count} {_ONE[kind] if count == 1 else TITLES[kind]}"


def names_of(names: Counter[str], most: int | None = None) -> str:
    """Names with their number, the most frequent first.

    Args:
        names: how often which.
        most: names at most; the others are only counted.
    """
    listed = [
        text(name) + (f" &times;{count}" if count > 1 else "") for name, count in names.most_common(most)
    ]
    left = len(names) - len(listed)
    return ", ".join(listed) + (f" and {left} more" if left else "")


def percent(fraction: float | None) -> str:
    """Such as ``41.2``, of 0.412."""
    return NO_VALUE if fraction is None else f"{100 * fraction:.1f}"
