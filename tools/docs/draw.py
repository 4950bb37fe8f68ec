"""Draws the site's diagrams anew: ``python tools/docs/draw.py`` after a change of the drawings."""

from pathlib import Path

from drawing import PALETTES
from flows_drawing import draw_flows
from network_drawing import draw_network

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def drawings() -> dict[str, str]:
    """File name -> SVG."""
    makers = {"flows": draw_flows, "network": draw_network}
    return {
        f"{name}-{mode}.svg": make(palette)
        for name, make in makers.items()
        for mode, palette in PALETTES.items()
    }


if __name__ == "__main__":
    for name, svg in drawings().items():
        (IMAGES / name).write_text(svg, encoding="utf-8")
