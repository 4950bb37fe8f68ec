"""Which device and number format to run in."""

from dataclasses import dataclass
from typing import Literal

import torch

from spatialflow.errors import ConfigError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device and the format that suits it; ``str()`` says it to a person."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """``fp32``, ``bf16`` or ``fp16``."""
        return next(name for name, dtype in _DTYPES.items() if dtype == self.dtype)

    def __str__(self) -> str:
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)}), {self.precision}"
        threads = f" ({torch.get_num_threads()} threads)" if self.device.type == "cpu" else ""
        return f"{self.device}{threads}, {self.precision}"


def choose(device: str | torch.device = "auto", precision: Precision = "auto") -> Hardware:
    """Resolve ``auto``: the first GPU if there is one, and bfloat16 where the hardware computes in it.

    Raises:
        ConfigError: the device does not exist here, or does not know the format.
    """
    name = str(device)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r} is unknown; use auto, cpu, cuda, cuda:1 or mps") from error
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ConfigError(f"device {name!r} is not here ({reason}); use auto or cpu") from error
    if precision not in ("auto", *_DTYPES):
        raise ConfigError(f"precision {precision!r} is unknown; use auto, {', '.join(_DTYPES)}")
    if precision == "fp16" and chosen.type == "cpu":
        raise ConfigError("precision fp16 needs a GPU; use bf16, fp32 or auto on a CPU")
    dtype = (
        _DTYPES[precision]
        if precision != "auto"
        else torch.bfloat16
        if has_bfloat16(chosen)
        else torch.float32
    )
    return Hardware(chosen, dtype)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, so that it is faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # private, so they may go: then float32, which is always right
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, bool)()) for check in checks)
