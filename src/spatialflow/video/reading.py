"""Frames of video files and streams, one after the other."""

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spatialflow.errors import DataError
from spatialflow.video.frames import LIVE_TICK, Frame, VideoInfo, VideoReader, since
from spatialflow.video.sources import Source, SourceKind
from spatialflow.video.webcam import WebcamReader

TIMEOUT = 10.0
"""Seconds that a stream may take to answer, or to go on."""
_SLACK, _SLACK_FRAMES = Fraction(3, 100), 3
"""By how much a file may be shorter than it says, as a share and in frames."""


def open_video(source: Source, timeout: float = TIMEOUT) -> VideoReader:
    """Open a source and decode its first frame.

    Args:
        source: see :func:`spatialflow.video.sources.parse_source`.
        timeout: seconds that a stream may take to answer, or to go on.

    Raises:
        DataError: it is missing, cannot be reached, is no video, or holds no frames.
    """
    if source.kind is SourceKind.WEBCAM:
        return WebcamReader(source)
    return FileReader(source, timeout)


class FileReader:
    """A file or a stream, read by FFmpeg's libraries.

    Packets that cannot be decoded are left out and counted; when reading itself fails, the video ends there.
    """

    def __init__(self, source: Source, timeout: float) -> None:
        self.problem: str | None = None
        self._source = source
        self._damaged = 0
        self._container = _open(source, timeout)
        try:
            self._stream = _video_stream(self._container, source)
            self._decoded = self._decode()
            first = next(self._decoded, None)
            if first is None:
                reason = f" ({self.problem})" if self.problem else ""
                raise DataError(
                    f"{source}: no frame of it can be decoded{reason}; the video may be damaged, "
                    f"fetch it again"
                )
        except BaseException:
            self._container.close()
            raise
        self._first = first
        self.info = self._describe(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Frames whose times increase."""
        start, last, count = self._first.pts or 0, Fraction(-1), 0
        step = max(1 / self.info.rate, self.info.tick)
        begin = time.monotonic()
        for frame in _chain(self._first, self._decoded):
            if self.info.is_live:
                now = since(begin) if count else Fraction(0)
            else:
                now = last + step if frame.pts is None else (frame.pts - start) * self.info.tick
            if count and now <= last:  # damaged, or two streams glued together
                now = last + (self.info.tick if self.info.is_live else step)
            now = max(now, Fraction(0))
            yield Frame(_pixels(frame), now)
            last, count = now, count + 1
        if self.problem is None and self._damaged:
            self.problem = f"{self._damaged} damaged pieces could not be decoded and are left out"
        elif self.problem is None and self._is_short(last):
            self.problem = f"it breaks off after {count} of {self.info.total} frames"

    def _is_short(self, last: Fraction) -> bool:
        """Whether the file says that it is longer; by some frames, as such numbers are not always exact."""
        if self.info.is_live or self._duration is None:
            return False
        missing = self._duration - last
        return missing > max(_SLACK_FRAMES / self.info.rate, _SLACK * self._duration)

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self.problem = f"reading it fails after that: {_reason(error)}"
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except FFmpegError:
                self._damaged += 1
                continue
            yield from frames

    def _describe(self, first: VideoFrame) -> VideoInfo:
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        duration = self._duration = _duration(self._container, stream)
        is_live = self._source.kind is SourceKind.STREAM or (
            self._source.kind is SourceKind.WEB and duration is None
        )
        total = stream.frames or (round(duration * rate) if duration else 0)
        height, width = _pixels(first).shape[:2]
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        tick = LIVE_TICK if is_live else (stream.time_base or LIVE_TICK)
        return VideoInfo(
            (height, width),
            rate,
            tick,
            None if is_live else total or None,
            is_live,
            (first.pts or 0) * tick,
            1 / aspect if first.rotation % 180 else aspect,
        )


def _open(source: Source, timeout: float) -> InputContainer:
    is_file = source.kind is SourceKind.FILE
    if is_file:
        _check_file(Path(source.name))
    options = {"rtsp_transport": "tcp"} if source.name.lower().startswith("rtsp") else {}
    try:
        # a name such as a:b.mp4 is a file, not a protocol
        return av.open(
            f"file:{source.name}" if is_file else source.name,
            options=options,
            timeout=None if is_file else timeout,
        )
    except (FFmpegError, UnicodeError) as error:
        if is_file:
            raise DataError(
                f"{source}: is no video that can be read ({_reason(error)}); it may be truncated, fetch it "
                f"again or convert it to MP4"
            ) from error
        raise DataError(
            f"{source}: cannot be opened within {timeout:g} s ({_reason(error)}); check the address, "
            f"the network, and that it is a video"
        ) from error


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such video; check the path") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if is_empty:
        raise DataError(f"{path}: the video is empty; fetch it again")


def _video_stream(container: InputContainer, source: Source) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song
            stream.thread_type = "AUTO"
            return stream
    what = "sound but no video" if container.streams.audio else "no video; it may be truncated"
    raise DataError(f"{source}: holds {what}; give a file with pictures")


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds of the pictures; the shorter, where sound goes on or an edit list leaves pictures out."""
    said = [Fraction(container.duration, 1_000_000)] if container.duration else []
    if stream.duration and stream.time_base:
        said.append(stream.duration * stream.time_base)
    return min(said, default=None)


def _pixels(frame: VideoFrame) -> NDArray[np.uint8]:
    """RGB, turned upright by the rotation that phones write."""
    rgb: NDArray[Any] = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb


def _chain(first: VideoFrame, others: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from others


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return "no answer" if isinstance(error, ExitError) else str(text)  # what the timeout interrupts
