"""What the converters of annotation tools have in common: classes, overlaps, what is left out and told."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from spatialflow.data.converters.class_list import ClassList, load_classes
from spatialflow.data.converters.export_notes import ExportConversion, Tally
from spatialflow.data.converters.overlap import OverlapPolicy, check_policy
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.panoptic_output import Progress, write_panoptic
from spatialflow.data.converters.shape_layout import Shape, lay_flat
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.json_fields import FieldError, show

T = TypeVar("T")
CROWD = frozenset(("crowd", "iscrowd", "is_crowd"))
"""Names of a flag or an attribute of a shape which say that it is a crowd."""


@dataclass(frozen=True, slots=True)
class ExportRules:
    """How the shapes of an export become segments."""

    classes: ClassList
    overlap: OverlapPolicy
    ignore_unknown: bool
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def load(
        cls, classes: str | os.PathLike[str], overlap: OverlapPolicy, ignore_unknown: bool
    ) -> "ExportRules":
        """With the classes of a YAML file; see :mod:`.class_list`.

        Raises:
            DataError: the file cannot be read or is wrong.
            ConfigError: no such overlap policy.
        """
        return cls(load_classes(classes), check_policy(overlap), ignore_unknown)

    def category(self, label: Any, name: str = "label") -> int | None:
        """Category id of a shape's label; None if it is to be left out, which is counted.

        Raises:
            FieldError: at the field ``name``, it is no text, or not among the classes.
        """
        if not isinstance(label, str):
            raise FieldError(name, f"the name of a class is expected, got {show(label)}")
        category_id = self.classes.find(label)
        if category_id is None:
            if not self.ignore_unknown:
                raise FieldError(
                    name,
                    f"{label!r} is not among the classes of {self.classes.path}{self.classes.nearest(label)} "
                    f"Add it there, or leave such shapes out (--ignore-unknown)",
                )
            self.tally.add("unknown", label)
        return category_id

    def lay_flat(
        self,
        image: ImageInfo,
        shapes: Iterable[Shape],
        *,
        png_name: str,
        source: str,
        more: Mapping[str, Any] | None = None,
    ) -> PanopticImage:
        """An image of its shapes; those without a pixel are left out and counted.

        Raises:
            DataError: see :func:`.shape_layout.lay_flat`.
        """
        kept = []
        for shape in shapes:
            if len(shape.mask.starts):
                kept.append(shape)
            else:
                self.tally.add("empty")
        if not kept:
            self.tally.add("bare")
        return lay_flat(image, kept, self.classes, self.overlap, png_name=png_name, source=source, more=more)

    def write(
        self,
        out: str | os.PathLike[str],
        items: Sequence[T],
        convert: Callable[[T], PanopticImage],
        *,
        source: str | os.PathLike[str],
        inputs: Iterable[str | os.PathLike[str]] = (),
        head: Mapping[str, Any] | None = None,
        overwrite: bool,
        workers: int | None,
        progress: Progress | None,
    ) -> ExportConversion:
        """Convert each item and write them; see :func:`.panoptic_output.write_panoptic`."""
        result = write_panoptic(
            out,
            items,
            convert,
            self.classes.entries,
            source=source,
            head=head,
            inputs=[self.classes.path, *inputs],
            overwrite=overwrite,
            workers=workers,
            progress=progress,
        )
        return ExportConversion.of(result, self.tally)
