"""``spatialflow export``: what it refuses at once, and the whole way."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from make_cli import Command
from make_export import busy_model, smooth_photo
from spatialflow.checkpoints import save_model
from spatialflow.cli.export import export
from spatialflow.errors import DataError
from spatialflow.export.writing import default_path

pytest.importorskip("onnx", reason="needs the extra export")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "tflite"], "--format tflite: is unknown; use onnx or torch-export"),
        (["--size", "64", "64", "--dynamic"], "--size and --dynamic: exclude each other"),
        (["--size", "0", "64"], "--size 0 64: sides are 1 pixel or more"),
        (["photo.jpg"], "photo.jpg: photos are for comparing; add --check"),
        (["photo.jpg", "--check"], "photo.jpg: no such photo or folder"),
        (["--int8"], "--int8: needs photos to learn its ranges from; add --calibrate FOLDER"),
        (["--calibrate", "."], "--calibrate: is for 8-bit integers; add --int8"),
        (["--int8", "--format", "torch-export"], "--int8: is for --format onnx"),
        (["--out", "."], "--out .: is a folder; give the name of a file"),
        (["--size", "100", "64"], "take --size 128 64, or --uint8"),
    ],
)
def test_mistakes_are_told_in_a_line(
    spatialflow: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ended = spatialflow("export", "-c", "tiny", "--out", tmp_path / "x.onnx", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_checkpoint_is_not_overwritten(spatialflow: Command, tmp_path: Path) -> None:
    checkpoint = tmp_path / "mine.pt"
    checkpoint.write_bytes(b"mine")
    ended = spatialflow("export", "-c", checkpoint, "--out", checkpoint)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "mine.pt: is the checkpoint itself; give another name" in ended.err
    assert checkpoint.read_bytes() == b"mine"


def test_nothing_is_written_if_a_calibration_photo_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(model: object, path: Path, **options: object) -> None:
        path.write_bytes(b"32-bit numbers")

    def quantise(
        path: Path, out: Path, description: object, photos: Iterable[object], **more: object
    ) -> None:
        list(photos)

    monkeypatch.setattr("spatialflow.export.writing.export_onnx", write)
    monkeypatch.setattr("spatialflow.export.quantising.quantise", quantise)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"none")
    with pytest.raises(DataError, match=r"a\.jpg: is not an image"):
        export("tiny", out=tmp_path / "x.onnx", int8=True, calibrate=str(tmp_path / "photos"))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_default_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model-0.5"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert default_path("weights/R50.pth", "onnx") == Path("R50.onnx")
    assert default_path("tiny", "torch-export") == Path("tiny.pt2")
    assert default_path(".", "onnx") == default_path(str(folder), "onnx") == Path("model-0.5.onnx")


@pytest.mark.slow
def test_int8_file_is_written_checked_and_predicts(spatialflow: Command, tmp_path: Path) -> None:
    save_model(busy_model(), tmp_path / "toy.safetensors")
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        Image.fromarray(smooth_photo(100, 120, seed=i)).save(photos / f"{i}.png")
    out = tmp_path / "out" / "toy.onnx"
    ended = spatialflow(
        "export", "-c", tmp_path / "toy.safetensors", "--out", out, "--uint8", "--size", 100, 120,
        "--int8", "--calibrate", photos, "--check", photos,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "ONNX Runtime beside PyTorch" in ended.out
    assert [path.name for path in out.parent.iterdir()] == ["toy.onnx"]
    ended = spatialflow("predict", photos, "-c", out, "--out", tmp_path / "results")
    assert ended.code == 0, ended.err
    assert "int8" in ended.out
    assert len(list((tmp_path / "results" / "panoptic").iterdir())) == 3


@pytest.mark.slow
def test_program_is_written_and_checked(spatialflow: Command, tmp_path: Path) -> None:
    save_model(busy_model(), tmp_path / "toy.safetensors")
    ended = spatialflow(
        "export", "-c", tmp_path / "toy.safetensors", "--out", tmp_path / "toy.pt2",
        "--format", "torch-export", "--dynamic", "--panoptic", "--check",
    )  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    assert "torch.export beside PyTorch" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tta"], "--tta: m.onnx looks at a photo once"),
        (["--precision", "bf16"], "--precision bf16: m.onnx has its own"),
        (["--device", "mps"], "--device mps: ONNX Runtime does not know it"),
        ([], "m.onnx: no such file"),
    ],
)
def test_predict_says_what_an_exported_model_cannot(
    spatialflow: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    Image.fromarray(smooth_photo(40, 50)).save(tmp_path / "photo.png")
    ended = spatialflow(
        "predict", tmp_path / "photo.png", "-c", "m.onnx", "--out", tmp_path / "out", *arguments
    )
    assert ended.code == 2
    assert message in ended.err
