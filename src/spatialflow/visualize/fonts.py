"""Pillow's own font, so that pictures are alike everywhere, and the system's where it lacks a letter."""

import functools
import unicodedata
from typing import NamedTuple

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SYSTEM = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
    "PingFang.ttc",
)
"""Of Linux, Windows and macOS; the first that has all letters of a text is taken."""
_NOWHERE = "\U0010fffe"
"""No letter, so that what a font draws for it is what it draws for letters that it lacks."""


class Line(NamedTuple):
    """A line of text that can be drawn."""

    text: str
    font: Font
    width: int
    """Pixels."""


@functools.lru_cache(maxsize=4096)
def line(text: str, size: int) -> Line:
    """A text, the font that has its letters, and how wide it is.

    Where no font has them, accents are left out.

    Args:
        text: without line breaks.
        size: height of the line in pixels.
    """
    text = " ".join(text.split())
    font = _with_letters(text, size)
    if font is None:
        font = _own(size)
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    left, _, right, _ = font.getbbox(text)
    return Line(text, font, round(right - left))


@functools.lru_cache(maxsize=32)
def _own(size: int) -> Font:
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=64)
def _of_system(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # not on this machine
        return None


def _with_letters(text: str, size: int) -> Font | None:
    if _has_all(_own(size), text):
        return _own(size)
    for name in _SYSTEM:
        font = _of_system(name, size)
        if font is not None and _has_all(font, text):
            return font
    return None


def _has_all(font: Font, text: str) -> bool:
    nothing = bytes(font.getmask(_NOWHERE))
    return all(letter.isspace() or bytes(font.getmask(letter)) != nothing for letter in set(text))
