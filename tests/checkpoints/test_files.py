"""Our own checkpoint files: round trips, and every way in which a file can be wrong."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from make_model import TOY, categories, photo, tiny_config, tiny_model
from spatialflow.checkpoints import load_checkpoint, load_model, save_model
from spatialflow.checkpoints.files import _locate
from spatialflow.errors import CheckpointError, OutputError, SpatialFlowError
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.models.weights import FORMAT, describe


@pytest.fixture(scope="module")
def net() -> SpatialFlow:
    return tiny_model(flows={"reg_to_mask": False}, detection={"nms_iou": 0.25})


def write_ckpt(path: Path, net: SpatialFlow, **changes: Any) -> Path:
    """What training writes, as far as it is read here."""
    state = {f"model.{key}": tensor for key, tensor in net.state_dict().items()}
    content = {"epoch": 3, "global_step": 17, "state_dict": state, **describe(net)}
    torch.save(content | changes, path)
    return path


def assert_same(left: SpatialFlow, right: SpatialFlow, tolerance: float = 0) -> None:
    assert left.config == right.config
    assert left.categories == right.categories
    theirs = right.state_dict()
    for key, tensor in left.state_dict().items():
        assert tensor.dtype == theirs[key].dtype, key
        assert torch.allclose(tensor.double(), theirs[key].double(), rtol=tolerance, atol=tolerance), key


def test_round_trip(net: SpatialFlow, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.safetensors"
    save_model(net, path)
    loaded = load_model(path)
    assert not loaded.training
    assert_same(net, loaded)
    with torch.inference_mode():
        assert torch.equal(net(photo()).stuff_logits, loaded(photo()).stuff_logits)


def test_round_trip_in_half_precision(net: SpatialFlow, tmp_path: Path) -> None:
    whole, half = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_model(net, whole)
    save_model(net, half, dtype=torch.float16)
    stored = load_file(half)
    assert {t.dtype for t in stored.values()} == {torch.float16, torch.int64}  # counters stay whole numbers
    weights = sum(t.numel() for t in stored.values() if t.dtype == torch.float16)
    assert whole.stat().st_size - half.stat().st_size == pytest.approx(2 * weights, abs=4000)
    assert_same(net, load_model(half), tolerance=1e-3)


def test_training_checkpoint(net: SpatialFlow, tmp_path: Path) -> None:
    assert_same(net, load_model(write_ckpt(tmp_path / "last.ckpt", net)))


def test_a_config_may_change_what_is_not_architecture(net: SpatialFlow, tmp_path: Path) -> None:
    save_model(net, tmp_path / "a.safetensors")
    config = tiny_config(flows={"reg_to_mask": False}, detection={"max_detections": 3})
    loaded = load_model(tmp_path / "a.safetensors", config)
    assert loaded.config.model.detection.max_detections == 3
    assert loaded.categories == TOY


def test_description_without_building(net: SpatialFlow, tmp_path: Path) -> None:
    save_model(net, tmp_path / "a.safetensors", dtype=torch.float16)
    checkpoint = load_checkpoint(tmp_path / "a.safetensors")
    assert checkpoint.config == net.config
    assert checkpoint.categories == TOY
    assert {k: t.dtype for k, t in checkpoint.state.items()} == {
        k: t.dtype for k, t in net.state_dict().items()
    }


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left")])
def test_saving_needs_the_suffix_and_leaves_nothing_behind(
    net: SpatialFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pth: .*\.safetensors"):
        save_model(net, tmp_path / "a.pth")

    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("spatialflow.models.weights.save_file", full)
    with pytest.raises(OutputError, match=r"a\.safetensors: .*No space left.*free some space"):
        save_model(net, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def refusal(path: Path | str, config: Any = None) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(SpatialFlowError) as caught:
        load_model(path, config)
    message = str(caught.value)
    assert isinstance(caught.value, CheckpointError)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such checkpoint" in refusal(tmp_path / "a.pth")
    assert "tiny" in refusal("tinny")


def test_a_folder_does_not_hide_the_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(_locate("tiny")).endswith("tiny.safetensors")
    (tmp_path / "tiny").rmdir()
    (tmp_path / "tiny").write_bytes(b"")
    assert _locate("tiny") == Path("tiny")  # a file is meant by its name


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors", ""])
@pytest.mark.parametrize(
    "content",
    [b"", b"dear reader\n", b"(dp0\n.", b"hello", b"0", b"J", b"\x80\x04K", b"{}", b"\x89PNG\r\n\x1a\n"],
)
def test_no_checkpoint_at_all(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    refusal(path)


def test_truncated(net: SpatialFlow, tmp_path: Path) -> None:
    save_model(net, tmp_path / "a.safetensors")
    write_ckpt(tmp_path / "a.ckpt", net)
    for name in ("a.safetensors", "a.ckpt"):
        whole = (tmp_path / name).read_bytes()
        for size in (len(whole) - 1, len(whole) // 2, 1000, 7):
            (tmp_path / name).write_bytes(whole[:size])
            refusal(tmp_path / name)


class Exploit:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_pickle_does_not_run(net: SpatialFlow, tmp_path: Path, write: Callable[..., Any]) -> None:
    write({"state_dict": net.state_dict(), "meta": Exploit(tmp_path / "hacked")}, tmp_path / "a.pth")
    assert "safely" in refusal(tmp_path / "a.pth")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        torch.ones(3),
        {},
        {"state_dict": {}},
        {"state_dict": None},
        {"state_dict": {"a": 1}},
        {1: torch.ones(2)},
        {"optimizer": {}, "epoch": 3},
    ],
    ids=str,
)
def test_file_without_weights(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert "state_dict" in refusal(tmp_path / "a.pth")


def test_weights_that_do_not_say_what_they_are(net: SpatialFlow, tmp_path: Path) -> None:
    torch.save(net.state_dict(), tmp_path / "a.pth")
    assert "config" in refusal(tmp_path / "a.pth")
    save_file(net.state_dict(), tmp_path / "a.safetensors")
    assert "config" in refusal(tmp_path / "a.safetensors")


def test_another_models_file(tmp_path: Path) -> None:
    keys = ("backbone.conv1.weight", "rpn_head.rpn_conv.weight", "roi_head.bbox_head.fc_cls.weight")
    torch.save({"meta": {}, "state_dict": {key: torch.ones(2) for key in keys}}, tmp_path / "mask_rcnn.pth")
    assert "SpatialFlow" in refusal(tmp_path / "mask_rcnn.pth")


@pytest.mark.parametrize(
    "change",
    [
        {"config": "{"},
        {"config": None},
        {"categories": "nonsense"},
        {"categories": "[1, 2]"},
        {"config": "[1]"},
    ],
    ids=str,
)
def test_damaged_description(net: SpatialFlow, tmp_path: Path, change: dict[str, Any]) -> None:
    path = write_ckpt(tmp_path / "a.ckpt", net, **change)
    with pytest.raises(SpatialFlowError, match=rf"^{path}: ") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_description_that_is_missing(net: SpatialFlow, tmp_path: Path) -> None:
    torch.save({"format": FORMAT, "state_dict": {"model.a": torch.ones(1)}}, tmp_path / "a.ckpt")
    assert "config" in refusal(tmp_path / "a.ckpt")


def edit(net: SpatialFlow, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    state = dict(net.state_dict())
    change(state)
    save_file(state, path, metadata=describe(net))
    return path


def test_missing_key(net: SpatialFlow, tmp_path: Path) -> None:
    path = edit(net, tmp_path / "a.safetensors", lambda s: s.pop("mask_head.logits.bias"))
    assert "mask_head.logits.bias: is missing" in refusal(path)
    two = edit(net, tmp_path / "b.safetensors", lambda s: [s.pop(k) for k in list(s)[-2:]])
    assert "(and 1 more): is missing" in refusal(two)


def test_left_over_key(net: SpatialFlow, tmp_path: Path) -> None:
    path = edit(net, tmp_path / "a.safetensors", lambda s: s.update(wings=torch.ones(1)))
    assert "wings: is not part of the model toy" in refusal(path)


def test_key_of_another_shape(net: SpatialFlow, tmp_path: Path) -> None:
    path = edit(net, tmp_path / "a.safetensors", lambda s: s.update({"mask_head.logits.bias": torch.ones(5)}))
    message = refusal(path)
    assert "mask_head.logits.bias" in message
    assert "(5,)" in message
    assert "(2,)" in message


def test_another_class_count(net: SpatialFlow, tmp_path: Path) -> None:
    metadata = describe(net) | {"categories": json.dumps(categories(3, 4).to_json())}
    save_file(net.state_dict(), tmp_path / "a.safetensors", metadata=metadata)
    message = refusal(tmp_path / "a.safetensors")
    assert "class count" in message
    assert "cls_predictor.weight" in message


def test_another_architecture(net: SpatialFlow, tmp_path: Path) -> None:
    save_model(net, tmp_path / "a.safetensors")
    assert "subnets.mask.flow" in refusal(tmp_path / "a.safetensors", tiny_config())
    wider = tiny_config(head_channels=24, flows={"reg_to_mask": False})
    assert "shape" in refusal(tmp_path / "a.safetensors", wider)
    deeper = tiny_config(backbone="resnet34", flows={"reg_to_mask": False})
    assert "backbone.body.layer1.2" in refusal(tmp_path / "a.safetensors", deeper)
