"""From stuff logits to a label map at the photo's own size."""

import torch
from torch import Tensor

_CHUNK_ELEMENTS = 1 << 20
"""Interpolated logits held at a time: a few MB stay in the processor's cache."""
_STRIP_PIXELS = 1 << 22
"""Of the photo, that are worked on at a time: what is indexed takes 16 bytes a pixel."""


def stuff_map(logits: Tensor, image_size: tuple[int, int], output_size: tuple[int, int]) -> Tensor:
    """Best channel of each pixel of the photo.

    Equal to interpolating the logits to the padded input's size (bilinear, aligned corners), taking the best
    channel, cutting the padding off and resizing that map to the photo by nearest neighbour, as the original.
    Less is computed: only pixels that the last step reads, and of these only such whose four neighbours among
    the logits disagree on the best channel; where they agree, so does every mean of them.

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
    # Channels last: a pixel's channels lie next to each other in memory.
    pixels = logits.float().permute(1, 2, 0).contiguous()
    best = pixels.argmax(dim=2).to(torch.uint8)
    agree = torch.zeros_like(best, dtype=torch.bool)
    first = best[:-1, :-1]
    agree[:-1, :-1] = (first == best[1:, :-1]) & (first == best[:-1, 1:]) & (first == best[1:, 1:])
    pixels = pixels.flatten(0, 1)
    last_row, last_column = low_height - 1, low_width - 1
    chunk = max(1, _CHUNK_ELEMENTS // channels)
    result = torch.empty(output_size, dtype=torch.uint8, device=logits.device)
    step = max(1, _STRIP_PIXELS // output_size[1])
    for start in range(0, output_size[0], step):
        strip, strip_top = result[start : start + step], top[start : start + step]
        strip_vertical = vertical[start : start + step]
        strip.copy_(best[strip_top][:, left])
        rows, columns = (~agree[strip_top][:, left]).nonzero(as_tuple=True)
        for row, column in zip(rows.split(chunk), columns.split(chunk), strict=True):
            y, x = strip_top[row], left[column]
            next_y, next_x = (y + 1).clamp(max=last_row), (x + 1).clamp(max=last_column)
            weight = strip_vertical[row, None]
            before = torch.lerp(pixels[y * low_width + x], pixels[next_y * low_width + x], weight)
            after = torch.lerp(pixels[y * low_width + next_x], pixels[next_y * low_width + next_x], weight)
            fine = torch.lerp(before, after, horizontal[column, None])
            strip[row, column] = fine.argmax(dim=1).to(torch.uint8)
    return result


def _sample_points(
    image_side: int, output_side: int, low_side: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Where the pixels of one output side fall among the logits: index before, and weight of the next."""
    # nearest neighbour as OpenCV, whose step in double precision is the inverse of the scale, not a quotient
    step = 1 / (output_side / image_side)
    nearest = (torch.arange(output_side, dtype=torch.float64) * step).floor()
    nearest = nearest.clamp(max=image_side - 1).float()
    padded = low_side * 4
    position = nearest * ((low_side - 1) / (padded - 1))
    before = position.floor()
    return before.long().to(device), (position - before).to(device)
