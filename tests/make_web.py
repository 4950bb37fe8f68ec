"""A page to test: the shipped model served in this process, and photos that it knows."""

import contextlib
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from spatialflow.data.synthetic import generate

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Site(NamedTuple):
    """A page that is being served."""

    url: str
    """With a slash at the end."""
    folder: Path
    """For what Gradio writes."""
    passes: list[int]
    """Photos of each pass through the network, one entry a pass."""
    gate: threading.Lock
    """Whoever holds it keeps the network at work."""


@contextlib.contextmanager
def serve_tiny(**options: Any) -> Iterator[Site]:
    """Serve ``tiny`` while the block runs, and count the network's passes."""
    import os

    from spatialflow.checkpoints import load_model
    from spatialflow.inference import Predictor
    from spatialflow.web.server import serving

    predictor = Predictor(load_model("tiny"), "cpu", "fp32")
    passes: list[int] = []
    gate = threading.Lock()
    find = predictor.find

    def counted(images: Sequence[Any]) -> Any:
        passes.append(len(images))
        with gate:
            return find(images)

    predictor.find = counted  # type: ignore[method-assign]
    with serving(predictor, "tiny", **options) as url:
        yield Site(url, Path(os.environ["GRADIO_TEMP_DIR"]), passes, gate)


def draw_photos(folder: Path, number: int = 6) -> list[Path]:
    """Photos of the kind that ``tiny`` knows."""
    generate(folder, number, seed=11, split="drawn", workers=1)
    return sorted((folder / "drawn").glob("*.jpg"))


def find_browser() -> str:
    """The program of a Chromium; skips the test if there is none."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip(f"needs a browser ({', '.join(BROWSERS)}), and none is installed; run: make browser")


def write_huge_header(path: Path, width: int, height: int) -> None:
    """A PNG that announces a size and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
