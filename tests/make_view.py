"""A small data set with predictions whose mistakes are known, and the pages made of it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from html_page import Page
from make_data import CAT, DOG, GRASS, SKY, ToyImage, ToySegment, write_panoptic_set

SIZE = (40, 60)
MEADOW = ToySegment(GRASS, (0, 0, 60, 40))
TRUTH = (
    ToyImage("right", SIZE, (MEADOW, ToySegment(CAT, (0, 20, 20, 40)))),
    ToyImage(
        "mistaken",
        SIZE,
        (
            MEADOW,
            ToySegment(SKY, (0, 0, 60, 10)),
            ToySegment(CAT, (0, 20, 20, 40)),
            ToySegment(DOG, (30, 20, 50, 40)),
        ),
    ),
    ToyImage("crowded", SIZE, (ToySegment(GRASS, (0, 0, 60, 20)), ToySegment(CAT, (0, 0, 30, 20), True))),
)
"""Ids are 1001, 1002, ...; the lower half of ``crowded`` is void."""
PREDICTION = (
    TRUTH[0],
    ToyImage(
        "mistaken",
        SIZE,
        (
            MEADOW,
            ToySegment(SKY, (0, 0, 60, 10)),
            ToySegment(DOG, (0, 20, 20, 38)),  # the cat: IoU 0.9
            ToySegment(CAT, (52, 30, 58, 36)),  # there is none
        ),
    ),
    # a cat on the crowd, and one on void
    ToyImage(
        "crowded",
        SIZE,
        (
            ToySegment(GRASS, (0, 0, 60, 20)),
            ToySegment(CAT, (0, 0, 30, 20)),
            ToySegment(CAT, (10, 24, 20, 36)),
        ),
    ),
)


def write_pair(folder: Path) -> tuple[Path, Path]:
    """The annotation files of truth and prediction."""
    truth = write_panoptic_set(folder / "data", TRUTH)
    return truth, write_panoptic_set(folder / "result", PREDICTION, "pred")


def read_list(out: Path) -> list[dict[str, Any]]:
    """Entries of ``view.json``, in the order of the pages."""
    entries: list[dict[str, Any]] = json.loads((out / "view.json").read_text())["images"]
    return entries


def links_of(page: Page) -> list[str]:
    """Everything that a page loads or leads to."""
    return [str(a[key]) for _, a in page.tags for key in ("href", "src") if key in a]


def check_pages(out: Path) -> dict[str, Page]:
    """See that every page is well-formed and needs nothing but files of the folder; returns them by name."""
    pages = {}
    for path in sorted(out.rglob("*.html")):
        text = path.read_text()
        pages[path.relative_to(out).as_posix()] = page = Page(text)
        assert "http" not in text
        for link in links_of(page):
            assert ":" not in link
            assert not link.startswith("/")
            assert (path.parent / unquote(link)).is_file(), link
    return pages


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
