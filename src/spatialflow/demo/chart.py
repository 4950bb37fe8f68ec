"""Line charts as inline SVG."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 26, 12, 44
_DASHES = (
    "none",
    "7 3",
    "2 3",
    "9 3 2 3",
    "12 4",
    "4 2",
)  # lines differ in print and for the colour-blind too


def line_chart(
    lines: Mapping[str, Points], *, x_name: str, description: str, top: float | None = None
) -> str:
    """Draw named lines from zero upwards.

    The colours are the style sheet's: the lines have the classes ``line-0`` to ``line-5``, then again from 0.

    Args:
        lines: points (x, y) of each, x ascending; y that is not finite leaves a gap.
        x_name: written below the x axis.
        description: what a screen reader says in place of the picture.
        top: upper end of the y axis; by default a round number above all points.

    Returns:
        An ``<svg>`` element, and below it the legend if there is more than one line.
    """
    finite = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in lines.items()}
    everything = [point for points in finite.values() for point in points]
    x_ticks = _ticks(max((x for x, _ in everything), default=1) or 1)
    y_ticks = _ticks(top if top is not None else max((y for _, y in everything), default=1) or 1)
    x_end, y_end = max(x_ticks[-1], *(x for x, _ in everything), 0), y_ticks[-1]
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(description)}">',
        *(_y_tick(y, y_end) for y in y_ticks),
        *(_x_tick(x, x_end) for x in x_ticks),
        f'<text class="axis" x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_name)}</text>",
    ]
    styles = [
        f'class="line-{i % len(_DASHES)}" stroke-dasharray="{_DASHES[i % len(_DASHES)]}"'
        for i in range(len(finite))
    ]
    for style, points in zip(styles, finite.values(), strict=True):
        drawn = [(round(_x(x, x_end), 1), round(_y(min(y, y_end), y_end), 1)) for x, y in points]
        parts.append(f'<polyline {style} points="{" ".join(f"{x},{y}" for x, y in drawn)}"/>')
        if len(drawn) < 40:  # single measurements rather than a dense curve
            parts += [f'<circle {style.split()[0]} cx="{x}" cy="{y}" r="3"/>' for x, y in drawn]
    parts.append("</svg>")
    if len(finite) > 1:
        samples = [
            f'<svg viewBox="0 0 34 10" aria-hidden="true"><path {style} d="M0 5h34"/></svg>'
            for style in styles
        ]
        entries = [f"<li>{sample}{escape(name)}</li>" for sample, name in zip(samples, finite, strict=True)]
        parts += ['<ul class="legend">', *entries, "</ul>"]
    return "\n".join(parts)


def thin_out(points: Points, count: int = 120) -> list[tuple[float, float]]:
    """Means over runs of neighbouring points, ``count`` at most: a noisy curve becomes readable."""
    run = max(1, math.ceil(len(points) / count))
    groups = [points[i : i + run] for i in range(0, len(points), run)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to ``top`` or a little above, about five."""
    magnitude = 10.0 ** math.floor(math.log10(top / 4))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= top / 5)
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def _x(value: float, end: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / end


def _y(value: float, end: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / end


def _y_tick(value: float, end: float) -> str:
    y = _y(value, end)
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text class="axis" x="{_LEFT - 7}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>'
    )


def _x_tick(value: float, end: float) -> str:
    return (
        f'<text class="axis" x="{_x(value, end):.1f}" y="{_HEIGHT - _BOTTOM + 19}" text-anchor="middle">'
        f"{value:g}</text>"
    )
