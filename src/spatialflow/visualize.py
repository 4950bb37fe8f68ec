"""Pictures of panoptic results: tinted segments, contours and class names over the photo."""

import colorsys
import functools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from spatialflow.image_io import pixels_of

if TYPE_CHECKING:
    from spatialflow.structures import Segment

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

_FILL = {True: 0.55, False: 0.32}  # opacity of the tint, by is_thing
_LINE = {True: 0.95, False: 0.55}  # opacity of the contour
_LABEL_MAP_SIDE = 320  # label places are searched on a map reduced to this many pixels


def draw_overlay(
    image: Any,
    segment_ids: NDArray[np.integer],
    segments: "Sequence[Segment]",
    *,
    labels: bool = True,
    scores: bool = True,
    min_side: int = 400,
    color_by: Literal["order", "id"] = "order",
) -> Image.Image:
    """Draw segments over a photo: things tinted and outlined one by one, stuff calmer, all with class names.

    Void, and ids that ``segments`` does not list, leave the photo as it is. A segment too small for its name,
    or whose name would cover another's, goes without.

    Args:
        image: the photo: (3, H, W) uint8 tensor, (H, W, 3) uint8 array, or PIL image.
        segment_ids: (H, W) id of each pixel, 0 = void.
        segments: what the ids mean; of each, ``id``, ``category``, ``is_thing`` and ``score`` are used.
        labels: write class names.
        scores: write each thing's score behind its name; leave out for ground truth.
        min_side: a photo whose shorter side is much below this many pixels is enlarged by the nearest whole
            factor, so that names can be read; 0 to keep its size.
        color_by: things of one category differ a little in colour, by their ``order`` in the list, or by
            their ``id``, which keeps a track's colour through a video.

    Returns:
        RGB picture, of the photo's size times that factor.

    Raises:
        ValueError: ``image`` is none of these, or its size is not that of ``segment_ids``.
    """
    photo = _as_pixels(image)
    ids = np.asarray(segment_ids)
    if ids.shape != photo.shape[:2]:
        raise ValueError(
            f"segment_ids is {_by(ids.shape)} pixels (height x width) and the image {_by(photo.shape[:2])}; "
            f"give the image that was segmented, at its original size"
        )
    index = _index_map(ids, segments)
    factor = enlargement(photo.shape[0], photo.shape[1], min_side)
    if factor > 1:
        height, width = ids.shape
        photo = cv2.resize(photo, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC).astype(
            np.uint8
        )
        index = _enlarge_smoothly(index, factor)
    colors = _instance_colors(segments, by_id=color_by == "id")
    picture = Image.fromarray(_tint(photo, index, segments, colors))
    if labels:
        _write_labels(picture, index, segments, colors, scores)
    return picture


def _as_pixels(image: Any) -> Pixels:
    """(H, W, 3) uint8 of whatever stands for a photo."""
    if isinstance(image, Image.Image):
        return pixels_of(image)
    pixels = image.detach().cpu().numpy().transpose(1, 2, 0) if _is_chw(image) else np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(
            f"image is {_by(pixels.shape)} {pixels.dtype}; a (3, H, W) uint8 tensor, (H, W, 3) uint8 array "
            f"or PIL image is expected"
        )
    return np.ascontiguousarray(pixels)


def _is_chw(image: Any) -> bool:
    return isinstance(image, Tensor) and image.ndim == 3 and image.shape[0] == 3


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def write_names(
    picture: Image.Image, segment_ids: NDArray[np.integer], segments: "Sequence[Segment]"
) -> None:
    """Write class names into a picture as :func:`draw_overlay` does, each on its category's very colour.

    Args:
        picture: RGB; changed.
        segment_ids: (H, W) id of each pixel, 0 = none.
        segments: what the ids mean; see :func:`draw_overlay`.
    """
    colors = [segment.category.color for segment in segments]
    _write_labels(picture, _index_map(np.asarray(segment_ids), segments), segments, colors, scores=False)


def enlargement(height: int, width: int, min_side: int) -> int:
    """Whole factor that brings the shorter side near ``min_side`` without a longer side out of proportion."""
    return max(1, min(round(min_side / min(height, width)), 4 * min_side // max(height, width)))


def _index_map(ids: NDArray[np.integer], segments: "Sequence[Segment]") -> NDArray[np.uint16]:
    """Position in ``segments`` plus 1 of each pixel's segment, 0 where there is none, (H, W)."""
    listed = [s.id for s in segments]
    known = np.clip(ids, 0, max(listed, default=0) + 1)  # the table ends with one entry for any larger id
    table = np.zeros(max(listed, default=0) + 2, np.uint16)
    table[listed] = np.arange(1, len(listed) + 1)
    return table[known]


def _enlarge_smoothly(index: NDArray[np.uint16], factor: int) -> NDArray[np.uint16]:
    """Enlarge a map of labels with smooth borders: everywhere the locally strongest label wins."""
    height, width = index.shape
    target = width * factor, height * factor
    strongest = np.zeros(target[::-1], np.float32)
    enlarged = np.zeros(target[::-1], np.uint16)
    for value in np.unique(index):
        share = cv2.resize((index == value).astype(np.float32), target, interpolation=cv2.INTER_CUBIC)
        wins = share > strongest
        np.copyto(strongest, share, where=wins)
        enlarged[wins] = value
    return enlarged


def _instance_colors(segments: "Sequence[Segment]", by_id: bool = False) -> list[tuple[int, int, int]]:
    """Each category's colour; further instances of a thing vary it a little, always in the same order."""
    seen: Counter[int] = Counter()
    colors = []
    for segment in segments:
        ordinal = (segment.id if by_id else seen[segment.category.id]) if segment.is_thing else 0
        seen[segment.category.id] += 1
        colors.append(_vary(segment.category.color, ordinal))
    return colors


def _vary(color: tuple[int, int, int], ordinal: int) -> tuple[int, int, int]:
    if ordinal == 0:
        return color
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in color))
    step, other = (
        ordinal * 0.618034 % 1 - 0.5,
        ordinal * 0.754878 % 1 - 0.5,
    )  # well spread, whatever the count
    varied = colorsys.hsv_to_rgb(
        (hue + 0.11 * step) % 1,
        min(1.0, saturation * (1 + 0.5 * other)),
        min(1.0, max(0.25, value * (1 + 0.5 * step))),
    )
    return round(varied[0] * 255), round(varied[1] * 255), round(varied[2] * 255)


def _tint(
    photo: Pixels,
    index: NDArray[np.uint16],
    segments: "Sequence[Segment]",
    colors: Sequence[tuple[int, int, int]],
) -> Pixels:
    """Blend each segment's colour into its pixels, more so along its border."""
    kinds = [segment.is_thing for segment in segments]
    palette = np.array([(0, 0, 0), *colors], np.uint16)
    fill = np.array([0, *(_FILL[kind] * 256 for kind in kinds)], np.uint16)
    line = np.array([0, *(_LINE[kind] * 256 for kind in kinds)], np.uint16)
    width = max(1, round(min(index.shape) / 450))
    opacity = np.where(_borders(index, width), line[index], fill[index])[..., None]
    blended = photo * (256 - opacity)
    blended += palette[index] * opacity
    blended >>= 8
    return blended.astype(np.uint8)


def _borders(index: NDArray[np.uint16], width: int) -> NDArray[np.bool_]:
    """Pixels within ``width`` of another segment's, on both sides of the border."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return cv2.dilate(index, kernel) != cv2.erode(index, kernel)


def _write_labels(
    picture: Image.Image,
    index: NDArray[np.uint16],
    segments: "Sequence[Segment]",
    colors: Sequence[tuple[int, int, int]],
    scores: bool,
) -> None:
    """Write names where they fit, the largest thing first and stuff last."""
    canvas = ImageDraw.Draw(picture)
    size = round(min(max(min(picture.size) / 28, 14), 48))
    font = _font(size)
    spots = _spots(index, len(segments))
    taken: list[Box] = []
    for i in sorted(spots, key=lambda i: (not segments[i].is_thing, -spots[i].radius)):
        segment = segments[i]
        text = (
            f"{segment.category.name} {segment.score:.2f}"
            if scores and segment.is_thing
            else segment.category.name
        )
        box = _place(spots[i], _text_size(text, size), picture.size, taken, segment.is_thing)
        if box is not None:
            taken.append(box)
            canvas.rounded_rectangle(
                (box[0], box[1], box[2] - 1, box[3] - 1), radius=size // 3, fill=colors[i]
            )
            ink = (0, 0, 0) if _luminance(colors[i]) > 0.2 else (255, 255, 255)
            canvas.text(
                ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, fill=ink, font=font, anchor="mm"
            )


class _Spot:
    """Where a segment is thickest, how far it reaches from there, and its bounding box, in pixels."""

    __slots__ = ("box", "radius", "x", "y")

    def __init__(self, x: float, y: float, radius: float, box: tuple[float, float, float, float]) -> None:
        self.x, self.y, self.radius, self.box = x, y, radius, box


def _spots(index: NDArray[np.uint16], count: int) -> dict[int, _Spot]:
    """Pole of inaccessibility of each segment, searched on a reduced map."""
    step = max(1, round(max(index.shape) / _LABEL_MAP_SIDE))
    # a frame of zeros: the picture's edge bounds a segment too
    reduced = np.pad(index[step // 2 :: step, step // 2 :: step], 1)
    spots = {}
    for i in range(count):
        mask = (reduced == i + 1).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        if width == 0:
            continue
        window = mask[top - 1 : top + height + 1, left - 1 : left + width + 1]
        distance = cv2.distanceTransform(window, cv2.DIST_L2, 3)
        _, radius, _, (x, y) = cv2.minMaxLoc(distance)
        corners = left - 1, top - 1, left - 1 + width, top - 1 + height
        spots[i] = _Spot(
            (x + left - 1.5) * step,
            (y + top - 1.5) * step,
            radius * step,
            (corners[0] * step, corners[1] * step, corners[2] * step, corners[3] * step),
        )
    return spots


def _place(
    spot: _Spot, text: tuple[int, int], picture: tuple[int, int], taken: Sequence[Box], is_thing: bool
) -> Box | None:
    """Box for a name: on the segment's thickest part, or, beside a small thing; None where none is free."""
    width, height = text[0] + text[1] // 2, round(text[1] * 1.35)
    if spot.radius < 0.3 * height or width > picture[0] or height > picture[1]:
        return None
    x1, y1, x2, y2 = spot.box
    centre = spot.x, spot.y
    places = [centre]
    if is_thing and (width > 0.9 * (x2 - x1) or height > 0.4 * (y2 - y1)):
        beside = [((x1 + x2) / 2, y1 - height / 2), ((x1 + x2) / 2, y2 + height / 2)]
        places = [*beside, centre]
    elif is_thing:
        places += [(spot.x, spot.y - height), (spot.x, spot.y + height)]
    for x, y in places:
        left = round(min(max(x - width / 2, 0), picture[0] - width))
        top = round(min(max(y - height / 2, 0), picture[1] - height))
        box = left, top, left + width, top + height
        if abs(top + height / 2 - y) < 0.75 * height and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@functools.lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=1024)
def _text_size(text: str, size: int) -> tuple[int, int]:
    """Width of a text and height of its line."""
    left, _, right, _ = _font(size).getbbox(text)
    return round(right - left), size


def _luminance(color: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.1), 0..1; dark ink has the better contrast from 0.18 on."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
