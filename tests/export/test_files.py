"""Exported files: the numbers of PyTorch, served from one file, with clear words on wrong ones."""

import fcntl
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import spatialflow as sf
from make_export import busy_model, smooth_photo
from spatialflow.config.schema import DetectionConfig
from spatialflow.data.synthetic_scene import draw_scene
from spatialflow.errors import CheckpointError, ConfigError, DataError
from spatialflow.export.comparison import compare, onnx_runner, program_runner
from spatialflow.export.description import Description
from spatialflow.export.writing import export_onnx, export_program

onnx = pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra export")

SIZES = [(128, 160), (160, 128), (90, 200), (300, 250)]


class File(NamedTuple):
    path: Path
    description: Description
    model: sf.SpatialFlow


def _once(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    name: str,
    write: Callable[[Path], Description],
) -> tuple[Path, Description]:
    """Export takes long: of several test processes the first does it, the others take its file."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # pytest-xdist: one folder for all processes
        folder = folder.parent
    path = folder / name.partition(".")[0] / name
    path.parent.mkdir(exist_ok=True)
    notes = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not notes.exists():
            notes.write_text(json.dumps(write(path).to_metadata()))
    return path, Description.from_metadata(json.loads(notes.read_text()), name)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> File:
    """Random weights, photos of one size as they are, with the merge: the quickest to export."""
    model = busy_model(pyramid_levels=3, segmentation_levels=2, head_convs=1)

    def write(path: Path) -> Description:
        return export_onnx(model, path, uint8=True, merged=True, size=(100, 140))

    return File(*_once(tmp_path_factory, request, "small.onnx", write), model)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> File:
    """``tiny`` for photos of any size, as they are, with the merge."""
    model = sf.load_model("tiny")

    def write(path: Path) -> Description:
        return export_onnx(model, path, uint8=True, merged=True)

    return File(*_once(tmp_path_factory, request, "tiny.onnx", write), model)


@pytest.fixture(scope="session")
def fixed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> File:
    """A model of random weights for normalised images of one size, without the merge, by torch.export."""
    model = busy_model(pyramid_levels=3, segmentation_levels=2, head_convs=1)

    def write(path: Path) -> Description:
        return export_program(model, path, size=(128, 160))

    return File(*_once(tmp_path_factory, request, "fixed.pt2", write), model)


def test_small_onnx_gives_the_numbers_of_pytorch(small: File) -> None:
    photos = [(str(i), smooth_photo(100, 140, seed=i)) for i in range(3)]
    for difference in compare(small.model, onnx_runner(small.path), small.description, photos):
        assert difference.things[0] > 5
        assert difference.passes, difference
        assert difference.masks <= 0.001
        assert difference.stuff >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_onnx_gives_the_numbers_of_pytorch(tiny: File, size: tuple[int, int]) -> None:
    photo = draw_scene(np.random.default_rng(sum(size)), size).photo
    (difference,) = compare(tiny.model, onnx_runner(tiny.path), tiny.description, [("drawn", photo)])
    assert difference.things[0] > 5
    assert difference.labels_equal
    assert difference.boxes <= 0.05
    assert difference.masks <= 0.001
    assert difference.stuff >= 0.999
    assert difference.merged >= 0.999


@pytest.mark.parametrize("name", ["small", pytest.param("tiny", marks=pytest.mark.slow)])
def test_openvino_gives_the_numbers_of_onnx_runtime(name: str, request: pytest.FixtureRequest) -> None:
    openvino = pytest.importorskip("openvino", reason="is only for developers")
    file: File = request.getfixturevalue(name)
    photo = draw_scene(np.random.default_rng(4), (100, 140)).photo
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    actual = openvino.Core().compile_model(str(file.path), "CPU", settings)({"image": photo})
    expected = onnx_runner(file.path)(photo)
    assert expected["num_detections"] > 5
    for output in ("stuff", "panoptic"):
        assert (actual[output] == expected.pop(output)).mean() >= 0.999
    for output, value in expected.items():
        assert np.allclose(actual[output], value, atol=0.005), output


def test_program_gives_the_numbers_of_pytorch(fixed: File) -> None:
    photos = [("wide", smooth_photo(96, 160)), ("large", smooth_photo(200, 250, seed=1))]
    for difference in compare(
        fixed.model, program_runner(fixed.path, fixed.description), fixed.description, photos
    ):
        assert difference.things[0] > 5
        assert difference.passes
        assert difference.masks <= 0.001


@pytest.mark.slow
def test_program_takes_photos_of_any_size(tmp_path: Path) -> None:
    """Also those of which the network sees a single row or column of 32 pixels."""
    model = busy_model(pyramid_levels=3, segmentation_levels=2, head_convs=1)
    description = export_program(model, tmp_path / "any.pt2", uint8=True, merged=True)
    photos = [
        (str(size), smooth_photo(*size, seed=1)) for size in ((100, 140), (16, 200), (200, 16), (30, 30))
    ]
    for difference in compare(model, program_runner(tmp_path / "any.pt2", description), description, photos):
        assert difference.things[0] > 5
        assert difference.passes, difference


@pytest.mark.slow
def test_predictor_has_the_results_of_the_model(tiny: File) -> None:
    ours, theirs = sf.OnnxPredictor(tiny.path, threads=1), sf.Predictor(tiny.model, "cpu", "fp32")
    photos = [draw_scene(np.random.default_rng(i), (128, 160)).photo for i in range(2)]
    assert ours.categories == theirs.categories
    for actual, expected in zip(ours.predict_many(photos), theirs.predict_many(photos), strict=True):
        assert (actual.segment_ids == expected.segment_ids).float().mean() >= 0.999
        assert [s.category for s in actual.segments] == [s.category for s in expected.segments]
        assert [s.score for s in actual.segments] == pytest.approx(
            [s.score for s in expected.segments], abs=1e-4
        )
    # the merge outside the graph is the one inside
    (found,) = ours.find(photos[:1])
    assert torch.equal(ours.merge(found).segment_ids, ours.predict(photos[0]).segment_ids)
    assert "CPU" in str(ours.hardware)


def test_program_may_find_nothing(tmp_path: Path) -> None:
    """Exporters take lists whose length they do not know for longer than one."""
    detection = DetectionConfig(score_threshold=1.0).model_dump()
    model = busy_model(pyramid_levels=3, segmentation_levels=2, head_convs=1, detection=detection)
    description = export_program(model, tmp_path / "blind.pt2", size=(128, 128))
    outputs = program_runner(tmp_path / "blind.pt2", description)(np.zeros((64, 64, 3), np.uint8))
    assert outputs["num_detections"] == 0
    assert not outputs["boxes"].any()
    assert not outputs["scores"].any()


def test_predictor_does_without_the_networks_code(small: File) -> None:
    code = f"""
import sys
import numpy as np
import spatialflow as sf
prediction = sf.OnnxPredictor({str(small.path)!r}).predict(np.zeros((100, 140, 3), np.uint8))
assert prediction.segment_ids.shape == (100, 140)
loaded = [name for name in sys.modules if name.startswith(("spatialflow.models", "timm"))]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_program_runs_without_our_code(fixed: File) -> None:
    code = f"""
import sys
import torch, torchvision
graph = torch.export.load({str(fixed.path)!r}).module()
outputs = graph(torch.zeros(1, 3, 128, 160), torch.tensor([100, 160]), torch.tensor([50, 80]))
assert outputs["boxes"].shape == (100, 4)
assert outputs["stuff"].shape == (50, 80)
assert not [name for name in sys.modules if name.startswith(("spatialflow", "timm"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_examples_of_the_guide_run_as_they_stand(tiny: File, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    drawing, served, plain, _ = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    (tmp_path / "tiny.onnx").symlink_to(tiny.path)
    said = []
    for block in (drawing, served, plain):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        said.append(done.stdout)
    expected = sf.Predictor(tiny.model, "cpu", "fp32").predict(tmp_path / "photos" / "000001.jpg")
    lines = [line.split() for line in said[2].splitlines()]
    assert [(int(line[0]), line[1]) for line in lines] == [(s.id, s.category.name) for s in expected.segments]
    assert [int(line[2]) for line in lines] == pytest.approx([s.area for s in expected.segments], abs=20)
    assert (tmp_path / "panoptic.png").stat().st_size > 0


def test_file_says_what_it_is_and_nothing_of_this_machine(small: File) -> None:
    model = onnx.load(small.path)
    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["categories"]) == small.model.categories.to_json()
    assert json.loads(metadata["config"])["model"]["merge"]["stuff_area"] == 200
    assert [i.name for i in model.graph.input] == ["image"]
    names = [o.name for o in model.graph.output]
    assert names[:4] == ["boxes", "scores", "labels", "num_detections"]
    assert names[-3:] == ["panoptic", "segment_labels", "segment_scores"]
    assert str(Path(sf.__file__).parent).encode() not in small.path.read_bytes()
    assert sorted(path.name for path in small.path.parent.iterdir()) == ["small.onnx"]


def test_foreign_and_damaged_files_are_refused(small: File, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        sf.OnnxPredictor(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(CheckpointError, match=r"text\.onnx: ONNX Runtime cannot read it"):
        sf.OnnxPredictor(tmp_path / "text.onnx")
    (tmp_path / "cut.onnx").write_bytes(small.path.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match=r"cut\.onnx: ONNX Runtime cannot read it"):
        sf.OnnxPredictor(tmp_path / "cut.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"empty\.onnx: ONNX Runtime cannot read it"):
        sf.OnnxPredictor(tmp_path / "empty.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
    foreign = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match=r"foreign\.onnx: format: this is no model that spatialflow"):
        sf.OnnxPredictor(tmp_path / "foreign.onnx")
    with pytest.raises(ConfigError, match="provider 'Nothing' is not in this ONNX Runtime"):
        sf.OnnxPredictor(small.path, providers=["Nothing"])


def test_sizes_that_do_not_suit_are_refused(fixed: File, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="take --size 128 160"):
        export_onnx(fixed.model, tmp_path / "x.onnx", size=(120, 150))
    run = program_runner(fixed.path, fixed.description)
    with pytest.raises(DataError, match="export with --dynamic"):
        run(smooth_photo(300, 200))
    assert not list(tmp_path.iterdir())


def test_photo_of_another_size_is_refused(small: File) -> None:
    with pytest.raises(DataError, match=r"is 90x140 \(height x width\), but .*small.onnx takes only 100x140"):
        sf.OnnxPredictor(small.path).predict(smooth_photo(90, 140))


def test_other_merge_settings_as_of_the_other_predictor(small: File) -> None:
    predictor, photo = sf.OnnxPredictor(small.path), smooth_photo(100, 140)
    (found,) = predictor.find([photo])
    assert predictor.merge(found) == predictor.predict(photo)
    none = predictor.config.model.merge.model_copy(update={"score_threshold": 1.0, "stuff_area": 10**6})
    assert len(predictor.merge(found, none)) == 0


def test_photo_that_the_runtime_cannot_compute_is_told(small: File, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    class Full:
        def run(self, *arguments: object) -> None:
            raise RuntimeException("bad allocation")

    predictor = sf.OnnxPredictor(small.path)
    monkeypatch.setattr(predictor, "_session", Full())
    with pytest.raises(sf.SpatialFlowError, match=r"photo of 140x100 pixels \(bad allocation\); .*--tile"):
        predictor.predict(smooth_photo(100, 140))


def test_missing_runtime_is_told(small: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialflow.export.onnx_predictor.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"onnxruntime is not installed; run `pip install 'spatialflow\[export\]'`"
    ):
        sf.OnnxPredictor(small.path)
