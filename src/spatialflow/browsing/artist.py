"""One image from its files to its pictures and its page."""

from collections.abc import Sequence

from PIL import Image

from spatialflow.browsing.card import PICTURES, Card, Picture, count_names, present_in, stem_of
from spatialflow.browsing.drawing import draw_mistakes, draw_segments
from spatialflow.browsing.grid_page import ON_A_PAGE, grid_file
from spatialflow.browsing.image_page import image_page
from spatialflow.browsing.mistakes import Mistake, find_mistakes, found
from spatialflow.browsing.output import PageWriter
from spatialflow.browsing.scene import Scene, Size, read_scene
from spatialflow.browsing.source import Source, Subject
from spatialflow.errors import DataError
from spatialflow.evaluation.pq_result import PQResult

_SMALL_SIDE = 400
"""Pixels of the longer side of pictures in the grid."""
_NOT_IN_GRID = "photo"
"""The picture that is left out of the grid where there are others enough."""


class Artist:
    """Draws the images of a list, from any thread.

    Args:
        source: where they are.
        order: their places in it.
        writer: of the files.
    """

    def __init__(self, source: Source, order: Sequence[int], writer: PageWriter) -> None:
        self._source = source
        self._order = order
        self._writer = writer

    def draw(self, place: int) -> Card:
        """Write pictures and page of the image at a place of the list, from 0.

        Raises:
            OutputError: a file cannot be written.
        """
        subject = self._source.subject(self._order[place])
        stem = self._stem(place)
        scene, mistakes = None, []
        try:
            scene = read_scene(self._source, subject)
        except DataError as error:
            card = Card(stem, subject.image, error=str(error))
        else:
            mistakes = find_mistakes(scene)
            card = self._card(stem, subject, scene, mistakes)
        neighbours = (
            self._stem(place - 1) if place else None,
            self._stem(place + 1) if place + 1 < len(self._order) else None,
        )
        page = image_page(card, scene, mistakes, grid_file(place // ON_A_PAGE), neighbours)
        self._writer.write_page(card.page, page)
        return card

    def _stem(self, place: int) -> str:
        image = self._source.subject(self._order[place]).image
        return stem_of(place + 1, len(self._order), image)

    def _card(self, stem: str, subject: Subject, scene: Scene, mistakes: Sequence[Mistake]) -> Card:
        wrong = {category: None for mistake in mistakes for category in mistake.categories}
        return Card(
            stem,
            subject.image,
            self._pictures(stem, scene, mistakes),
            present_in(scene),
            self._quality(scene),
            count_names(mistakes),
            tuple(wrong),
            tuple(scene.notes),
        )

    def _quality(self, scene: Scene) -> PQResult | None:
        if scene.compared is None:
            return None
        categories, compared = self._source.categories, scene.compared
        counts = compared.matching.counts(compared.pred, compared.truth, len(categories))
        return PQResult.from_counts(counts, categories)

    def _pictures(self, stem: str, scene: Scene, mistakes: Sequence[Mistake]) -> tuple[Picture, ...]:
        pictures = {"photo": Image.fromarray(scene.photo)}
        if scene.truth is not None:
            pictures["truth"] = draw_segments(scene.photo, scene.truth)
        if scene.pred is not None:
            pictures["prediction"] = draw_segments(scene.photo, scene.pred)
        if scene.compared is not None and scene.truth is not None:
            pictures["mistakes"] = draw_mistakes(scene, mistakes, found(scene.compared, scene.truth))
        return tuple(
            self._write(stem, what, picture, len(pictures) < 3 or what != _NOT_IN_GRID)
            for what, picture in pictures.items()
        )

    def _write(self, stem: str, what: str, picture: Image.Image, in_grid: bool) -> Picture:
        name = f"{PICTURES}/{stem}-{what}.jpg"
        size = _size(picture)
        self._writer.write_picture(name, picture)
        if not in_grid:
            return Picture(what, name, size)
        picture.thumbnail((_SMALL_SIDE, _SMALL_SIDE))
        small = f"{PICTURES}/{stem}-{what}-small.jpg"
        self._writer.write_picture(small, picture)
        return Picture(what, name, size, small, _size(picture))


def _size(picture: Image.Image) -> Size:
    return picture.height, picture.width
