"""The grid, written page by page while its images come in."""

import math

from spatialflow.browsing.card import Card
from spatialflow.browsing.grid_page import ON_A_PAGE, Overview, grid_file, grid_page
from spatialflow.browsing.output import PageWriter


class Grid:
    """Pages of a grid; of their images, only those of two pages are in memory at a time.

    Args:
        writer: of the pages.
        title: of all of them.
        total: images to come.
    """

    def __init__(self, writer: PageWriter, title: str, total: int) -> None:
        self._writer = writer
        self._title = title
        self._total = total
        self._pages = math.ceil(total / ON_A_PAGE)
        self._done = 0
        self._first: list[Card] = []
        self._current: list[Card] = []

    @property
    def files(self) -> list[str]:
        """Names of all pages."""
        return [grid_file(number) for number in range(self._pages)]

    def add(self, card: Card) -> None:
        """Take in the next image, and write its page if that is complete and not the first.

        Raises:
            OutputError: it cannot be written.
        """
        number, place = divmod(self._done, ON_A_PAGE)
        self._done += 1
        cards = self._current if number else self._first
        cards.append(card)
        if number and (place + 1 == ON_A_PAGE or self._done == self._total):
            self._writer.write_page(grid_file(number), grid_page(cards, number, self._pages, self._title))
            cards.clear()

    def finish(self, overview: Overview) -> None:
        """Write the first page, which tells of all images.

        Raises:
            OutputError: it cannot be written.
        """
        page = grid_page(self._first, 0, self._pages, self._title, overview)
        self._writer.write_page(grid_file(0), page)
