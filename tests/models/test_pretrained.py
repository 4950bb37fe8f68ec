"""Models as folders and on the Hub, which here is a small server of the tests' own."""

import json
import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard, ModelHubMixin
from safetensors.torch import load_file, save_file

from make_hub import COMMIT, Hub, point_to, running_hub
from make_model import TOY, photo, tiny_model
from spatialflow.checkpoints import load_model
from spatialflow.errors import CheckpointError, ConfigError, OutputError, SpatialFlowError
from spatialflow.models.hub import is_hub_id
from spatialflow.models.spatialflow import SpatialFlow


@pytest.fixture(scope="module")
def net() -> SpatialFlow:
    return tiny_model(merge={"stuff_area": 10, "score_threshold": 0.25}, detection={"nms_iou": 0.25})


@pytest.fixture
def folder(net: SpatialFlow, tmp_path: Path) -> Path:
    net.save_pretrained(tmp_path / "toy")
    return tmp_path / "toy"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.chdir(tmp_path)
    with running_hub(monkeypatch) as server:
        yield server


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Hub's address is a port where nobody listens."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        point_to(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")


def same(left: SpatialFlow, right: SpatialFlow) -> bool:
    theirs = right.state_dict()
    return (
        left.config == right.config
        and left.categories.to_json() == right.categories.to_json()
        and list(left.state_dict()) == list(theirs)
        and all(torch.equal(tensor, theirs[key]) for key, tensor in left.state_dict().items())
    )


def test_round_trip(net: SpatialFlow, folder: Path) -> None:
    assert sorted(f.name for f in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    loaded = SpatialFlow.from_pretrained(folder)
    assert isinstance(loaded, ModelHubMixin)
    assert not loaded.training
    assert same(net, loaded)
    with torch.inference_mode():
        for one, other in zip(net(photo()), loaded(photo()), strict=True):
            assert all(map(torch.equal, one, other)) if isinstance(one, tuple) else torch.equal(one, other)


def test_every_road_to_the_same_model(net: SpatialFlow, folder: Path) -> None:
    assert same(net, load_model(folder))
    assert same(net, load_model(folder / "model.safetensors"))  # alone, it says itself what it is
    moved = shutil.copy(folder / "model.safetensors", folder.parent / "other.safetensors")
    assert same(net, load_model(moved))


def test_config_json_can_be_read_by_people_and_is_what_counts(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads((folder / "config.json").read_text())
    assert content["library_name"] == "spatialflow"
    assert content["format"] == "spatialflow-1"
    assert content["model"]["backbone"] == "resnet18"
    assert content["model"]["merge"]["stuff_area"] == 10
    assert content["data"]["mean"] == [123.675, 116.28, 103.53]
    assert [c["name"] for c in content["categories"]] == [c.name for c in TOY]
    content["model"]["merge"]["stuff_area"] = 77
    (folder / "config.json").write_text(json.dumps(content))
    with caplog.at_level(logging.INFO, "spatialflow"):
        assert SpatialFlow.from_pretrained(folder).config.model.merge.stuff_area == 77
    assert "config.json and model.safetensors differ in model.merge.stuff_area" in caplog.text


def test_half_precision(net: SpatialFlow, tmp_path: Path) -> None:
    net.save_pretrained(tmp_path / "half", dtype=torch.float16)
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.float16, torch.int64}
    weight = SpatialFlow.from_pretrained(tmp_path / "half").box_predictor.weight
    assert torch.equal(weight, net.box_predictor.weight.half().float())


def test_a_card_of_ones_own_stays(net: SpatialFlow, folder: Path) -> None:
    net.save_pretrained(folder, license="mit")
    assert "license: mit" in (folder / "README.md").read_text()  # ours is made anew
    (folder / "README.md").write_text("# Mine\n")
    net.save_pretrained(folder)
    assert (folder / "README.md").read_text() == "# Mine\n"


def test_saving_leaves_the_old_model_when_it_fails(
    net: SpatialFlow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {f.name: f.read_bytes() for f in folder.iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spatialflow.models.weights.save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        tiny_model(seed=1).save_pretrained(folder)
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before


def _no(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _set(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        for key, value in changes.items():
            *path, last = key.split("__")
            target = content
            for step in path:
                target = target[step]
            target[last] = value
        (folder / "config.json").write_text(json.dumps(content))

    return change


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return apply


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no("config.json"), "is a folder without config.json"),
        (_no("model.safetensors"), "is a folder without model.safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: is not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json: library_name: is not 'spatialflow'"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "bert"}'),
            "no model of ours but of 'bert'",
        ),
        (_set(format="spatialflow-9"), "format: 'spatialflow-9' is not 'spatialflow-1'.*update spatialflow"),
        (_set(model__bakbone="x"), "config.json: model.bakbone"),
        (_set(model__backbone_options={"pretrained": True}), "backbone_options: 'pretrained'"),
        (_set(model__backbone_options={"checkpoint_path": "x"}), "backbone_options: 'checkpoint_path'"),
        (_set(categories=None), "config.json: categories"),
        (_set(model__head_channels=24), "has shape .*, the model toy wants"),
        (lambda f: (f / "model.safetensors").write_bytes(b"PK\3\4"), "is not a readable safetensors file"),
        (_weights(lambda s: s.pop("box_predictor.bias")), "box_predictor.bias: is missing"),
        (_weights(lambda s: s.update(extra=torch.zeros(1))), "extra: is not part of the model"),
        (_weights(lambda s: s["box_predictor.bias"].fill_(float("nan"))), "box_predictor.bias: has values"),
    ],
)
def test_spoilt_folders(folder: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(folder)
    with pytest.raises(SpatialFlowError, match=said) as caught:
        SpatialFlow.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_names() -> None:
    assert is_hub_id("owner/name-2.1_b")
    for name in ("name", "a/b/c", "/a/b", "./a", "../a", "a/", "runs/best.ckpt", "a/b.safetensors", "a b/c"):
        assert not is_hub_id(name), name
    with pytest.raises(CheckpointError, match="no such folder, and no name"):
        SpatialFlow.from_pretrained("a/b/c")


def test_config_is_the_models_own(net: SpatialFlow, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        net.save_pretrained(tmp_path, config={})  # type: ignore[arg-type]


def test_push_and_fetch(net: SpatialFlow, hub: Hub, tmp_path: Path) -> None:
    address = net.push_to_hub("me/toy", token="hf_secret", license="mit", dtype=torch.float16)
    assert address.endswith(f"/me/toy/commit/{COMMIT}")
    assert set(hub.files["me/toy"]) == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard(hub.files["me/toy"]["README.md"].decode())
    assert card.data.license == "mit"
    assert 'from_pretrained("me/toy")' in card.text
    cache = tmp_path / "cache"
    loaded = SpatialFlow.from_pretrained("me/toy", cache_dir=cache, revision="v1")
    assert torch.equal(loaded.box_predictor.weight, net.box_predictor.weight.half().float())
    asked = [line for line in hub.asked if "resolve" in line]
    assert all(("/v1/" in line) == ("config.json" in line) for line in asked)  # then the commit it stands for
    assert not any("README" in line for line in asked)


def test_saving_can_push_at_once(net: SpatialFlow, hub: Hub, tmp_path: Path) -> None:
    net.save_pretrained(tmp_path / "toy", repo_id="me/other", push_to_hub=True)
    assert hub.files["me/other"]["config.json"] == (tmp_path / "toy" / "config.json").read_bytes()


def test_command_line_names_and_slips(
    net: SpatialFlow, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    net.push_to_hub("me/toy")
    assert same(net, load_model("me/toy"))
    hub.asked.clear()
    (tmp_path / "me").mkdir()
    with pytest.raises(CheckpointError, match="me/toi: no such checkpoint"):
        load_model("me/toi")
    assert not hub.asked


def test_private_and_missing(net: SpatialFlow, hub: Hub, tmp_path: Path) -> None:
    net.push_to_hub("me/secret")
    hub.private.add("me/secret")
    for name in ("me/secret", "me/absent"):
        with pytest.raises(CheckpointError, match=f"{name}: .*no such model on the Hub, or a private one"):
            SpatialFlow.from_pretrained(name, cache_dir=tmp_path / "cache", token=False)
    loaded = SpatialFlow.from_pretrained("me/secret", cache_dir=tmp_path / "cache", token="hf_mine")
    assert same(net, loaded)
    assert "Bearer hf_mine" in hub.tokens
    with pytest.raises(CheckpointError, match="has no such revision"):
        SpatialFlow.from_pretrained("me/secret", cache_dir=tmp_path / "c", token="hf_mine", revision="v9")
    del hub.files["me/secret"]["config.json"]
    with pytest.raises(CheckpointError, match=r"has no config.json, so it is no model of spatialflow"):
        SpatialFlow.from_pretrained("me/secret", cache_dir=tmp_path / "d", token="hf_mine")


def test_refused_upload(net: SpatialFlow, hub: Hub) -> None:
    hub.read_only = True
    with pytest.raises(
        SpatialFlowError, match=r"me/toy: the Hub refuses the upload.*hf auth login"
    ) as caught:
        net.push_to_hub("me/toy")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("offline")
def test_without_a_network(net: SpatialFlow) -> None:
    start = time.monotonic()
    with pytest.raises(CheckpointError, match=r"me/toy: .*cannot be reached.*local folder") as caught:
        SpatialFlow.from_pretrained("me/toy")
    assert "\n" not in str(caught.value)
    with pytest.raises(SpatialFlowError, match=r"me/toy: cannot be pushed.*cannot be reached"):
        net.push_to_hub("me/toy")
    assert time.monotonic() - start < 5  # the library alone tries for 23 seconds


def test_a_network_that_swallows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialflow.models.hub.REACH_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        point_to(monkeypatch, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(CheckpointError, match=r"me/toy: .*cannot be reached \(timed out\)"):
            SpatialFlow.from_pretrained("me/toy")


def test_only_the_cache(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"me/toy: .*not in the cache .*only the cache was asked"):
        SpatialFlow.from_pretrained("me/toy", cache_dir=tmp_path, local_files_only=True)


def test_the_cache_does_without_a_network(
    net: SpatialFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with running_hub(monkeypatch):
        net.push_to_hub("me/toy")
        SpatialFlow.from_pretrained("me/toy", cache_dir=tmp_path / "cache")
    assert same(net, SpatialFlow.from_pretrained("me/toy", cache_dir=tmp_path / "cache"))
    assert same(
        net, SpatialFlow.from_pretrained("me/toy", cache_dir=tmp_path / "cache", local_files_only=True)
    )
