"""The quick stuff map equals the naive one."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spatialflow.postprocess import stuff
from spatialflow.postprocess.stuff import stuff_map


def naive(logits: Tensor, image_size: tuple[int, int], output_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """All pixels, then crop, then OpenCV's nearest; and how sure each choice is."""
    fine = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=True)[0]
    fine = fine[:, : image_size[0], : image_size[1]]
    best = fine.argmax(dim=0).to(torch.uint8).numpy()
    two = fine.topk(min(2, len(fine)), dim=0).values
    margin = (two[0] - two[-1]).numpy() if len(fine) > 1 else np.ones(best.shape, np.float32)
    resized = [cv2.resize(a, output_size[::-1], interpolation=cv2.INTER_NEAREST) for a in (best, margin)]
    return torch.from_numpy(resized[0]), torch.from_numpy(resized[1])


CASES = [
    ((64, 96), (64, 96), (64, 96)),
    ((64, 96), (61, 83), (122, 166)),
    ((64, 96), (61, 83), (127, 171)),
    ((64, 96), (50, 96), (33, 64)),  # smaller than the network input
    ((32, 32), (1, 32), (1, 32)),
    ((32, 64), (32, 33), (1, 200)),
    ((96, 64), (90, 64), (400, 3)),
]


@pytest.mark.parametrize("chunk", [1 << 20, 700])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("channels", [1, 2, 54])
@pytest.mark.parametrize("smooth", [False, True])
def test_equals_the_naive_way(
    case: tuple[tuple[int, int], ...],
    channels: int,
    smooth: bool,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stuff, "_CHUNK_ELEMENTS", chunk)
    padded, image_size, output_size = case
    generator = torch.Generator().manual_seed(channels)
    logits = torch.randn(channels, padded[0] // 4, padded[1] // 4, generator=generator)
    if smooth:  # regions of several pixels, as of a trained network
        logits = F.interpolate(logits[None, :, ::4, ::4], logits.shape[1:], mode="bicubic")[0]
    got = stuff_map(logits, image_size, output_size)
    expected, margin = naive(logits, image_size, output_size)
    assert got.dtype == torch.uint8
    assert got.shape == output_size
    sure = margin > 1e-4  # rounding may tip the scales elsewhere
    assert sure.float().mean() > 0.98
    assert torch.equal(got[sure], expected[sure])


def test_by_hand() -> None:
    # Channel 1 wins where a ramp over the aligned corners is positive: the right half.
    ramp = torch.tensor([[-3.0, -1.0, 1.0, 3.0]]).repeat(4, 1)
    got = stuff_map(torch.stack([torch.zeros(4, 4), ramp]), (16, 16), (16, 16))
    assert got.tolist() == [[0] * 8 + [1] * 8] * 16
    # without the rightmost 8 columns only the left half is left
    assert not stuff_map(torch.stack([torch.zeros(4, 4), ramp]), (16, 8), (5, 5)).any()


def test_nearest_neighbour_rounds_as_opencv() -> None:
    """Sides at which i * (source / destination) and i / (destination / source) fall on other pixels."""
    for image_side, output_side in ((141, 256), (90, 400), (799, 480), (12, 148), (777, 640)):
        low_side = -(-image_side // 32) * 8
        logits = torch.randn(54, low_side, 8, generator=torch.Generator().manual_seed(image_side))
        got = stuff_map(logits, (image_side, 32), (output_side, 32))
        expected, margin = naive(logits, (image_side, 32), (output_side, 32))
        assert torch.equal(got[margin > 1e-3], expected[margin > 1e-3])


def test_half_precision_logits() -> None:
    logits = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert torch.equal(stuff_map(logits, (32, 32), (32, 32)), stuff_map(logits.float(), (32, 32), (32, 32)))
