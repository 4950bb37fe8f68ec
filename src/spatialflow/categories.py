"""The classes of a data set: dataset ids, contiguous labels, stuff channels, names and colours."""

import colorsys
import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from spatialflow.errors import DataError
from spatialflow.files import read_json

DETECTION_REMEDY = "convert it to COCO panoptic first (spatialflow convert detection2panoptic)"
"""What errors advise to whoever gives a COCO detection file."""

AUTO = "auto"
"""Name of the classes that training annotations have; where there are no annotations, COCO's."""

COCO_THINGS_OTHER_ID = 183
"""COCO's id of 'things-other', which the original gives all thing pixels in the stuff target."""


@dataclass(frozen=True, slots=True)
class Category:
    """One class: ``id`` as the data set counts it, name, thing or stuff, colour (R, G, B) 0..255."""

    id: int
    name: str
    is_thing: bool
    color: tuple[int, int, int]

    def __str__(self) -> str:
        return self.name


class Categories(Sequence[Category]):
    """All classes of a data set, ordered by contiguous label.

    Labels are 0..T-1 for things by ascending id, then T..T+S-1 for stuff by ascending id. The stuff head has
    S + 1 channels: the stuff classes by ascending id with one channel for all thing pixels among them, at
    ``things_channel`` (COCO: where id 183 would sort, channel 36; any other data set: the last).
    """

    def __init__(self, categories: Iterable[Category], source: str = "categories") -> None:
        everything = list(categories)
        for field in ("id", "name"):
            values = [getattr(c, field) for c in everything]
            double = sorted({v for v in values if values.count(v) > 1})
            if double:
                raise DataError(
                    f"{source}: categories: {field} {double[0]!r} is given twice; make each one unique"
                )
        if not everything:
            raise DataError(
                f"{source}: categories: the list is empty; name at least one thing or stuff class"
            )
        things = sorted((c for c in everything if c.is_thing), key=lambda c: c.id)
        stuff = sorted((c for c in everything if not c.is_thing), key=lambda c: c.id)
        self._categories = tuple(things + stuff)
        self.num_things = len(things)
        self.num_stuff = len(stuff)
        self._label_of = {c.id: label for label, c in enumerate(self._categories)}
        self.things_channel = self.num_stuff
        if {(c.id, c.is_thing) for c in everything} == _coco_signature():
            self.things_channel = sum(c.id < COCO_THINGS_OTHER_ID for c in stuff)

    @property
    def num_stuff_channels(self) -> int:
        """Outputs of the stuff head: stuff classes plus one for all things."""
        return self.num_stuff + 1

    def label(self, category_id: int) -> int:
        """Contiguous label of a data set's id; KeyError if it has none."""
        return self._label_of[category_id]

    def __contains__(self, category_id: object) -> bool:
        """Whether this is one of the data set's category ids."""
        return category_id in self._label_of

    def stuff_channel(self, label: int) -> int:
        """Channel of the stuff head that stands for ``label`` (every thing has the things channel)."""
        if label < self.num_things:
            return self.things_channel
        position = label - self.num_things
        return position + (position >= self.things_channel)

    def __getitem__(self, label: int) -> Category:  # type: ignore[override]  # no slices wanted
        return self._categories[label]

    def __len__(self) -> int:
        return len(self._categories)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Categories) and self._categories == other._categories

    def __hash__(self) -> int:
        return hash(self._categories)

    def __repr__(self) -> str:
        return f"Categories({self.num_things} things, {self.num_stuff} stuff)"

    def __str__(self) -> str:
        return f"classes: {self.num_things} things, {self.num_stuff} stuff"

    def to_json(self) -> list[dict[str, Any]]:
        """The ``categories`` list of a COCO-panoptic file, by ascending id."""
        return [
            {"id": c.id, "name": c.name, "isthing": int(c.is_thing), "color": list(c.color)}
            for c in sorted(self._categories, key=lambda c: c.id)
        ]

    @classmethod
    def from_json(cls, entries: Any, source: str = "categories") -> "Categories":
        """Read the ``categories`` list of a COCO-panoptic file; a missing colour is made up, stably.

        Raises:
            DataError: not such a list, or ids or names that occur twice; ``source`` is the file it names.
        """
        if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
            raise DataError(f"{source}: categories: a list of {{id, name, isthing}} objects is expected")
        return cls((parse_category(entry, i, source) for i, entry in enumerate(entries)), source)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str]) -> "Categories":
        """``coco_panoptic`` (shipped; ``auto`` too), or a JSON file: an annotation or its ``categories``."""
        if str(name_or_path) in ("coco_panoptic", AUTO):
            return coco_panoptic()
        content = read_json(name_or_path)
        if isinstance(content, Mapping):
            if "categories" not in content:
                raise DataError(
                    f"{name_or_path}: categories: the key is missing; give a COCO-panoptic JSON file"
                )
            content = content["categories"]
        return cls.from_json(content, str(name_or_path))


def parse_category(entry: Mapping[str, Any], index: int, source: str) -> Category:
    """Read one entry of ``categories``, the ``index``-th of the file ``source``.

    Raises:
        DataError: a key is missing, or a value is not what it should be.
    """
    where = f"{source}: categories[{index}]"
    for key in ("id", "name"):
        if key not in entry:
            raise DataError(f"{where}: {key} is missing; add it")
    if "isthing" not in entry:
        raise DataError(
            f"{where}: isthing is missing, so this is not a COCO-panoptic file (COCO detection files have "
            f"none); {DETECTION_REMEDY}"
        )
    if entry["isthing"] not in (0, 1):  # True and False are equal to these
        raise DataError(f"{where}: isthing {entry['isthing']!r} is neither 1 (thing) nor 0 (stuff)")
    category_id = entry["id"]
    if not isinstance(category_id, int) or isinstance(category_id, bool) or category_id < 0:
        raise DataError(f"{where}: id {category_id!r} is not a whole number of 0 or more")
    color = entry.get("color")
    if color is None:
        color = _color_of(category_id)
    if (
        not isinstance(color, Sequence)
        or len(color) != 3
        or not all(isinstance(v, int) and 0 <= v <= 255 for v in color)
    ):
        raise DataError(f"{where}: color {color!r} is not three whole numbers 0..255")
    return Category(category_id, str(entry["name"]), bool(entry["isthing"]), (color[0], color[1], color[2]))


def _color_of(category_id: int) -> tuple[int, int, int]:
    """A colour by golden-ratio steps of the hue: neighbours differ, and it never changes."""
    red, green, blue = colorsys.hsv_to_rgb((category_id * 0.618034 + 0.1) % 1, 0.65, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def _coco_entries() -> list[dict[str, Any]]:
    text = resources.files("spatialflow").joinpath("coco_panoptic.json").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = json.loads(text)
    return entries


@functools.cache
def _coco_signature() -> frozenset[tuple[int, bool]]:
    return frozenset((e["id"], bool(e["isthing"])) for e in _coco_entries())


@functools.cache
def coco_panoptic() -> Categories:
    """COCO's 133 panoptic categories (80 things, 53 stuff), from its published annotation files."""
    return Categories.from_json(_coco_entries(), "coco_panoptic")
