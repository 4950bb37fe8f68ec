"""How often each category occurs."""

from dataclasses import dataclass
from typing import Any

from spatialflow.data.check.categories import KnownCategory
from spatialflow.data.check.images import ImageReport


@dataclass(slots=True)
class ClassCount:
    """One category."""

    images: int = 0
    """That show it."""
    segments: int = 0
    """Crowds included."""
    crowds: int = 0
    pixels: int = 0


class Statistics:
    """Counts over all images.

    Args:
        categories: in the order of the file.
        num_images: in the file.
    """

    def __init__(self, categories: list[KnownCategory], num_images: int) -> None:
        self.categories = categories
        self.num_images = num_images
        self.num_annotated = 0
        self.num_trainable = 0
        """Images that training does not leave out."""
        self.num_only_crowds = 0
        """Of these, those with things, but none to be told from others."""
        self.pixels = 0
        """Of all PNGs that could be read."""
        self.void = 0
        self.counts = {category.id: ClassCount() for category in categories}

    def add(self, report: ImageReport, is_annotated: bool, is_small: bool) -> None:
        """Count one image."""
        self.num_annotated += is_annotated
        self.num_trainable += is_annotated and report.is_trainable and not is_small
        self.num_only_crowds += is_annotated and report.only_crowds and not is_small
        self.pixels += report.pixels
        self.void += report.void
        for use in report.segments:
            count = self.counts[use.category_id]
            count.segments += 1
            count.crowds += use.is_crowd
            count.pixels += use.pixels
        for category_id in {use.category_id for use in report.segments}:
            self.counts[category_id].images += 1

    @property
    def num_segments(self) -> int:
        """Of known categories."""
        return sum(count.segments for count in self.counts.values())

    def used(self) -> set[int]:
        """Ids of the categories that occur."""
        return {category_id for category_id, count in self.counts.items() if count.segments}

    def share(self, pixels: int) -> float:
        """Of all pixels, void included; 0 if there are none."""
        return pixels / self.pixels if self.pixels else 0.0

    def to_json(self) -> dict[str, Any]:
        """All counts."""
        classes = []
        for category in self.categories:
            count = self.counts[category.id]
            classes.append(
                {
                    "id": category.id,
                    "name": category.name,
                    "isthing": category.is_thing,
                    "images": count.images,
                    "segments": count.segments,
                    "crowds": count.crowds,
                    "pixels": count.pixels,
                    "pixel_share": self.share(count.pixels),
                }
            )
        return {
            "images": self.num_images,
            "annotated_images": self.num_annotated,
            "trainable_images": self.num_trainable,
            "segments": self.num_segments,
            "pixels": self.pixels,
            "void_pixels": self.void,
            "categories": classes,
        }
