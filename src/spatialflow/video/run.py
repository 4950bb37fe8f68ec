"""One video on its way: decoded ahead, segmented, and drawn and written behind."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.structures import PanopticPrediction
from spatialflow.video.frame_files import FrameFiles
from spatialflow.video.frames import Frame, VideoReader
from spatialflow.video.names import SteadyNames
from spatialflow.video.threads import Ahead, Behind
from spatialflow.video.tracking import Tracker, TrackerConfig
from spatialflow.video.writing import VideoWriter
from spatialflow.visualize import draw_overlay


class FramePredictor(Protocol):
    """What a :class:`spatialflow.Predictor` is to a video."""

    @property
    def categories(self) -> Categories:
        """Of the predictions."""

    def predict(self, image: NDArray[np.uint8], /) -> PanopticPrediction:
        """Segment one frame, (H, W, 3) uint8 RGB."""


class VideoRun:
    """One video on its way: decoded ahead, segmented here, drawn and written behind."""

    def __init__(
        self,
        predictor: FramePredictor,
        video: VideoReader,
        hidden: Path,
        shown: Path,
        files: FrameFiles | None,
        config: TrackerConfig | None,
        stride: int,
    ) -> None:
        info = video.info
        self._predictor, self._video, self._files = predictor, video, files
        self.tracker, self._stride = Tracker(config), stride
        self._writer = VideoWriter(
            hidden, info.size, info.rate / stride, info.tick, aspect=info.aspect, shown=shown
        )
        self.total = None if info.total is None else -(-info.total // stride)
        self.frames = self.dropped = 0
        self.is_interrupted = False
        self._names = SteadyNames()

    def go(self, max_frames: int | None, progress: Callable[[int, int | None], object]) -> None:
        """Do all frames; at Ctrl+C those that are under way, and no more."""
        info = self._video.info
        if max_frames is not None:
            self.total = max_frames if self.total is None else min(self.total, max_frames)
        ahead = Ahead(self._frames(), newest=info.is_live)
        with self._writer:
            behind = Behind(self._write)
            try:
                for frame in itertools.islice(ahead, max_frames):
                    prediction = self.tracker.update(self._predictor.predict(frame.pixels))
                    behind.put((frame, prediction))
                    self.frames += 1
                    progress(self.frames, self.total)
            except KeyboardInterrupt:
                self.is_interrupted = True
            finally:
                ahead.close()
                behind.stop()
            behind.close()
            self.dropped = ahead.dropped

    def _frames(self) -> Iterator[Frame]:
        """Every frame that is to be segmented, all of one size."""
        height, width = self._video.info.size
        for frame in itertools.islice(self._video, 0, None, self._stride):
            if frame.pixels.shape[:2] != (height, width):  # some streams change while they run
                resized = cv2.resize(frame.pixels, (width, height), interpolation=cv2.INTER_AREA)
                frame = Frame(resized.astype(np.uint8, copy=False), frame.time)
            yield frame

    def _write(self, item: tuple[Frame, PanopticPrediction]) -> None:
        frame, prediction = item
        ids, segments = prediction.segment_ids.numpy(force=True), prediction.segments
        picture = draw_overlay(frame.pixels, ids, segments, labels=False, color_by="id", min_side=0)
        self._names.write(picture, ids, segments)
        self._writer.write(np.asarray(picture), frame.time)
        if self._files is not None:
            self._files.add(prediction, frame.time)
