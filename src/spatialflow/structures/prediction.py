"""One image's panoptic result, and what can be made of it: pictures, files, other libraries' objects."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import torch
from torch import Tensor

from spatialflow.categories import Categories
from spatialflow.errors import DataError
from spatialflow.image_io import write_id_png
from spatialflow.masks.id_map import replace_ids
from spatialflow.structures import cityscapes, coco, foreign
from spatialflow.structures.cut_out import cut_out
from spatialflow.structures.foreign import LabelKind, class_number
from spatialflow.structures.segment import Segment
from spatialflow.structures.segment_map import SegmentMap
from spatialflow.visualize import PlotOptions, draw_overlay

if TYPE_CHECKING:
    import supervision
    from PIL.Image import Image

    from spatialflow.photo import Photo


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PanopticPrediction(SegmentMap):
    """One image's result: every pixel is in one segment, or void (0).

    Iterating gives the segments, ``len`` their number. Two results are equal if their maps have the same
    values, on whatever device, and their segments are equal and in the same order.
    """

    @classmethod
    def from_coco(
        cls, annotation: Mapping[str, Any], png: str | os.PathLike[str], categories: Categories
    ) -> Self:
        """Read what :meth:`to_coco` and :meth:`save` wrote, or any COCO-panoptic annotation, truth included.

        Areas and boxes are counted from the pixels. A segment without ``score``, as in ground truth, has 1.

        Args:
            annotation: an entry of ``annotations`` of the JSON file.
            png: the PNG, or the folder or ``.zip`` that holds it by its ``file_name``.
            categories: those of the file, ``Categories.load(json_path)``.

        Raises:
            DataError: a field is missing or wrong, a category is unknown, or the PNG cannot be read or has
                other segments.
        """
        ids, segments = coco.read_coco(annotation, png, categories)
        return cls(torch.from_numpy(ids), segments)

    def crop(
        self, segment: Segment | int, image: "Photo", *, padding: int = 0, transparent: bool = True
    ) -> "Image":
        """The part of the photo that shows one segment.

        Args:
            segment: itself or its id.
            image: the photo, at the size of the prediction; a path, array, tensor or PIL image.
            padding: pixels around the segment's box, as far as the photo goes.
            transparent: make all but the segment's pixels transparent (RGBA); if not, it is the plain box
                (RGB).

        Raises:
            DataError: there is no such segment, or the photo has another size or is none.
        """
        own = self.segment(segment)
        return cut_out(image, self.segment_ids.numpy(force=True), own, padding, transparent)

    def plot(self, image: "Photo", **options: Unpack[PlotOptions]) -> "Image":
        """Named segments drawn over ``image``, a path, (H, W, 3) array, (3, H, W) tensor or PIL image.

        Args:
            image: the photo, at the size of the prediction.
            options: see :func:`spatialflow.visualize.draw_overlay`.
        """
        return draw_overlay(image, self.segment_ids.numpy(force=True), self.segments, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the panoptic PNG (id = R + 256 G + 65536 B), atomically.

        Raises:
            OutputError: the folder cannot be written to, or the disk is full.
        """
        write_id_png(path, self.segment_ids.numpy(force=True))

    def to_coco(self, image_id: int | str, file_name: str) -> dict[str, Any]:
        """Entry of ``annotations`` in a COCO-panoptic result; ``file_name`` is that of the PNG.

        Beyond what COCO asks for, each segment carries its ``score``, so that :meth:`from_coco` gives the
        very same result.
        """
        return coco.panoptic_entry(self.segments, image_id, file_name)

    def to_instances(self, image_id: int | str) -> list[dict[str, Any]]:
        """Entries of a COCO detection result (bbox x, y, w, h, score, mask as run lengths), one a thing.

        ``pycocotools`` evaluates a list of them. Stuff and crowds are left out.
        """
        return coco.instance_entries(self.segment_ids.numpy(force=True), self.segments, image_id)

    def to_semantic(self, classes: LabelKind = "label", void: int = 255) -> Tensor:
        """Class of each pixel, (H, W) int32.

        Args:
            classes: ``label`` for contiguous labels, things first; ``category_id`` for the data set's own.
            void: value of pixels in no segment.

        Raises:
            DataError: a segment's class has the value that stands for void.
        """
        values = [class_number(segment, classes) for segment in self.segments]
        if void in values:
            taken = self.segments[values.index(void)].category.name
            raise DataError(
                f"void: {void} is the {classes} of {taken!r}; choose a value of no class, such as -1"
            )
        return replace_ids(self.segment_ids, [segment.id for segment in self.segments], values, void)

    def to_cityscapes(self, folder: str | os.PathLike[str], image_name: str) -> dict[str, Any]:
        """Write one photo's results in the Cityscapes benchmark's formats.

        Written are, for the panoptic benchmark, ``cityscapes_panoptic/NAME_panoptic.png``, and for that of
        instances ``instances/NAME.txt`` with ``instances/masks/NAME_*.png``. Classes are told by their names.

        Args:
            folder: of the results, made if need be.
            image_name: CITY_SEQUENCE_FRAME of the photo, or its file name.

        Returns:
            The photo's entry of ``annotations``. The evaluation wants those of all photos in one JSON file,
            ``{"annotations": [...]}``, called ``cityscapes_panoptic.json``, beside the folder of PNGs.

        Raises:
            DataError: a class is none of Cityscapes', or ``image_name`` no name of a photo of it.
            OutputError: a file cannot be written.
        """
        name = cityscapes.photo_name(image_name)
        renamed = self.with_ids(cityscapes.benchmark_ids(self.segments))
        png = f"{name}_panoptic.png"
        entry = cityscapes.panoptic_entry(renamed.to_coco(name, png), self.segments)
        renamed.save(Path(folder) / cityscapes.PANOPTIC / png)
        ids = self.segment_ids.numpy(force=True)
        cityscapes.write_instances(Path(folder) / cityscapes.INSTANCES, name, ids, self.segments)
        return entry

    def to_supervision(
        self, *, things_only: bool = False, classes: LabelKind = "label"
    ) -> "supervision.Detections":
        """``supervision.Detections``: boxes, masks, scores, class numbers, and ``class_name`` in ``data``.

        Args:
            things_only: leave stuff out.
            classes: what ``class_id`` is, see :meth:`to_semantic`.

        Raises:
            SpatialFlowError: supervision is not installed.
        """
        chosen = [segment for segment in self.segments if segment.is_thing or not things_only]
        return foreign.supervision_detections(self.masks(chosen), chosen, classes)

    def to_huggingface(self, classes: LabelKind = "label") -> dict[str, Any]:
        """The dictionary of transformers' ``post_process_panoptic_segmentation``, of one image.

        ``segmentation`` is (H, W) int32 with 0 for void, as theirs has it, and shares memory with this
        result; ``segments_info`` has ``id``, ``label_id``, ``was_fused`` (true of stuff) and ``score``.
        Where they found nothing, theirs is -1 everywhere and ours 0.

        Args:
            classes: what ``label_id`` is, see :meth:`to_semantic`.
        """
        return foreign.huggingface_dictionary(self.segment_ids, self.segments, classes)
