"""From a video to its overlay and panoptic frames, in one pass and in constant memory."""

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialflow.categories import Categories
from spatialflow.errors import OutputError
from spatialflow.staging import Staging
from spatialflow.structures import PanopticPrediction
from spatialflow.video.frame_files import FrameFiles
from spatialflow.video.reading import TIMEOUT, Frame, VideoReader, open_video
from spatialflow.video.sources import Source, SourceKind, parse_source
from spatialflow.video.threads import Ahead, Behind
from spatialflow.video.tracking import Tracker, TrackerConfig
from spatialflow.video.writing import SUFFIXES, VideoWriter, is_ours
from spatialflow.visualize import draw_overlay

_log = logging.getLogger(__name__)


class FramePredictor(Protocol):
    """What a :class:`spatialflow.Predictor` is to a video."""

    @property
    def categories(self) -> Categories:
        """Of the predictions."""

    def predict(self, image: NDArray[np.uint8], /) -> PanopticPrediction:
        """Segment one frame, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class VideoResult:
    """What became of a video."""

    path: Path
    """The overlay."""
    json_path: Path | None
    frames: int
    """Segmented and written."""
    total: int | None
    """Frames that were expected, where that is known."""
    things: int
    """Ids given to things."""
    dropped: int
    """Frames of a live source that came while the network was busy."""
    seconds: float
    """From the first frame to the last file."""
    problem: str | None
    """What ended the video before its time, or was wrong on the way."""
    is_interrupted: bool
    """Ended by Ctrl+C."""

    @property
    def rate(self) -> float:
        """Frames a second, all work included."""
        return self.frames / max(self.seconds, 1e-9)


def segment_video(
    predictor: FramePredictor,
    source: str | os.PathLike[str] | int,
    out: str | os.PathLike[str],
    *,
    json_out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int | None], object] = lambda done, total: None,
    max_frames: int | None = None,
    stride: int = 1,
    tracker: TrackerConfig | None = None,
    timeout: float = TIMEOUT,
) -> VideoResult:
    """Segment a video, keep the ids of its things, and write the overlay and the panoptic frames.

    Files appear under their names when they are complete, and replace those of an earlier result only. Ctrl+C
    ends a live source, and this returns; of a file, what is done so far is written and ``KeyboardInterrupt``
    goes on its way, but an earlier result then stays. A file that breaks off gives what could be read.

    Args:
        predictor: the model.
        source: path, number of a webcam, or address of a stream (rtsp, http, ...).
        out: the overlay, a file ending in .mp4, .mov, .m4v or .mkv.
        json_out: also write this COCO-panoptic file, and PNGs to the folder of its name without ``.json``.
        progress: called after each frame with the number so far, and of all, if that is known.
        max_frames: stop after so many.
        stride: take every so-manieth frame only.
        tracker: when two masks are one thing.
        timeout: seconds that a stream may take to answer, or to go on.

    Raises:
        DataError: the source cannot be opened, or holds no frames.
        OutputError: a file cannot be written, or is in the way.
        ValueError: ``max_frames`` or ``stride`` is below 1.
    """
    if stride < 1 or (max_frames is not None and max_frames < 1):
        raise ValueError(f"max_frames and stride must be 1 or more, got {max_frames} and {stride}")
    read, path = parse_source(source), Path(out)
    check_output(path, read)
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_video(read, timeout))
        staging = stack.enter_context(Staging(path.parent, path.name))
        files = None
        if json_out is not None:
            files = stack.enter_context(FrameFiles(Path(json_out), predictor.categories, video.info.size))
        run = _Run(predictor, video, staging.hidden / path.name, path, files, tracker, stride)
        begin = time.perf_counter()
        run.go(max_frames, progress)
        if run.is_interrupted and not video.info.is_live:
            if run.frames == 0 or path.exists():
                raise KeyboardInterrupt
            _log.info("interrupted: %s has the %d frames that are done", path, run.frames)
        check_output(path, read)
        staging.show()
        if files is not None:
            files.finish()
        result = run.result(path, None if files is None else files.path, time.perf_counter() - begin)
    if run.is_interrupted and not video.info.is_live:
        raise KeyboardInterrupt
    return result


def check_output(path: Path, source: Source) -> None:
    """See that a video can be written under this name, and replaces nothing but an earlier one.

    Raises:
        OutputError: it cannot.
    """
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise OutputError(
            f"{path}: the name of a video file is expected, which ends in {', '.join(SUFFIXES)}"
        )
    if not path.exists():
        return
    if source.kind is SourceKind.FILE and path.resolve() == Path(source.name).resolve():
        raise OutputError(f"{path}: is the video that is read, so it is not replaced; choose another name")
    if not is_ours(path):
        raise OutputError(
            f"{path}: is there already and no overlay of spatialflow, so it is not replaced; choose another "
            f"name"
        )


class _Run:
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
        self._tracker, self._stride = Tracker(config), stride
        self._writer = VideoWriter(
            hidden, info.size, info.rate / stride, info.tick, aspect=info.aspect, shown=shown
        )
        self.total = None if info.total is None else -(-info.total // stride)
        self.frames = self._dropped = 0
        self.is_interrupted = False

    def go(self, max_frames: int | None, progress: Callable[[int, int | None], object]) -> None:
        """Do all frames; at Ctrl+C those that are under way, and no more."""
        info = self._video.info
        if max_frames is not None:
            self.total = max_frames if self.total is None else min(self.total, max_frames)
        ahead = Ahead(self._frames(max_frames), newest=info.is_live)
        with self._writer:
            behind = Behind(self._write)
            try:
                for frame in ahead:
                    prediction = self._tracker.update(self._predictor.predict(frame.pixels))
                    behind.put((frame, prediction))
                    self.frames += 1
                    progress(self.frames, self.total)
            except KeyboardInterrupt:
                self.is_interrupted = True
            finally:
                ahead.close()
                behind.stop()
            behind.close()
            self._dropped = ahead.dropped

    def result(self, path: Path, json_path: Path | None, seconds: float) -> VideoResult:
        """What became of it."""
        return VideoResult(
            path,
            json_path,
            self.frames,
            self.total,
            self._tracker.num_things,
            self._dropped,
            seconds,
            self._video.problem,
            self.is_interrupted,
        )

    def _frames(self, max_frames: int | None) -> Iterator[Frame]:
        """Every frame that is to be segmented, all of one size."""
        stop = None if max_frames is None else (max_frames - 1) * self._stride + 1
        height, width = self._video.info.size
        for frame in itertools.islice(self._video, 0, stop, self._stride):
            if frame.pixels.shape[:2] != (height, width):  # some streams change while they run
                frame = Frame(
                    cv2.resize(frame.pixels, (width, height), interpolation=cv2.INTER_AREA).astype(
                        np.uint8, copy=False
                    ),
                    frame.time,
                )
            yield frame

    def _write(self, item: tuple[Frame, PanopticPrediction]) -> None:
        frame, prediction = item
        self._writer.write(_drawn(frame.pixels, prediction), frame.time)
        if self._files is not None:
            self._files.add(prediction, frame.time)


def _drawn(pixels: NDArray[np.uint8], prediction: PanopticPrediction) -> NDArray[Any]:
    """The overlay, of the frame's size; without scores, which would flicker."""
    picture = draw_overlay(
        pixels,
        prediction.segment_ids.numpy(force=True),
        prediction.segments,
        scores=False,
        min_side=0,
        color_by_id=True,
    )
    return np.asarray(picture)
