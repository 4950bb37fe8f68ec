from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import spatialflow as sf
from make_model import tiny_model
from make_training import easy_image
from spatialflow.errors import DataError
from spatialflow.inference.predictor import Predictor
from spatialflow.photo import load_image
from spatialflow.structures import PanopticPrediction
from spatialflow.training.run import TrainResult


@pytest.fixture(scope="module")
def predictor(trained: TrainResult) -> Predictor:
    return Predictor(trained.model, "cpu", "fp32")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return easy_image("photo", 7, (48, 64)).pixels()


def same(one: PanopticPrediction, other: PanopticPrediction) -> bool:
    return torch.equal(one.segment_ids, other.segment_ids) and one.segments == other.segments


def test_finds_what_is_there(predictor: Predictor) -> None:
    image = easy_image("photo", 7)  # odd: a cat
    prediction = predictor.predict(image.pixels())
    names = [segment.category.name for segment in prediction.segments]
    assert sorted(names) == ["cat", "grass", "sky"]
    for segment in prediction.segments:
        truth = {"sky": 1001, "grass": 1002, "cat": 1003}[segment.category.name]
        expected = torch.from_numpy(image.id_map() == truth)
        found = prediction.mask(segment)
        assert (found & expected).sum() > 0.6 * (found | expected).sum()
        assert segment.area == int(found.sum())
        assert 0.3 < segment.score <= 1
        assert segment.is_thing is (segment.category.name == "cat")


def test_every_kind_of_photo_is_the_same_photo(
    predictor: Predictor, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    expected = predictor.predict(pixels)
    assert expected.segment_ids.shape == (48, 64)
    assert expected.segment_ids.dtype == torch.int32
    for photo in (
        tmp_path / "photo.png",
        str(tmp_path / "photo.png"),
        torch.from_numpy(pixels).permute(2, 0, 1),
        Image.fromarray(pixels),
        Image.fromarray(pixels).convert("RGBA"),
        np.asfortranarray(pixels),
        load_image(tmp_path / "photo.png"),
    ):
        assert same(predictor.predict(photo), expected)


def test_load_image_is_upright_rgb(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the photo is shown a quarter to the right
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    image = load_image(tmp_path / "photo.png")
    assert (image.shape, image.dtype) == ((3, 3, 2), torch.uint8)
    assert image[:, 0, 1].tolist() == [255, 0, 0]
    assert image.sum() == 255


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 of shape \(4, 4, 3\) is no photo; give uint8 RGB"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"tensor \(3, H, W\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"shape \(1, 3, 4, 4\)"),
        (3, "int is no photo"),
        ("none.jpg", "none.jpg: no such image"),
    ],
)
def test_what_is_no_photo(predictor: Predictor, photo: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        predictor.predict(photo)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (65, 33)])
def test_odd_sizes(predictor: Predictor, size: tuple[int, int]) -> None:
    photo = np.full((*size, 3), 90, np.uint8)
    assert predictor.predict(photo).segment_ids.shape == size


def test_several_at_once_are_as_one_by_one(predictor: Predictor) -> None:
    photos = [easy_image(str(i), i).pixels() for i in range(3)]
    for one, together in zip(map(predictor.predict, photos), predictor.predict_many(photos), strict=True):
        assert (one.segment_ids == together.segment_ids).float().mean() > 0.999  # the order of sums differs
        assert [s.score for s in one.segments] == pytest.approx(
            [s.score for s in together.segments], abs=1e-4
        )


def test_the_given_model_stays_as_it_is() -> None:
    model = tiny_model().train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    Predictor(model, "cpu", "bf16").predict(np.zeros((32, 32, 3), np.uint8))
    assert model.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    assert before.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key])


def test_bfloat16_costs_little(trained: TrainResult, predictor: Predictor) -> None:
    rough = Predictor(trained.model, "cpu", "bf16")
    assert rough.hardware.precision == "bf16"
    for seed in range(3):
        photo = easy_image("photo", seed).pixels()
        exact, found = predictor.predict(photo), rough.predict(photo)
        assert [s.category for s in found.segments] == [s.category for s in exact.segments]
        assert (found.segment_ids == exact.segment_ids).float().mean() > 0.95


def test_public_names_come_with_the_package() -> None:
    assert sf.Predictor is Predictor
    assert set(sf.__all__) <= set(dir(sf))
    for name in sf.__all__:
        assert getattr(sf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sf.nothing  # type: ignore[attr-defined]


def test_merges_again_by_other_thresholds(
    predictor: Predictor, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    (found,) = predictor.find([pixels])
    assert same(predictor.merge(found), predictor.predict(pixels))
    nothing_sure = predictor.config.model.merge.model_copy(
        update={"score_threshold": 1.0, "using_bbox": False}
    )
    left = predictor.merge(found, nothing_sure).segments
    assert left
    assert not any(segment.is_thing for segment in left)
    assert any(segment.is_thing for segment in predictor.merge(found).segments), "the model's own stay"
