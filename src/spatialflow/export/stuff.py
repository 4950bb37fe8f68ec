"""The stuff map at the photo's own size, which is an input of the graph."""

import torch
from torch import Tensor


def stuff_map_in_graph(logits: Tensor, image_size: Tensor, photo_size: Tensor) -> Tensor:
    """What :func:`spatialflow.postprocess.stuff.stuff_map` gives, computed at every pixel.

    Args:
        logits: (S+1, h, w) of one image.
        image_size: (2,) int64 height and width of the network input without padding.
        photo_size: (2,) int64 of the photo.

    Returns:
        (H, W) int64 channels, of ``photo_size``.
    """
    height, width = photo_size.tolist()
    torch._check(height >= 1)
    torch._check(width >= 1)
    _, low_height, low_width = logits.shape
    top, vertical = _sample_points(image_size[0], photo_size[0], height, low_height)
    left, horizontal = _sample_points(image_size[1], photo_size[1], width, low_width)
    # Channels last: a pixel's channels lie next to each other in memory.
    pixels = logits.permute(1, 2, 0)
    below, beside = (top + 1).clamp(max=low_height - 1), (left + 1).clamp(max=low_width - 1)
    tall = torch.lerp(pixels[top], pixels[below], vertical[:, None, None])
    fine = torch.lerp(tall[:, left], tall[:, beside], horizontal[None, :, None])
    return fine.argmax(dim=2)


def _sample_points(image_side: Tensor, photo_side: Tensor, length: int, low: int) -> tuple[Tensor, Tensor]:
    """See the function of this name in :mod:`spatialflow.postprocess.stuff`."""
    step = 1 / (photo_side.double() / image_side.double())
    nearest = (torch.arange(length).double() * step).floor()
    nearest = torch.minimum(nearest, (image_side - 1).double()).float()
    sides = torch.full((), low, dtype=torch.float64)
    position = nearest * ((sides - 1) / (sides * 4 - 1)).float()
    before = position.floor()
    return before.long(), position - before
