"""A few SVG shapes in two palettes, for light and for dark pages."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True)
class Palette:
    """Colours by what they stand for: (line, fill) of each part."""

    text: str
    muted: str
    ground: str
    """Of the page, behind lines that pass under others."""
    cls: tuple[str, str]
    reg: tuple[str, str]
    stuff: tuple[str, str]
    mask: tuple[str, str]
    plain: tuple[str, str]


PALETTES = {
    "light": Palette(
        text="#263238",
        muted="#5b6f79",
        ground="#ffffff",
        cls=("#1565c0", "#e3f0fc"),
        reg=("#d95f02", "#fdeedd"),
        stuff=("#2e7d32", "#e6f4e7"),
        mask=("#7b1fa2", "#f4e6f8"),
        plain=("#607d8b", "#eef2f4"),
    ),
    "dark": Palette(
        text="#eceff1",
        muted="#a9b7be",
        ground="#1e2129",
        cls=("#6db4f5", "#17324a"),
        reg=("#ffb25c", "#46300f"),
        stuff=("#86cb8a", "#1c3b21"),
        mask=("#d39ae0", "#3b2246"),
        plain=("#93a7b1", "#2c343c"),
    ),
}


@dataclass
class Drawing:
    """Shapes in the order in which they are drawn."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def svg(self) -> str:
        """The whole file."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'font-family="{FONT}">\n<title>{escape(self.title)}</title>\n{body}\n</svg>\n'
        )

    def box(self, x: float, y: float, w: float, h: float, colors: tuple[str, str], radius: float = 7) -> None:
        """A rounded rectangle centred on (x, y)."""
        line, fill = colors
        self.parts.append(
            f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{line}" stroke-width="1.8"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        color: str,
        size: float = 15,
        anchor: str = "middle",
        weight: int = 400,
        mono: bool = False,
        sub: str = "",
    ) -> None:
        """A line of text whose middle is at height ``y``; ``sub`` is a subscript."""
        family = f' font-family="{MONO}"' if mono else ""
        lower = (
            f'<tspan dy="{size * 0.25:g}" font-size="{size * 0.72:g}">{escape(sub)}</tspan>' if sub else ""
        )
        self.parts.append(
            f'<text x="{x:g}" y="{y + size * 0.35:g}" fill="{color}" font-size="{size:g}" '
            f'text-anchor="{anchor}" font-weight="{weight}"{family}>{escape(words)}{lower}</text>'
        )

    def path(
        self,
        points: list[tuple[float, float]],
        color: str,
        width: float = 1.8,
        arrow: bool = True,
        dashes: str = "",
    ) -> None:
        """A line through points, with a head at its end."""
        head = _head(points[-2], points[-1], color, width) if arrow else ""
        points = [*points[:-1], _short_of(points[-2], points[-1], 6)] if arrow else points
        d = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width:g}" '
            f'stroke-linejoin="round"{dashed}/>{head}'
        )

    def plus(self, x: float, y: float, palette: Palette) -> None:
        """A sum."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="10" fill="{palette.ground}" stroke="{palette.muted}" '
            f'stroke-width="1.8"/><path d="M{x - 5:g} {y:g}h10M{x:g} {y - 5:g}v10" '
            f'stroke="{palette.text}" stroke-width="1.8"/>'
        )

    def over(self, x: float, y: float, palette: Palette) -> None:
        """Interrupt a level line where an upright one will pass over it."""
        self.parts.append(f'<path d="M{x - 6:g} {y:g}h12" stroke="{palette.ground}" stroke-width="5"/>')

    def raw(self, markup: str) -> None:
        """Anything else."""
        self.parts.append(markup)


def _short_of(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    """The point ``length`` before ``end``."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    whole = (dx * dx + dy * dy) ** 0.5
    return end[0] - dx / whole * length, end[1] - dy / whole * length


def _head(start: tuple[float, float], end: tuple[float, float], color: str, width: float) -> str:
    length, half = 7 + width, 3 + 0.7 * width
    back = _short_of(start, end, length)
    whole = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    ux, uy = (end[0] - start[0]) / whole, (end[1] - start[1]) / whole
    left = (back[0] - uy * half, back[1] + ux * half)
    right = (back[0] + uy * half, back[1] - ux * half)
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, left, right))
    return f'<polygon points="{corners}" fill="{color}"/>'
