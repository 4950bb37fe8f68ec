"""The drawings are what their scripts draw, and parse."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs_pages import DOCS, ROOT


def test_drawings_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools" / "docs")
    from draw import drawings

    for name, svg in drawings().items():
        path: Path = DOCS / "images" / name
        assert path.read_text() == svg, f"{name}: run python tools/docs/draw.py"
        root = ET.fromstring(svg)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
