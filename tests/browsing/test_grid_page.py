"""The grid: its pages, its cards, and what the filter is given."""

from collections import Counter

import numpy as np
import pytest

from html_page import Page
from make_data import CATEGORIES
from make_view import links_of
from spatialflow.browsing.card import Card, Picture, stem_of
from spatialflow.browsing.grid import Grid
from spatialflow.browsing.grid_page import ON_A_PAGE, Overview, grid_file, grid_page
from spatialflow.browsing.mistakes import Kind
from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.evaluation.pq_result import PQResult

CLASSES = Categories.from_json(CATEGORIES)
CAT, DOG, GRASS, SKY = CLASSES
THUMB = Picture("truth", "pictures/1-truth.jpg", (40, 60), "pictures/1-truth-small.jpg", (20, 30))


def card(number: int, **values: object) -> Card:
    return Card(str(number), ImageInfo(number, f"{number}.jpg", 40, 60), (THUMB,), **values)


def cards_of(page: Page) -> list[dict[str, str | None]]:
    return [a for tag, a in page.tags if tag == "li" and a.get("class") == "card"]


def parse(page: bytes) -> Page:
    return Page(page.decode())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000000000009.jpg", "07-000000000009"),
        ("sub folder/a 'b'.tar.jpg", "07-a-b-tar"),
        ("猫.jpg", "07"),
        ("<script>.jpg", "07-script"),
        ("x" * 300 + ".jpg", "07-" + "x" * 60),
    ],
)
def test_names_of_files_are_plain(name: str, expected: str) -> None:
    assert stem_of(7, 12, ImageInfo(1, name, 1, 1)) == expected


def test_filter_knows_categories_and_mistakes() -> None:
    quality = PQResult.from_counts(np.array([[0.9, 1, 0, 0], [0, 0, 1, 1], [0] * 4, [0] * 4]), CLASSES)
    names = {Kind.WRONG: Counter({"cat as dog": 2}), Kind.FALSE: Counter(), Kind.MISSED: Counter({"dog": 1})}
    first = card(1, present=(CAT, SKY), quality=quality, mistakes=names, wrong=(CAT, DOG))
    page = parse(grid_page([first, card(2, present=(CAT,), quality=quality)], 0, 1, "a.json"))
    data = [(a["data-has"], a["data-wrong"]) for a in cards_of(page)]
    assert data == [("3 21", "3 7"), ("3", "")]
    assert [a["value"] for tag, a in page.tags if tag == "option"] == ["", "3", "21"]
    assert "cat (2)" in page.text
    assert "2 wrong matches: cat as dog \u00d72" in page.text
    assert "1 miss: dog" in page.text
    assert "false positives:" not in page.text
    (form,) = (a for tag, a in page.tags if tag == "form")
    assert "hidden" in form, "without the script the filter would do nothing"
    assert "no mistakes" in page.text


def test_pages_of_a_large_set() -> None:
    class Writer:
        pages: dict[str, bytes]

        def write_page(self, name: str, page: bytes) -> None:
            self.pages[name] = page

    writer = Writer()
    writer.pages = {}
    total = 2 * ON_A_PAGE + 3
    grid = Grid(writer, "a.json", total)  # type: ignore[arg-type]
    for number in range(total):
        grid.add(card(number))
    assert set(writer.pages) == {"page-2.html", "page-3.html"}, "the first waits for what is said of all"
    grid.finish(Overview(("203 images",)))
    assert list(writer.pages) == ["page-2.html", "page-3.html", "index.html"]
    assert grid.files == ["index.html", "page-2.html", "page-3.html"]
    pages = [parse(writer.pages[grid_file(number)]) for number in range(3)]
    assert [len(cards_of(page)) for page in pages] == [100, 100, 3]
    assert "203 images" in pages[0].text
    for number, page in enumerate(pages):
        links = [link for link in links_of(page) if link.startswith(("index", "page-"))]
        others = [grid_file(other) for other in range(3) if other != number]
        assert links == 2 * others, "above and below the grid"
    assert [a["rel"] for tag, a in pages[1].tags if tag == "a" and "rel" in a] == ["prev", "next"] * 2


def test_a_card_names_only_so_many_categories() -> None:
    many = Categories.load("coco_panoptic")
    page = parse(grid_page([card(1, present=tuple(many)[:12])], 0, 1, "a.json"))
    assert "and 4 more" in page.text
