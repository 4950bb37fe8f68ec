"""What flows between the parts: targets, batches, network outputs, detections, panoptic predictions."""

import copy
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from spatialflow.categories import Category
from spatialflow.image_io import write_id_png
from spatialflow.visualize import draw_overlay

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


class DenseOutputs(NamedTuple):
    """Everything the network computes before boxes are known; L levels, the first K of them segmented."""

    cls_logits: tuple[Tensor, ...]
    """L x (B, A*T, H_l, W_l), channel = anchor * T + thing label."""
    box_deltas: tuple[Tensor, ...]
    """L x (B, A*4, H_l, W_l), channel = anchor * 4 + (dx, dy, dw, dh)."""
    stuff_logits: Tensor
    """(B, S+1, H/4, W/4), before the last upsampling."""
    mask_features: tuple[Tensor, ...]
    """K x (B, C, H_l, W_l)."""


class Detections(NamedTuple):
    """Things found in one image, by descending score."""

    boxes: Tensor
    """(N, 4) float32 xyxy, pixels of whichever image the caller said."""
    scores: Tensor
    """(N,) float32, 0..1."""
    labels: Tensor
    """(N,) int64, 0..T-1."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Ground truth of one (transformed) image: an id map and one row per segment, crowds included.

    A segment whose pixels vanished in the transforms may still have a row; rows never lack an id.
    """

    id_map: Tensor
    """(H, W) int32 segment id of each pixel, 0 = void; H and W of the image before padding or, in
    evaluation, of the photo itself."""
    ids: Tensor
    """(N,) int64 segment ids, unique, none 0."""
    labels: Tensor
    """(N,) int64 contiguous labels, things first."""
    is_crowd: Tensor
    """(N,) bool."""
    boxes: Tensor
    """(N, 4) float32 xyxy in the transformed image's pixels, clipped to it."""
    image_id: int | str
    file_name: str
    original_size: tuple[int, int]
    """(H, W) of the photo as stored, after EXIF rotation."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Target":
        """Copy with every tensor on ``device``."""
        return _to(self, device, non_blocking)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images of different sizes, padded at the bottom and right to one size, and their targets."""

    images: Tensor
    """(B, 3, H, W) float32 normalised, zero in the padding; H and W multiples of 32."""
    image_sizes: tuple[tuple[int, int], ...]
    """B x (H, W) of each image without padding."""
    targets: tuple[Target, ...]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Copy on ``device``."""
        return Batch(
            self.images.to(device, non_blocking=non_blocking),
            self.image_sizes,
            tuple(t.to(device, non_blocking) for t in self.targets),
        )

    def pin_memory(self) -> "Batch":
        """Copy in page-locked memory; the DataLoader calls it."""
        return Batch(self.images.pin_memory(), self.image_sizes, self.targets)

    def __len__(self) -> int:
        return len(self.image_sizes)


def _to(target: Target, device: torch.device | str, non_blocking: bool) -> Target:
    moved = copy.copy(target)
    for name in ("id_map", "ids", "labels", "is_crowd", "boxes"):
        object.__setattr__(moved, name, getattr(target, name).to(device, non_blocking=non_blocking))
    return moved


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a prediction."""

    id: int
    """Value of its pixels in ``segment_ids``, from 1."""
    label: int
    """Contiguous label, things first."""
    category: Category
    is_thing: bool
    score: float
    """Detection score of a thing; of stuff, the mean softmax probability where its class is best; 0..1."""
    area: int
    """Pixels."""
    box: tuple[int, int, int, int]
    """x1, y1, x2, y2 of its pixels; x2 and y2 exclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class PanopticPrediction:
    """One image's result: every pixel is in one segment, or void (0)."""

    segment_ids: Tensor
    """(H, W) int32."""
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        """Check that the map and the list name the same segments."""
        painted = set(_ids_in(self.segment_ids)) - {0}
        listed = [segment.id for segment in self.segments]
        if len(set(listed)) != len(listed) or painted != set(listed):
            raise ValueError(f"segment_ids has segments {sorted(painted)}, segments lists {sorted(listed)}")

    def mask(self, segment: Segment) -> Tensor:
        """Pixels of one segment, (H, W) bool."""
        return self.segment_ids == segment.id

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the panoptic PNG (id = R + 256 G + 65536 B), atomically.

        Raises:
            OutputError: the folder cannot be written to, or the disk is full.
        """
        write_id_png(path, self.segment_ids.cpu().numpy())

    def to_coco(self, image_id: int | str, file_name: str) -> dict[str, Any]:
        """Entry of ``annotations`` in a COCO-panoptic result; ``file_name`` is that of the PNG.

        Beyond what COCO asks for, each segment carries its ``score``.
        """
        return {
            "image_id": image_id,
            "file_name": file_name,
            "segments_info": [_segment_to_coco(segment) for segment in self.segments],
        }

    def plot(self, image: "Tensor | NDArray[np.uint8] | Image") -> "Image":
        """Named segments drawn over ``image``: (3, H, W) tensor or (H, W, 3) array of uint8, or PIL."""
        return draw_overlay(image, self.segment_ids.cpu().numpy(), self.segments)


def _ids_in(id_map: Tensor) -> list[int]:
    """Distinct values; counted where they are small, as nearly always: sorting takes ten times as long."""
    if id_map.numel() == 0:
        return []
    lowest, highest = (int(bound) for bound in id_map.aminmax())
    if lowest >= 0 and highest < 1 << 16:
        return id_map.flatten().bincount().nonzero().flatten().tolist()
    return id_map.unique().tolist()


def _segment_to_coco(segment: Segment) -> dict[str, Any]:
    x1, y1, x2, y2 = segment.box
    return {
        "id": segment.id,
        "category_id": segment.category.id,
        "isthing": int(segment.is_thing),
        "iscrowd": 0,
        "area": segment.area,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "score": round(segment.score, 5),
    }
