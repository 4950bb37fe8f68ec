"""One image's panoptic ground truth, put together from masks or from an id map."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialflow.data.converters.overlap import OverlapError, OverlapPolicy, flatten
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.errors import DataError
from spatialflow.masks.mask_runs import MaskRuns
from spatialflow.panoptic_annotation import SegmentInfo


class SegmentMask(NamedTuple):
    """One object or region, as a mask that may overlap others."""

    category_id: int
    mask: MaskRuns
    """Of one mask, of the image's size."""
    is_crowd: bool = False


class SegmentLabel(NamedTuple):
    """What an id of an id map stands for."""

    id: int
    category_id: int
    is_crowd: bool = False


@dataclass(frozen=True, slots=True)
class PanopticImage:
    """What is written of one image."""

    image: ImageInfo
    png_name: str
    """Relative to the folder of PNGs."""
    id_map: NDArray[np.int32]
    """(H, W) segment ids; 0 is void."""
    segments: tuple[SegmentInfo, ...]
    """Those that have pixels, with area and box counted from them."""
    overlapping: int = 0
    """Pixels that more than one mask claimed."""
    dropped: int = 0
    """Masks or labels left out because no pixel is theirs."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else the image's entry of ``images`` says."""


def from_masks(
    image: ImageInfo,
    masks: Sequence[SegmentMask],
    overlap: OverlapPolicy = "error",
    *,
    png_name: str | None = None,
    source: str = "",
    more: Mapping[str, Any] | None = None,
    names: Mapping[int, str] | None = None,
) -> PanopticImage:
    """Lay masks flat; pixels in none of them are void.

    The segments are in the order of the masks and have the ids 1, 2, ..., so that the same input always gives
    the same files.

    Args:
        image: the photo; every mask has its size.
        masks: none is fine.
        overlap: which mask gets a pixel that several claim; see :mod:`.overlap`.
        png_name: by default the photo's with ``.png``.
        source: the file to be named in errors.
        more: see :class:`PanopticImage`.
        names: of the categories, for errors.

    Raises:
        DataError: masks overlap and ``overlap`` is ``error``.
        ValueError: a mask has another size.
    """
    size = (image.height, image.width)
    try:
        flat = flatten(MaskRuns.stack([mask.mask for mask in masks], size), overlap)
    except OverlapError as error:
        one, other = error.first, error.second
        raise DataError(
            f"{source or 'masks'}: image {image.id!r} ({image.file_name}): {error.pixels} pixels are in more "
            f"than one segment, such as in number {one + 1} ({_name(masks[one].category_id, names)}) and "
            f"{other + 1} ({_name(masks[other].category_id, names)}) of the image; correct them, or choose "
            f"another overlap policy (--overlap): smaller-on-top or order"
        ) from None
    labels = [SegmentLabel(i, mask.category_id, mask.is_crowd) for i, mask in enumerate(masks, 1)]
    made = from_id_map(image, flat.index_map, labels, png_name=png_name, more=more)
    return _count_from_one(made, flat.overlapping)


def from_id_map(
    image: ImageInfo,
    id_map: NDArray[np.integer[Any]],
    labels: Iterable[SegmentLabel],
    *,
    png_name: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> PanopticImage:
    """Take the segments of an id map as they are, with their ids, in the order of ``labels``.

    Args:
        image: the photo.
        id_map: (H, W) of the image's size.
        labels: ids that are not among them become void; those without a pixel are left out.
        png_name: by default the photo's with ``.png``.
        more: see :class:`PanopticImage`.

    Raises:
        ValueError: the map has another size, or an id is given twice or is 0.
    """
    if id_map.shape != (image.height, image.width):
        raise ValueError(f"the id map is {id_map.shape}, image {image.id!r} {(image.height, image.width)}")
    labels = list(labels)
    known = {label.id for label in labels}
    if len(known) < len(labels) or 0 in known:
        raise ValueError(f"image {image.id!r}: segment ids must be unique and not 0 (void)")
    ids, runs = MaskRuns.of_id_map(id_map)
    painted = np.asarray(id_map, np.int32)
    if not known.issuperset(ids.tolist()):
        painted = runs.paint_values(np.where(np.isin(ids, list(known)), ids, 0).astype(np.int32))
    place = {segment_id: i for i, segment_id in enumerate(ids.tolist())}
    areas, boxes = runs.areas().tolist(), runs.bboxes().tolist()
    segments = tuple(
        SegmentInfo(label.id, label.category_id, label.is_crowd, areas[i], tuple(boxes[i]))
        for label in labels
        if (i := place.get(label.id)) is not None
    )
    name = png_name or PurePosixPath(image.file_name).with_suffix(".png").as_posix()
    dropped = len(labels) - len(segments)
    return PanopticImage(image, name, painted, segments, dropped=dropped, more=more or {})


def _count_from_one(made: PanopticImage, overlapping: int) -> PanopticImage:
    """The same with ids 1..N, where masks without a pixel have left gaps."""
    id_map, segments = made.id_map, made.segments
    if made.dropped:
        new_id = np.zeros(len(segments) + made.dropped + 1, np.int32)
        new_id[[segment.id for segment in segments]] = np.arange(1, len(segments) + 1)
        id_map = new_id[id_map]
        segments = tuple(
            SegmentInfo(i, segment.category_id, segment.is_crowd, segment.area, segment.bbox)
            for i, segment in enumerate(segments, 1)
        )
    return PanopticImage(made.image, made.png_name, id_map, segments, overlapping, made.dropped, made.more)


def _name(category_id: int, names: Mapping[int, str] | None) -> str:
    return repr(names[category_id]) if names and category_id in names else f"category {category_id}"
