"""Ground truth of an image, and batches for training."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor


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
