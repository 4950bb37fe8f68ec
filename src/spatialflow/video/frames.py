"""Frames of a video, and what all readers of them share."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

LIVE_TICK = Fraction(1, 1000)
"""Of live sources, whose frames are dated as they come in."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB, upright."""
    time: Fraction
    """Seconds since the first one."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video at its first frame."""

    size: tuple[int, int]
    """(H, W) of the first frame, upright."""
    rate: Fraction
    """Frames a second, on average."""
    tick: Fraction
    """Seconds; all times are multiples of it."""
    total: int | None
    """Frames, as the file says; None where nobody knows."""
    is_live: bool
    """Whether frames come on their own, at the pace of what they show."""
    start: Fraction = Fraction(0)
    """Second of the source at which the first frame is shown."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel by its height."""


class VideoReader(Protocol):
    """Frames of one source."""

    info: VideoInfo
    problem: str | None
    """After the last frame: what ended the video before its time, or was wrong on the way."""

    def __iter__(self) -> Iterator[Frame]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def since(begin: float) -> Fraction:
    """Time that has passed, in whole ticks."""
    return Fraction(round((time.monotonic() - begin) / LIVE_TICK)) * LIVE_TICK
