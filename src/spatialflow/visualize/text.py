"""Text on coloured tags."""

import functools

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spatialflow.visualize.colors import Color, ink_on

Box = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels, the ends exclusive."""


def font_size(picture: tuple[int, int]) -> int:
    """Pixels of a line of text that can be read in a picture of (width, height)."""
    return round(min(max(min(picture) / 32, 13), 64))


@functools.lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, so that pictures are the same on every machine."""
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> int:
    """Pixels of a line of text."""
    left, _, right, _ = font(size).getbbox(text)
    return round(right - left)


def tag_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of the tag that holds a text."""
    return text_width(text, size) + round(0.6 * size), round(1.35 * size)


def draw_tag(picture: Image.Image, box: Box, text: str, color: Color, size: int) -> None:
    """Write a text on a coloured tag with round corners."""
    width, height = box[2] - box[0], box[3] - box[1]
    picture.paste(color, box, _rounded(width, height, max(2, size // 4)))
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    ImageDraw.Draw(picture).text(middle, text, fill=ink_on(color), font=font(size), anchor="mm")


@functools.lru_cache(maxsize=512)
def _rounded(width: int, height: int, radius: int) -> Image.Image:
    """Opacity of a rectangle with smooth round corners."""
    finer = 4
    mask = np.zeros((height * finer, width * finer), np.uint8)
    r = min(radius * finer, min(mask.shape) // 2)
    right, bottom = mask.shape[1] - 1, mask.shape[0] - 1
    cv2.rectangle(mask, (r, 0), (right - r, bottom), 255, -1)
    cv2.rectangle(mask, (0, r), (right, bottom - r), 255, -1)
    for x in (r, right - r):
        for y in (r, bottom - r):
            cv2.circle(mask, (x, y), r, 255, -1)
    return Image.fromarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8))
