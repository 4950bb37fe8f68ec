from typing import Any

import pytest
import torch

from spatialflow.errors import ConfigError
from spatialflow.precision import Hardware, choose, has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has", "name"), [(True, "bf16"), (False, "fp32")])
def test_auto_takes_bfloat16_where_it_is_fast(monkeypatch: pytest.MonkeyPatch, has: bool, name: str) -> None:
    monkeypatch.setattr("spatialflow.precision.has_bfloat16", lambda device: has)
    assert choose("cpu").precision == name
    assert choose("cpu", "fp32").dtype == torch.float32
    assert choose("cpu", "bf16").dtype == torch.bfloat16


@pytest.mark.parametrize("check", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_either_instruction_set_will_do(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == check, raising=False)
    assert has_bfloat16(CPU)


def test_unknown_processor_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks are private functions of PyTorch, which may go."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_bfloat16(CPU)
    assert not has_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gpu",), r"device 'gpu' is unknown; use auto, cpu, cuda, cuda:1 or mps"),
        (("cpu", "float16"), r"precision 'float16' is unknown; use auto, fp32, bf16, fp16"),
        (("cpu", "fp16"), r"precision fp16 needs a GPU"),
        (("cuda:99",), r"device 'cuda:99' is not here \(.*\); use auto or cpu"),
    ],
)
def test_mistakes(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        choose(*arguments)
    assert "\n" not in str(caught.value)


def test_auto_takes_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []

    def empty(size: int, device: torch.device) -> None:
        asked.append(device)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr("spatialflow.precision.has_bfloat16", lambda device: False)
    for cuda, mps, kind in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert choose().device.type == kind
    assert [device.type for device in asked] == ["cuda", "mps", "cpu"]


def test_says_it_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    assert str(Hardware(CPU, torch.bfloat16)) == f"cpu ({threads} threads), bf16"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    assert str(Hardware(torch.device("cuda:1"), torch.float16)) == "cuda:1 (Some GPU), fp16"
