"""Frames of a webcam."""

import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.errors import DataError
from spatialflow.video.frames import LIVE_TICK, Frame, VideoInfo, since
from spatialflow.video.sources import Source


class WebcamReader:
    """A camera of this computer, read by OpenCV, which knows every operating system's."""

    def __init__(self, source: Source) -> None:
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
            LIVE_TICK,
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
        begin, pixels, now = time.monotonic(), self._first, Fraction(0)
        while pixels is not None:
            yield Frame(pixels, now)
            pixels = self._take()
            now = max(since(begin), now + LIVE_TICK)
        self.problem = "the webcam gives no more pictures"

    def _take(self) -> NDArray[np.uint8] | None:
        ok, bgr = self._camera.read()
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False) if ok else None
