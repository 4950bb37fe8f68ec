"""Transforms against OpenCV, the original's numbers, and values worked out by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from spatialflow.data import transforms
from spatialflow.data.transforms import (
    Sample,
    augment,
    draw_scale,
    horizontal_flip,
    normalise_and_pad,
    resize,
    resize_id_map,
    resized_size,
)
from spatialflow.image_io import read_photo

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
NO_BOXES = np.zeros((0, 4), np.float32)


def sample(height: int = 6, width: int = 8, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    return Sample(
        rng.integers(0, 256, (height, width, 3), np.uint8),
        rng.integers(0, 1 << 24, (height, width), np.int32),
        np.array([[1, 2, 5, 4], [0, 0, width, height]], np.float32),
    )


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((427, 640), (1333, 800), (800, 1199)),
        ((427, 640), (800, 1333), (800, 1199)),  # order of the scale is irrelevant
        ((427, 640), (512, 320), (320, 480)),
        ((640, 427), (512, 320), (480, 320)),
        ((360, 640), (512, 320), (288, 512)),
        ((6, 8), (8, 6), (6, 8)),
        ((1, 5000), (1333, 800), (1, 1333)),  # 0.27 rounds to nothing
    ],
)
def test_resized_size(size: tuple[int, int], scale: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resized_size(size, scale) == expected


def test_resized_size_equals_the_original(reference: Path) -> None:
    units = np.load(reference / "public" / "units.npz")
    for (width, height), row in zip(units["resize/in_wh"], units["resize/out_wh"], strict=True):
        for scale, (new_width, new_height) in zip(units["resize/scales"], row, strict=True):
            size = resized_size((int(height), int(width)), (int(scale[0]), int(scale[1])))
            assert size == (new_height, new_width)


@pytest.mark.parametrize("new", [(320, 480), (800, 1199), (37, 53), (427, 640), (1, 1), (854, 1281)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_resize_of_an_id_map_is_opencv_nearest(new: tuple[int, int], kind: type) -> None:
    plain = np.random.default_rng(3).integers(0, np.iinfo(kind).max, (427, 640)).astype(kind)
    expected = cv2.resize(plain, new[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(resize_id_map(plain.astype(np.int32), new), expected)


def test_resize_of_an_id_map_takes_the_pixel_at_the_floor() -> None:
    columns = np.arange(7, dtype=np.int32)[None] + 1_000_000
    for width in (1, 3, 5, 7, 11, 20):
        # rational arithmetic: pixel x of the result comes from floor(7 x / width)
        expected = [1_000_000 + 7 * x // width for x in range(width)]
        assert resize_id_map(columns, (1, width)).tolist() == [expected]


def test_resize_scales_boxes_by_each_side() -> None:
    resized = resize(sample(427, 640), (512, 320))
    assert resized.image.shape == (320, 480, 3)
    assert resized.id_map is not None
    assert resized.id_map.shape == (320, 480)
    factors = np.float32([480 / 640, 320 / 427])
    expected = [[factors[0], 2 * factors[1], 5 * factors[0], 4 * factors[1]], [0, 0, 480, 320]]
    assert resized.boxes.dtype == np.float32
    assert np.array_equal(resized.boxes, np.float32(expected))


def test_resize_clips_boxes() -> None:
    outside = Sample(np.zeros((4, 4, 3), np.uint8), None, np.float32([[-1, -2, 9, 3]]))
    assert resize(outside, (8, 8)).boxes.tolist() == [[0, 0, 8, 6]]


def test_flip_by_hand_and_twice() -> None:
    before = sample(6, 8)
    flipped = horizontal_flip(before)
    assert before.id_map is not None
    assert flipped.id_map is not None
    assert flipped.boxes.tolist() == [[3, 2, 7, 4], [0, 0, 8, 6]]
    assert flipped.id_map[2, 1] == before.id_map[2, 6]
    assert (flipped.image[0, 0] == before.image[0, 7]).all()
    twice = horizontal_flip(flipped)
    assert np.array_equal(twice.image, before.image)
    assert np.array_equal(twice.id_map, before.id_map)
    assert np.array_equal(twice.boxes, before.boxes)


def test_no_truth_and_no_boxes() -> None:
    bare = horizontal_flip(resize(Sample(np.zeros((10, 20, 3), np.uint8), None, NO_BOXES), (40, 40)))
    assert bare.image.shape == (20, 40, 3)
    assert bare.id_map is None
    assert bare.boxes.shape == (0, 4)


def test_the_range_of_the_original() -> None:
    """Long side 1600, short side 400 to 1400 alike: 1001 values, of which the mean is 900."""
    rng = np.random.default_rng(0)
    drawn = np.array([draw_scale([(1600, 400), (1600, 1400)], rng) for _ in range(20_000)])
    assert set(drawn[:, 0]) == {1600}
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (400, 1400)
    assert abs(drawn[:, 1].mean() - 900) < 4 * 289 / 20_000**0.5  # standard deviations of the mean
    quarters, _ = np.histogram(drawn[:, 1], bins=[400, 650, 900, 1150, 1401])
    assert quarters.min() > 4700


def test_draw_scale() -> None:
    rng = np.random.default_rng(0)
    assert draw_scale([(1333, 800)], rng) == (1333, 800)
    drawn = {draw_scale([(13, 8), (5, 10)], rng) for _ in range(2000)}
    # long sides 10..13 and short sides 5..8, both ends included, each pair possible
    assert drawn == {(long, short) for long in range(10, 14) for short in range(5, 9)}


def test_augment_flips_as_often_as_asked() -> None:
    rng = np.random.default_rng(0)
    before = sample(6, 8)  # as large as fits the scale, so that nothing else changes it

    def flips(chance: float) -> bool:
        after = augment(before, [(8, 8)], chance, rng)
        flipped = np.array_equal(after.image, before.image[:, ::-1])
        assert flipped or np.array_equal(after.image, before.image)
        return flipped

    assert not any(flips(0.0) for _ in range(20))
    assert all(flips(1.0) for _ in range(20))
    share = np.mean([flips(0.25) for _ in range(2000)])
    assert 0.21 < share < 0.29  # four standard deviations


def test_normalise_and_pad_equals_plain_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    # memory that was used before, as it is in a long run
    monkeypatch.setattr(transforms.np, "empty", lambda shape, dtype: np.full(shape, 7, dtype))
    images = [sample(40, 30).image, sample(33, 70, seed=1).image]
    batch, sizes = normalise_and_pad(images, MEAN, STD)
    assert sizes == ((40, 30), (33, 70))
    assert batch.shape == (2, 3, 64, 96)
    for padded, image in zip(batch.numpy(), images, strict=True):
        height, width = image.shape[:2]
        expected = (image.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
        assert np.array_equal(padded[:, :height, :width], expected.transpose(2, 0, 1))
        assert not padded[:, height:].any()
        assert not padded[:, :, width:].any()


def test_a_whole_multiple_needs_no_padding() -> None:
    batch, _ = normalise_and_pad([np.zeros((64, 32, 3), np.uint8)], MEAN, STD)
    assert batch.shape == (1, 3, 64, 32)
    assert normalise_and_pad([np.zeros((65, 1, 3), np.uint8)], MEAN, STD, divisor=64)[0].shape[2:] == (
        128,
        64,
    )


@pytest.mark.parametrize("name", ["000000142238", "000000439180"])
def test_network_input_equals_the_original(reference: Path, shared_data: Path, name: str) -> None:
    golden = np.load(reference / "public" / "r50" / "detect.npz")
    photo = read_photo(shared_data / "coco" / "images" / f"{name}.jpg")
    image = resize(Sample(photo, None, NO_BOXES), (512, 320)).image
    batch = normalise_and_pad([image], MEAN, STD)[0].numpy()
    assert list(batch.shape) == golden[f"{name}/input|shape"].tolist()
    assert np.array_equal(batch.ravel()[golden[f"{name}/input|idx"]], golden[f"{name}/input|val"])
    assert np.linalg.norm(batch.astype(np.float64)) == pytest.approx(
        golden[f"{name}/input|stats"][0], rel=1e-12
    )
