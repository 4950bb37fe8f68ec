"""From stuff logits to a label map at the photo's own size."""

import torch
from torch import Tensor

_BAND_ELEMENTS = 1 << 21
"""Interpolated logits held at a time: a few MB stay in the processor's cache."""


def stuff_map(logits: Tensor, image_size: tuple[int, int], output_size: tuple[int, int]) -> Tensor:
    """Best channel of each pixel of the photo.

    Equal to interpolating the logits to the padded input's size (bilinear, aligned corners), taking the best
    channel, cutting the padding off and resizing that map to the photo by nearest neighbour, as the original
    does; but only pixels that the last step reads are computed, a band of rows at a time.

    Args:
        logits: (S+1, H/4, W/4) of one image, H and W of the padded network input.
        image_size: (H, W) of the network input without padding.
        output_size: (H, W) of the photo.

    Returns:
        (H, W) uint8 channels, ``output_size``.
    """
    channels, low_height, low_width = logits.shape
    top, vertical = _sample_points(image_size[0], output_size[0], low_height, logits.device)
    left, horizontal = _sample_points(image_size[1], output_size[1], low_width, logits.device)
    right = (left + 1).clamp(max=low_width - 1)
    bottom = (top + 1).clamp(max=low_height - 1)
    # Channels last: every step then runs over one pixel's channels, next to each other in memory.
    pixels = logits.float().permute(1, 2, 0).contiguous()
    result = torch.empty(output_size, dtype=torch.uint8, device=logits.device)
    step = max(1, _BAND_ELEMENTS // (output_size[1] * channels))
    for start in range(0, output_size[0], step):
        rows = slice(start, start + step)
        weight = vertical[rows, None, None]
        band = torch.lerp(pixels[top[rows]], pixels[bottom[rows]], weight)
        fine = torch.lerp(band[:, left], band[:, right], horizontal[None, :, None])
        result[rows] = fine.argmax(dim=2).to(torch.uint8)
    return result


def _sample_points(
    image_side: int, output_side: int, low_side: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Where the pixels of one output side fall among the logits: index before, and weight of the next."""
    # nearest neighbour as OpenCV: floor(i * source / destination) in double precision
    nearest = (torch.arange(output_side, dtype=torch.float64) * (image_side / output_side)).floor()
    nearest = nearest.clamp(max=image_side - 1).float()
    padded = low_side * 4
    position = nearest * ((low_side - 1) / (padded - 1))
    before = position.floor()
    return before.long().to(device), (position - before).to(device)
