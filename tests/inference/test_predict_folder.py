import json
from pathlib import Path

import pytest
from PIL import Image

from make_data import write_photo
from make_training import easy_image
from spatialflow.errors import DataError, OutputError
from spatialflow.image_io import read_id_png
from spatialflow.inference.folder import find_photos, predict_folder
from spatialflow.inference.predictor import Predictor
from spatialflow.training.run import TrainResult


@pytest.fixture(scope="module")
def predictor(trained: TrainResult) -> Predictor:
    return Predictor(trained.model, "cpu", "fp32")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, size in {"a/x": (64, 64), "a/y": (32, 48), "b/x": (40, 64)}.items():
        write_photo(folder / f"{name}.png", easy_image(name, 1, size))
    return folder


def test_sources_in_order_and_none_twice(photos: Path) -> None:
    a, b = photos / "a", photos / "b"
    assert find_photos([str(b), str(a)]) == [b / "x.png", a / "x.png", a / "y.png"]
    assert find_photos([str(a / "y.png"), str(a)]) == [a / "y.png", a / "x.png"]
    assert find_photos([str(photos / "*" / "x.png")]) == [a / "x.png", b / "x.png"]
    assert find_photos([str(photos / "**" / "*.png")]) == [a / "x.png", a / "y.png", b / "x.png"]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    write_photo(tmp_path / "a[1].png", easy_image("a", 1))
    assert find_photos([str(tmp_path / "a[1].png")]) == [tmp_path / "a[1].png"]


@pytest.mark.parametrize(
    ("source", "message"), [("none.png", "no such photo or folder"), ("*.gif", "matches no file")]
)
def test_nothing_there(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_photos([str(tmp_path / source)])


def test_result_of_photos_with_equal_names(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    found = find_photos([str(photos / "a"), str(photos / "b")])
    calls: list[tuple[int, str | None]] = []
    result = predict_folder(predictor, found, tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls == [(1, None), (2, None), (3, None)]
    assert (result.done, result.failed) == (3, ())
    content = json.loads(result.json_path.read_text())
    assert [entry["file_name"] for entry in content["annotations"]] == ["x.png", "y.png", "x-2.png"]
    assert [entry["image_id"] for entry in content["annotations"]] == [1, 2, 3]
    described = [(i["id"], i["file_name"], i["height"], i["width"]) for i in content["images"]]
    ambiguous = [str(photos / "a" / "x.png"), str(photos / "b" / "x.png")]
    assert described == [(1, ambiguous[0], 64, 64), (2, "y.png", 32, 48), (3, ambiguous[1], 40, 64)]
    for photo, name in zip(found, ("x", "y", "x-2"), strict=True):
        expected = predictor.predict(photo).segment_ids.numpy()
        assert (read_id_png(tmp_path / "out" / "panoptic" / f"{name}.png") == expected).all()
        with Image.open(tmp_path / "out" / "overlay" / f"{name}.jpg") as overlay:
            overlay.load()


def test_unreadable_photos_are_left_out(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    (photos / "a" / "x.png").write_text("none")
    result = predict_folder(predictor, find_photos([str(photos / "a")]), tmp_path / "out", overlay=False)
    assert result.done == 1
    assert len(result.failed) == 1
    assert "x.png: is not an image" in result.failed[0]
    assert [p.name for p in (tmp_path / "out" / "panoptic").iterdir()] == ["y.png"]
    assert not (tmp_path / "out" / "overlay").exists()


def test_a_photo_that_the_model_refuses_is_named(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise DataError("image: is 9x9, but m.onnx takes only 8x8; resize it")

    monkeypatch.setattr(predictor, "predict", refuse)
    with pytest.raises(DataError, match=r"x\.png: is 9x9, but m\.onnx takes only 8x8; resize it"):
        predict_folder(predictor, [photos / "a" / "x.png"], tmp_path / "out")


def test_no_result_if_no_photo_can_be_read(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    for name in ("x", "y"):
        (photos / "a" / f"{name}.png").write_text("none")
    with pytest.raises(DataError, match="none of the 2 photos could be read"):
        predict_folder(predictor, find_photos([str(photos / "a")]), tmp_path / "out")
    with pytest.raises(DataError, match=r"x\.png: is not an image"):
        predict_folder(predictor, [photos / "a" / "x.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_interrupted(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    """What is done is the result, unless there is one already."""
    found = find_photos([str(photos / "a"), str(photos / "b")])

    def stop(done: int, failure: str | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_folder(predictor, found, tmp_path / "out", progress=stop)
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert [entry["file_name"] for entry in content["annotations"]] == ["x.png", "y.png"]
    assert [image["file_name"] for image in content["images"]] == [str(found[0]), "y.png"]
    predict_folder(predictor, found, tmp_path / "out")
    before = (tmp_path / "out" / "panoptic.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        predict_folder(predictor, found, tmp_path / "out", progress=stop)
    assert (tmp_path / "out" / "panoptic.json").read_bytes() == before


def test_unwritable_folder(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another output folder"):
        predict_folder(predictor, find_photos([str(photos / "a")]), tmp_path / "file" / "out")
