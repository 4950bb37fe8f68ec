"""What is kept of an image once its pictures are drawn: enough for its place in the grid."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from spatialflow.browsing.mistakes import Kind, Mistake
from spatialflow.browsing.scene import Scene, Size
from spatialflow.categories import Category
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.evaluation.pq_result import PQResult

PAGES, PICTURES = "pages", "pictures"
"""Folders."""
_STEM = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of an image, in two sizes."""

    what: str
    """photo, truth, prediction or mistakes."""
    file: str
    """Relative to the folder of all."""
    size: Size
    """(H, W) of the file."""
    small: str | None = None
    """The file for the grid, if it is shown there."""
    small_size: Size = (0, 0)


@dataclass(frozen=True, slots=True)
class Card:
    """One image of the grid."""

    stem: str
    """Of its page and its pictures."""
    image: ImageInfo
    pictures: tuple[Picture, ...] = ()
    present: tuple[Category, ...] = ()
    """Categories that the truth or the prediction has, the largest first."""
    quality: PQResult | None = None
    """Of this image alone."""
    mistakes: dict[Kind, Counter[str]] = field(default_factory=dict)
    """How often which names; see :attr:`Mistake.name`."""
    wrong: tuple[Category, ...] = ()
    """Categories that mistakes concern."""
    notes: tuple[str, ...] = ()
    error: str | None = None
    """Why there are no pictures."""

    @property
    def page(self) -> str:
        """Relative to the folder of all."""
        return page_of(self.stem)

    @property
    def files(self) -> list[str]:
        """All files of this image, relative to the folder of all."""
        small = [picture.small for picture in self.pictures if picture.small is not None]
        return [self.page, *(picture.file for picture in self.pictures), *small]

    @property
    def pq(self) -> float | None:
        """Panoptic quality, 0..1; None where there is nothing to find and nothing was found."""
        return None if self.quality is None or not self.quality.all.n else self.quality.all.pq

    def to_json(self) -> dict[str, Any]:
        """Its entry in the list of all."""
        entry: dict[str, Any] = {"image_id": self.image.id, "file_name": self.image.file_name}
        if self.error is not None:
            entry["error"] = self.error
        if self.quality is not None:
            entry["pq"] = self.pq
            entry["mistakes"] = {kind.value: dict(names) for kind, names in self.mistakes.items()}
        return {**entry, "files": self.files}


def stem_of(number: int, total: int, image: ImageInfo) -> str:
    """A name of plain letters for an image's files, whatever its photo is called; the number makes it unique.

    Args:
        number: place in the list, from 1.
        total: length of the list.
        image: the photo.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(image.file_name).stem).strip("-")[:_STEM]
    return f"{number:0{len(str(total))}}-{plain}".rstrip("-")


def page_of(stem: str) -> str:
    """Where an image's page is, relative to the folder of all."""
    return f"{PAGES}/{stem}.html"


def present_in(scene: Scene) -> tuple[Category, ...]:
    """Categories that have pixels, the largest first."""
    pixels: Counter[Category] = Counter()
    for layer in (scene.truth, scene.pred):
        for shape in () if layer is None else layer.shapes:
            pixels[shape.category] += shape.area
    return tuple(category for category, _ in pixels.most_common())


def count_names(mistakes: Sequence[Mistake]) -> dict[Kind, Counter[str]]:
    """How often which names are mistaken in which way; every kind is there."""
    counts: dict[Kind, Counter[str]] = {kind: Counter() for kind in Kind}
    for mistake in mistakes:
        counts[mistake.kind][mistake.name] += 1
    return counts
