"""The resize inside the graph is OpenCV's, to the last bit."""

import numpy as np
import pytest
import torch

from spatialflow.data.transforms import resize_image, resized_size
from spatialflow.export.resize import resize_in_graph, resized_size_in_graph


def resized(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = torch.arange(size[0]), torch.arange(size[1])
    return resize_in_graph(torch.from_numpy(photo), torch.tensor(size), rows, columns).numpy()


def test_same_pixels_as_opencv() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 300, (40, 4)).tolist()
    # the same size, half of it, which OpenCV takes another way for, double, and one pixel
    sizes += [[50, 70, 50, 70], [100, 140, 50, 70], [50, 70, 100, 140], [1, 1, 30, 40], [30, 40, 1, 1]]
    for height, width, *size in sizes:
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = resize_image(photo, (size[0], size[1]))
        assert np.array_equal(resized(photo, (size[0], size[1])), expected), (height, width, size)


@pytest.mark.parametrize("scale", [(1333, 800), (160, 128), (100, 100)])
def test_same_size_as_outside(scale: tuple[int, int]) -> None:
    for size in np.random.default_rng(1).integers(1, 5000, (500, 2)).tolist():
        assert tuple(resized_size_in_graph(torch.tensor(size), scale).tolist()) == resized_size(
            (size[0], size[1]), scale
        )
