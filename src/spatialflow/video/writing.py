"""Writing H.264 video that browsers and phones play."""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from spatialflow.errors import OutputError

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")
"""Of the files that can be written."""
MADE_BY = "overlay of spatialflow predict"
"""Comment of the videos written here, by which a new one may replace them."""
_OPTIONS = {"crf": "20", "preset": "veryfast"}
"""Of x264: as good as the source to the eye, and quick enough not to hold the network up."""
_BT709, _LIMITED = 1, 1
"""Colour matrix and range (ITU-T H.273) that players take for granted."""


class VideoWriter:
    """One video, written frame by frame: H.264, yuv420p, the index in front so that it plays while it loads.

    The file is not written atomically: give a temporary name. Sides of odd length are lengthened by one row
    or column, the last one again, as the format needs even ones.

    Args:
        path: ends in one of :data:`SUFFIXES`.
        size: (H, W) of the frames.
        rate: frames a second, on average.
        tick: seconds; the times of frames are multiples of it.
        aspect: width of a pixel by its height.
        shown: the name that errors give the file; by default ``path``.

    Raises:
        OutputError: it cannot be written; so do the methods.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        rate: Fraction,
        tick: Fraction | None = None,
        *,
        aspect: Fraction = Fraction(1),
        shown: str | os.PathLike[str] | None = None,
    ) -> None:
        self._shown = Path(path) if shown is None else shown
        self._tick = tick or 1 / rate
        height, width = size
        with self._told():
            self._container = open_for_writing(path)
            self._stream = self._container.add_stream("libx264", rate=rate, options=_OPTIONS)
        context: Any = self._stream.codec_context
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt, context.time_base = "yuv420p", self._tick
        context.sample_aspect_ratio = aspect
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or after an error let go of it as it is."""
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(FFmpegError, OSError):
                self._container.close()

    def write(self, pixels: NDArray[np.uint8], time: Fraction) -> None:
        """Write the next frame.

        Args:
            pixels: (H, W, 3) RGB, of the size that was announced.
            time: seconds from the first frame; later than that of the frame before.
        """
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
                np.uint8, copy=False
            )
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = rgb.reformat(format="yuv420p", dst_colorspace=_BT709)
        frame.pts, frame.time_base = round(time / self._tick), self._tick
        with self._told():
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left, and the index."""
        with self._told():
            self._container.mux(self._stream.encode(None))
            self._container.close()

    @contextlib.contextmanager
    def _told(self) -> Any:
        try:
            yield
        except (FFmpegError, OSError) as error:
            raise OutputError(
                f"{self._shown}: cannot be written ({getattr(error, 'strerror', None) or error}); free some "
                f"space or choose another name"
            ) from error


def open_for_writing(path: str | os.PathLike[str]) -> OutputContainer:
    """A new file, with its index in front where that is the format's choice, marked as one of ours."""
    options = {} if Path(path).suffix.lower() == ".mkv" else {"movflags": "+faststart"}
    container = av.open(f"file:{os.fspath(path)}", "w", options=options)
    container.metadata["comment"] = MADE_BY
    return container


def is_ours(path: Path) -> bool:
    """Whether a file is a video that was written here."""
    try:
        with av.open(f"file:{path}") as container:
            return container.metadata.get("comment", container.metadata.get("COMMENT")) == MADE_BY
    except (FFmpegError, OSError):
        return False
