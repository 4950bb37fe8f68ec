"""The three published architectures, with the weights of the golden numbers, as ONNX on real photos."""

from pathlib import Path

import pytest

from golden import PHOTOS, Models
from spatialflow.export.comparison import compare, onnx_runner
from spatialflow.export.writing import export_onnx
from spatialflow.image_io import read_photo

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra export")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "uint8", "size"),
    [("r50", True, None), ("r101", False, (256, 320)), ("r101_dcn", False, (256, 320))],
)
def test_onnx_gives_the_numbers_of_pytorch(
    models: Models, shared_data: Path, tmp_path: Path, name: str, uint8: bool, size: tuple[int, int] | None
) -> None:
    model = models(name)
    data = model.config.data.model_copy(update={"test_scale": (320, 256)})
    model.config = model.config.model_copy(update={"data": data})
    description = export_onnx(model, tmp_path / "model.onnx", size=size, uint8=uint8, merged=True)
    photos = [(photo, read_photo(shared_data / "coco" / "images" / photo)) for photo in PHOTOS]
    for difference in compare(model, onnx_runner(tmp_path / "model.onnx"), description, photos):
        assert difference.things[0] > 20, difference
        assert difference.labels_equal, difference
        assert difference.boxes <= 0.05, difference
        assert difference.masks <= 0.01, difference
        assert difference.stuff >= 0.999, difference
        assert difference.merged >= 0.999, difference
