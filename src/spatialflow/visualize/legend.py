"""A list of the categories in a picture, beside or below it."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from PIL import Image, ImageDraw

from spatialflow.visualize.colors import Color
from spatialflow.visualize.text import font, font_size, text_width

if TYPE_CHECKING:
    from spatialflow.structures import Segment

Legend = bool | Literal["right", "bottom"]
"""Whether and where there is a legend; True puts it below a picture that is wide, else to the right."""
_WIDE = 1.8
"""Width by height of a picture whose legend goes below it."""


class _Entry(NamedTuple):
    text: str
    color: Color


def add_legend(picture: Image.Image, segments: "Sequence[Segment]", where: Legend) -> Image.Image:
    """A larger picture: the one given, and the categories in it with their colours and numbers of things.

    Things come first, then stuff, each by how often they occur.

    Args:
        picture: RGB.
        segments: in the picture; of which ``category`` and ``is_thing`` are used.
        where: see :data:`Legend`.
    """
    entries = _entries(segments)
    if where is False or not entries:
        return picture
    below = where == "bottom" or (where is True and picture.width > _WIDE * picture.height)
    size = font_size(picture.size)
    line, gap = round(1.6 * size), round(0.7 * size)
    column = max(text_width(entry.text, size) for entry in entries) + 2 * line
    if below:
        columns = max(1, min(len(entries), (picture.width - gap) // column))
        rows = -(-len(entries) // columns)
    else:
        rows = max(1, min(len(entries), (picture.height - 2 * gap) // line))
        columns = -(-len(entries) // rows)
    panel = columns * column + gap, rows * line + 2 * gap
    if below:
        canvas = Image.new("RGB", (max(picture.width, panel[0]), picture.height + panel[1]), "white")
        corner = gap, picture.height + gap
    else:
        canvas = Image.new("RGB", (picture.width + panel[0], max(picture.height, panel[1])), "white")
        corner = picture.width + gap, gap
    canvas.paste(picture, (0, 0))
    for i, entry in enumerate(entries):
        x, y = corner[0] + i // rows * column, corner[1] + i % rows * line
        _draw_entry(canvas, entry, (x, y), size, line)
    return canvas


def _entries(segments: "Sequence[Segment]") -> list[_Entry]:
    """One for each category: names, things with their number if there are several, and colours."""
    count = Counter((not s.is_thing, s.category.name, s.category.color) for s in segments)
    ordered = sorted(count.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    return [
        _Entry(f"{name} \u00d7{number}" if number > 1 and not stuff else name, color)
        for (stuff, name, color), number in ordered
    ]


def _draw_entry(canvas: Image.Image, entry: _Entry, corner: tuple[int, int], size: int, line: int) -> None:
    x, y = corner
    top = y + (line - size) // 2
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((x, top, x + size, top + size), fill=entry.color, outline=(90, 90, 90))
    draw.text((x + 1.5 * size, y + line / 2), entry.text, fill=(20, 20, 20), font=font(size), anchor="lm")
