"""Segments drawn over a photo."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spatialflow.errors import DataError
from spatialflow.photo import as_photo
from spatialflow.visualize.colors import Color, ColorBy, instance_colors
from spatialflow.visualize.contours import draw_contours
from spatialflow.visualize.index_map import Index, enlarge_smoothly, enlargement, index_map
from spatialflow.visualize.labels import write_labels
from spatialflow.visualize.legend import Legend, add_legend
from spatialflow.visualize.void import VoidStyle, paint_void

if TYPE_CHECKING:
    from spatialflow.photo import Photo
    from spatialflow.structures import Segment

Pixels = NDArray[np.uint8]
Labels = bool | Literal["things", "stuff"]
"""Which segments are named."""
_CHOICES: dict[str, tuple[object, ...]] = {
    "labels": (True, False, "things", "stuff"),
    "void": ("leave", "darken", "hatch"),
    "legend": (True, False, "right", "bottom"),
    "color_by": ("order", "id"),
}


class PlotOptions(TypedDict, total=False):
    """Options of :func:`draw_overlay`, which says what they mean and has their defaults."""

    opacity: float | tuple[float, float]
    contours: bool
    labels: Labels
    scores: bool
    void: VoidStyle | Literal["leave"]
    legend: Legend
    color_by: ColorBy
    min_side: int


def draw_overlay(
    image: "Photo",
    segment_ids: NDArray[np.integer[Any]],
    segments: "Sequence[Segment]",
    *,
    opacity: float | tuple[float, float] = (0.45, 0.28),
    contours: bool = True,
    labels: Labels = True,
    scores: bool = True,
    void: VoidStyle | Literal["leave"] = "leave",
    legend: Legend = False,
    color_by: ColorBy = "order",
    min_side: int = 400,
) -> Image.Image:
    """Draw segments over a photo: things tinted and outlined one by one, stuff calmer, all with class names.

    A segment too small for its name, or whose name would cover another's, goes without.

    Args:
        image: the photo: path, (3, H, W) uint8 tensor, (H, W, 3) uint8 array, or PIL image.
        segment_ids: (H, W) id of each pixel, 0 = void; ids that ``segments`` does not list are void, too.
        segments: what the ids mean; of each, ``id``, ``category``, ``is_thing`` and ``score`` are used.
        opacity: of the tint, 0..1, for things and stuff; one number is for both.
        contours: draw outlines.
        labels: write class names; ``things`` or ``stuff`` for those only.
        scores: write each thing's score behind its name; leave out for ground truth.
        void: ``leave`` void as it is, ``darken`` it, or make it grey and ``hatch`` it.
        legend: list the categories beside the picture: ``right``, ``bottom``, or True for the better place.
        color_by: things of one category differ a little in colour, by their ``order`` in the list, which
            tells neighbours apart best, or by their ``id``, which keeps a track's colour through a video.
        min_side: a photo whose shorter side is much below this many pixels is enlarged by the nearest whole
            factor, so that names can be read; 0 to keep its size.

    Returns:
        RGB picture, of the photo's size times that factor, and the legend.

    Raises:
        DataError: ``image`` is none of these, its size is not that of ``segment_ids``, or there is no such
            option.
    """
    tints = _check(opacity, {"labels": labels, "void": void, "legend": legend, "color_by": color_by})
    photo, ids = as_photo(image), np.asarray(segment_ids)
    if ids.shape != photo.shape[:2]:
        raise DataError(
            f"segment_ids is {_by(ids.shape)} pixels (height x width) and the image {_by(photo.shape[:2])}; "
            f"give the image that was segmented, at its original size"
        )
    index = index_map(ids, segments)
    photo, index = _enlarged(photo, index, min_side)
    unit = max(1.0, min(index.shape) / 450)
    colors = instance_colors(segments, color_by)
    pixels = _tint(photo, index, [tints[not segment.is_thing] for segment in segments], colors)
    if void != "leave":
        paint_void(pixels, index == 0, void, round(unit))
    if contours:
        draw_contours(pixels, index, [segment.is_thing for segment in segments], colors, unit)
    picture = Image.fromarray(pixels)
    if labels:
        kinds = {"things": (True,), "stuff": (False,)}.get(str(labels), (True, False))
        named = [segment.is_thing in kinds for segment in segments]
        write_labels(picture, index, segments, colors, scores, named)
    return add_legend(picture, segments, legend)


def write_names(
    picture: Image.Image, segment_ids: NDArray[np.integer[Any]], segments: "Sequence[Segment]"
) -> None:
    """Write class names into a picture as :func:`draw_overlay` does, each on its category's very colour.

    Args:
        picture: RGB; changed.
        segment_ids: (H, W) id of each pixel, 0 = none.
        segments: what the ids mean; see :func:`draw_overlay`.
    """
    colors = [segment.category.color for segment in segments]
    index = index_map(np.asarray(segment_ids), segments)
    write_labels(picture, index, segments, colors, scores=False, named=[True] * len(segments))


def _check(opacity: float | tuple[float, float], chosen: dict[str, object]) -> tuple[float, float]:
    """Opacity of things and stuff, once it and the options are what they may be."""
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            raise DataError(f"{name}: {value!r} is not one of {', '.join(map(repr, _CHOICES[name]))}")
    tints = tuple(opacity) if isinstance(opacity, tuple | list) else (opacity, opacity)
    if len(tints) != 2 or not all(isinstance(tint, int | float) and 0 <= tint <= 1 for tint in tints):
        raise DataError(f"opacity: {opacity!r} is neither a number 0..1 nor two, of things and of stuff")
    return tints


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _enlarged(photo: Pixels, index: Index, min_side: int) -> tuple[Pixels, Index]:
    height, width = index.shape
    factor = enlargement(height, width, min_side)
    if factor == 1:
        return photo, index
    size = width * factor, height * factor
    larger = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return larger, enlarge_smoothly(index, factor)


def _tint(photo: Pixels, index: Index, opacities: Sequence[float], colors: Sequence[Color]) -> Pixels:
    """Blend each segment's colour into its pixels."""
    share = np.array([0, *opacities], np.float32)
    palette = np.array([(0, 0, 0), *colors], np.uint8)
    photo_share, color_share = np.take(1 - share, index), np.take(share, index)
    tint = np.take(palette, index, axis=0)
    return cv2.blendLinear(photo, tint, photo_share, color_share).astype(np.uint8, copy=False)
