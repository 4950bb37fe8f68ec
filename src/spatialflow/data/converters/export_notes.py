"""What a conversion of an annotation tool's export says besides the numbers: what it left out, and why."""

import dataclasses
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Self

from spatialflow.data.converters.panoptic_output import Conversion

_TEXTS = {
    "unknown": "shapes have labels that are not among the classes and are left out",
    "kind": "shapes have no area by their kind and are left out",
    "empty": "shapes have no pixel (no area, or outside the image) and are left out",
    "outside": "shapes are marked as outside and are left out",
    "bare": "images have no shape and are void",
    "other": "files are no annotations and are left out",
    "unannotated": "tasks have no annotation (or only cancelled ones) and are left out",
    "several": "tasks have several annotations, of which the latest is taken",
    "absent": "photos were not found, so their size is as the export states it",
    "embedded": "photos are only inside their JSON files; training needs them as files",
}
"""In the order in which they are told."""
_SHOWN = 8
"""Details that a note lists."""


@dataclass(slots=True)
class ExportConversion(Conversion):
    """What a conversion of an export has written."""

    notes: tuple[str, ...] = ()
    """What was left out, and what to know of the rest."""

    @classmethod
    def of(cls, result: Conversion, tally: "Tally") -> Self:
        """The same with the notes of ``tally``."""
        fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        return cls(**fields, notes=tally.notes())

    def __str__(self) -> str:
        return "; ".join([Conversion.__str__(self), *self.notes])  # slots have no super()


class Tally:
    """Counts of what is left out, from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {key: Counter() for key in _TEXTS}

    def add(self, key: str, detail: str = "") -> None:
        """One more.

        Args:
            key: of the texts above.
            detail: what of, such as the label; counted each for itself.
        """
        with self._lock:
            self._counts[key][detail] += 1

    def notes(self) -> tuple[str, ...]:
        """A clause for each kind of thing that came up."""
        notes = []
        for key, text in _TEXTS.items():
            counts = self._counts[key]
            named = [f"{detail} {count}" for detail, count in sorted(counts.items()) if detail]
            details = ", ".join(named[:_SHOWN]) + (", ..." if len(named) > _SHOWN else "")
            if counts:
                notes.append(f"{counts.total()} {text}" + (f" ({details})" if details else ""))
        return tuple(notes)
