"""Frames of video files, streams and webcams, one after the other."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from spatialflow.errors import DataError
from spatialflow.video.sources import Source, SourceKind

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

TIMEOUT = 10.0
"""Seconds that a stream may take to answer, or to go on."""
_LIVE_TICK = Fraction(1, 1000)
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
                now = _since(begin)
            else:
                now = last + step if frame.pts is None else (frame.pts - start) * self.info.tick
            if count and now <= last:  # damaged, or two streams glued together
                now = last + (self.info.tick if self.info.is_live else step)
            now = max(now, Fraction(0))
            yield Frame(_pixels(frame), now)
            last, count = now, count + 1
        if self.problem is None and self._damaged:
            self.problem = f"{self._damaged} damaged pieces could not be decoded and are left out"
        elif self.problem is None and self._is_short(count, last):
            self.problem = f"it breaks off after {count} of {self.info.total} frames"

    def _is_short(self, count: int, last: Fraction) -> bool:
        """Whether the file says that there is more; by a tenth, as such numbers are not always exact."""
        total = self.info.total
        return total is not None and count < 0.9 * total and last < Fraction(9, 10) * total / self.info.rate

    def _decode(self) -> Iterator["VideoFrame"]:
        from av.error import FFmpegError

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

    def _describe(self, first: "VideoFrame") -> VideoInfo:
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        duration = None
        if stream.duration and stream.time_base:
            duration = stream.duration * stream.time_base
        elif self._container.duration:
            duration = Fraction(self._container.duration, 1_000_000)
        is_live = self._source.kind is SourceKind.STREAM or (
            self._source.kind is SourceKind.WEB and duration is None
        )
        total = stream.frames or (round(duration * rate) if duration else 0)
        height, width = _pixels(first).shape[:2]
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        return VideoInfo(
            (height, width),
            rate,
            _LIVE_TICK if is_live else (stream.time_base or _LIVE_TICK),
            None if is_live else total or None,
            is_live,
            1 / aspect if first.rotation % 180 else aspect,
        )


class WebcamReader:
    """A camera of this computer, read by OpenCV, which knows every operating system's."""

    def __init__(self, source: Source) -> None:
        import cv2

        self.problem: str | None = None
        self._source = source
        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # a missing camera is told below, in one line
        try:
            self._camera = cv2.VideoCapture(int(source.name))
        finally:
            logging.setLogLevel(level)
        self._first = self._take()
        if self._first is None:
            self._camera.release()
            raise DataError(
                f"webcam {source.name}: cannot be opened; see that it is plugged in, free and allowed to "
                f"you, or try another number (0 is the first)"
            )
        rate = self._camera.get(cv2.CAP_PROP_FPS)
        self.info = VideoInfo(
            self._first.shape[:2],
            Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else Fraction(30),
            _LIVE_TICK,
            None,
            is_live=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the camera."""
        self._camera.release()

    def __iter__(self) -> Iterator[Frame]:
        """Frames as they come."""
        begin, last = time.monotonic(), Fraction(0)
        pixels, now = self._first, last
        while pixels is not None:
            yield Frame(pixels, now)
            pixels = self._take()
            last, now = now, max(_since(begin), now + _LIVE_TICK)
        self.problem = "the webcam gives no more pictures"

    def _take(self) -> NDArray[np.uint8] | None:
        import cv2

        ok, bgr = self._camera.read()
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False) if ok else None


def _open(source: Source, timeout: float) -> "InputContainer":
    import av
    from av.error import FFmpegError

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


def _video_stream(container: "InputContainer", source: Source) -> "VideoStream":
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song
            stream.thread_type = "AUTO"
            return stream
    raise DataError(f"{source}: holds sound but no video; give a file with pictures")


def _pixels(frame: "VideoFrame") -> NDArray[np.uint8]:
    """RGB, turned upright by the rotation that phones write."""
    rgb: NDArray[Any] = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb


def _chain(first: "VideoFrame", others: Iterator["VideoFrame"]) -> Iterator["VideoFrame"]:
    yield first
    yield from others


def _since(begin: float) -> Fraction:
    return Fraction(round((time.monotonic() - begin) / _LIVE_TICK)) * _LIVE_TICK


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    with contextlib.suppress(ImportError):
        from av.error import ExitError

        if isinstance(error, ExitError):  # what the timeout interrupts
            return "no answer"
    return str(text)
