"""Colours of segments: each category's own, varied a little from instance to instance."""

import colorsys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from spatialflow.structures import Segment

Color = tuple[int, int, int]
"""R, G, B, 0..255."""
ColorBy = Literal["order", "id"]
"""What varies the colour of a thing: its place among those of its category, or its id."""


def instance_colors(segments: "Sequence[Segment]", by: ColorBy) -> list[Color]:
    """Each category's colour; further instances of a thing vary it a little, always in the same way."""
    seen: Counter[int] = Counter()
    colors = []
    for segment in segments:
        step = segment.id if by == "id" else seen[segment.category.id]
        seen[segment.category.id] += 1
        colors.append(_vary(segment.category.color, step) if segment.is_thing else segment.category.color)
    return colors


def _vary(color: Color, step: int) -> Color:
    """Another colour for each step, well spread whatever the count (multiples of golden ratios)."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in color))
    first, second = (0.5 + step * 0.618034) % 1 - 0.5, (0.5 + step * 0.754878) % 1 - 0.5
    value = max(value, 0.3) * (1 + 0.6 * second) if step else value
    if value > 1:  # what cannot be brighter becomes paler
        saturation, value = saturation / value**2, 1.0
    varied = colorsys.hsv_to_rgb((hue + 0.16 * first) % 1, saturation, value)
    return round(varied[0] * 255), round(varied[1] * 255), round(varied[2] * 255)


def lighter(color: Color, share: float) -> Color:
    """The colour mixed with white."""
    red, green, blue = (round(channel + (255 - channel) * share) for channel in color)
    return red, green, blue


def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2.1), 0..1; dark ink has the better contrast from 0.18 on."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(color: Color) -> Color:
    """Black or white, whichever can be read on it."""
    return (0, 0, 0) if luminance(color) > 0.2 else (255, 255, 255)
