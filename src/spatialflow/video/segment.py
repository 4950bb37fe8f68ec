"""From a video to its overlay and panoptic frames, in one pass and in constant memory."""

import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from spatialflow.errors import OutputError
from spatialflow.staging import Staging
from spatialflow.video.frame_files import FrameFiles
from spatialflow.video.reading import TIMEOUT, open_video
from spatialflow.video.run import FramePredictor, VideoRun
from spatialflow.video.sound import add_sound
from spatialflow.video.sources import Source, SourceKind, parse_source
from spatialflow.video.tracking import TrackerConfig
from spatialflow.video.writing import SUFFIXES, is_ours

_log = logging.getLogger(__name__)


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
        stride: take every so many'th frame only, from the first on.
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
        run = VideoRun(predictor, video, staging.hidden / path.name, path, files, tracker, stride)
        begin = time.perf_counter()
        run.go(max_frames, progress)
        if run.is_interrupted and not video.info.is_live:
            if run.frames == 0 or path.exists():
                raise KeyboardInterrupt
            _log.info("interrupted: %s has the %d frames that are done", path, run.frames)
        if read.kind is SourceKind.FILE:
            _add_sound(staging.hidden / path.name, read, video.info.start, path)
        check_output(path, read)
        staging.show()
        if files is not None:
            files.finish()
        seconds = time.perf_counter() - begin
    if run.is_interrupted and not video.info.is_live:
        raise KeyboardInterrupt
    return VideoResult(
        path,
        None if files is None else files.path,
        run.frames,
        run.total,
        run.tracker.num_things,
        run.dropped,
        seconds,
        video.problem,
        run.is_interrupted,
    )


def _add_sound(hidden: Path, source: Source, start: Fraction, shown: Path) -> None:
    """Give the overlay the source's sound, if it has any."""
    silent = hidden.replace(hidden.with_stem("silent"))
    if add_sound(silent, source.name, hidden, start, shown):
        silent.unlink()
    else:
        silent.replace(hidden)


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
