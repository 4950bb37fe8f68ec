"""What an image and its truth go through before the network: resize, flip, normalise, pad.

Pure functions on numpy arrays. They use OpenCV rather than ``torchvision.transforms.v2`` and its tv_tensors,
because the bilinear resize of 8-bit pixels must equal the original's (mmcv 1.0.5 on OpenCV) bit for bit:
another rounding moves every number that follows. Masks need no transform of their own: nearest resize of the
id map is the nearest resize of every mask in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Scale = tuple[int, int]
"""Two sides in pixels; the longer one bounds the image's longer side, whichever comes first."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image between the file and the batch."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    id_map: NDArray[np.int32] | None
    """(H, W) segment ids, 0 = void; none if there is no ground truth."""
    boxes: NDArray[np.float32]
    """(N, 4) xyxy, pixels of ``image``; (0, 4) if there is no ground truth."""


def resized_size(size: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """Size (H, W) of an image of ``size`` (H, W) made as large as fits ``scale`` at its own aspect ratio.

    Rounded as in mmcv 1.0.5 (``rescale_size``); a side never vanishes.
    """
    factor = min(max(scale) / max(size), min(scale) / min(size))
    height, width = (max(1, int(side * factor + 0.5)) for side in size)
    return height, width


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bilinear resize of 8-bit pixels, (H, W, 3) to (h, w, 3) for ``size`` (h, w)."""
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def resize_id_map(id_map: NDArray[np.int32], size: tuple[int, int]) -> NDArray[np.int32]:
    """Nearest resize by OpenCV's rule, (H, W) int32 to (h, w) for ``size`` (h, w)."""
    # Four 8-bit channels are a pixel format that every version of OpenCV resizes, 32-bit integers are not.
    pixels = np.ascontiguousarray(id_map, np.int32).view(np.uint8).reshape(*id_map.shape, 4)
    resized = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST)
    ids: NDArray[np.int32] = resized.view(np.int32)[..., 0]
    return ids


def resize(sample: Sample, scale: Scale) -> Sample:
    """Resize to :func:`resized_size`; boxes are scaled by the two true factors in float32 and clipped.

    The factors new width / width and new height / height differ slightly, since both sides are rounded.
    """
    old_height, old_width = sample.image.shape[:2]
    height, width = resized_size((old_height, old_width), scale)
    factors = np.array([width / old_width, height / old_height] * 2, np.float32)
    boxes = sample.boxes * factors
    return replace(
        sample,
        image=resize_image(sample.image, (height, width)),
        id_map=None if sample.id_map is None else resize_id_map(sample.id_map, (height, width)),
        boxes=boxes.clip(0, np.array([width, height] * 2, np.float32)),
    )


def horizontal_flip(sample: Sample) -> Sample:
    """Mirror left and right."""
    width = sample.image.shape[1]
    x1, y1, x2, y2 = sample.boxes.T
    return Sample(
        image=np.asarray(cv2.flip(sample.image, 1), np.uint8),
        id_map=None if sample.id_map is None else np.asarray(cv2.flip(sample.id_map, 1), np.int32),
        boxes=np.stack([width - x2, y1, width - x1, y2], axis=1),
    )


def draw_scale(scales: Sequence[Scale], rng: np.random.Generator) -> Scale:
    """One scale as it is, or from two each side drawn uniformly in between, both ends included.

    The longer sides and the shorter sides are drawn independently, as the original's "range" mode does.
    """
    if len(scales) == 1:
        return scales[0]
    long = [max(scale) for scale in scales]
    short = [min(scale) for scale in scales]
    return int(rng.integers(min(long), max(long) + 1)), int(rng.integers(min(short), max(short) + 1))


def augment(sample: Sample, scales: Sequence[Scale], flip: float, rng: np.random.Generator) -> Sample:
    """Resize to a drawn scale, then mirror with probability ``flip``."""
    sample = resize(sample, draw_scale(scales, rng))
    return horizontal_flip(sample) if rng.random() < flip else sample


def padded_size(sizes: Sequence[tuple[int, int]], divisor: int = 32) -> tuple[int, int]:
    """Smallest (H, W) of multiples of ``divisor`` that holds images of all ``sizes`` (H, W)."""
    height, width = (-(-max(sides) // divisor) * divisor for sides in zip(*sizes, strict=True))
    return height, width


def normalise_and_pad(
    images: Sequence[NDArray[np.uint8]],
    mean: Sequence[float],
    std: Sequence[float],
    divisor: int = 32,
) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
    """Batch of images of different sizes, normalised and padded at the bottom and right.

    Args:
        images: B x (H, W, 3) uint8 RGB.
        mean: of each channel, 0..255.
        std: of each channel, 0..255.
        divisor: of the batch's height and width.

    Returns:
        (B, 3, H, W) float32 of ``(pixel - mean) / std``, 0 in the padding, and the B sizes (H, W) without it.
    """
    sizes = tuple((int(image.shape[0]), int(image.shape[1])) for image in images)
    batch = np.empty((len(images), 3, *padded_size(sizes, divisor)), np.float32)
    # A channel has only 256 values, so looking the result up is exact, and faster than computing it.
    values = np.arange(256, dtype=np.float32)[:, None]
    table = (values - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    for padded, image, (height, width) in zip(batch, images, sizes, strict=True):
        padded[:, height:] = 0
        padded[:, :height, width:] = 0
        for channel, plane in enumerate(cv2.split(image)):
            # straight into its place: memory touched once is half the time
            cv2.LUT(plane, np.ascontiguousarray(table[:, channel]), padded[channel, :height, :width])
    return torch.from_numpy(batch), sizes
