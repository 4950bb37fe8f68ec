"""``spatialflow predict clip.mp4``, a webcam's number, or a stream's address."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from spatialflow.cli.console import complain, errors, say
from spatialflow.errors import ConfigError

if TYPE_CHECKING:
    from spatialflow.precision import Precision
    from spatialflow.video import VideoResult
    from spatialflow.video.run import FramePredictor
    from spatialflow.video.sources import Source

Json = Annotated[
    bool, typer.Option("--json/--no-json", help="Of videos: also write panoptic frames and their JSON.")
]
MaxFrames = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of videos: stop after so many frames.")
]
Stride = Annotated[int, typer.Option(min=1, metavar="N", help="Of videos: take every Nth frame only.")]


def has_video(sources: Sequence[str]) -> bool:
    """Whether the arguments are videos; photos may not be among them.

    Raises:
        ConfigError: they are mixed.
    """
    from spatialflow.video.sources import is_video

    videos = [is_video(source) for source in sources]
    if any(videos) and not all(videos):
        photo, video = sources[videos.index(False)], sources[videos.index(True)]
        raise ConfigError(f"{photo} is no video, and {video} is one; give photos and videos to two commands")
    return any(videos)


def predict_videos(
    sources: Sequence[str],
    checkpoint: str,
    out: Path,
    overlay: bool,
    device: str,
    precision: str,
    tta: bool,
    json: bool,
    max_frames: int | None,
    stride: int,
    photo_options: Sequence[str],
) -> None:
    """Segment videos one after the other; the arguments are the command's.

    ``photo_options`` are those given that only photos can have.

    Raises:
        ConfigError: they do not fit together.
        SpatialFlowError: a source cannot be read, or a result not written.
    """
    from spatialflow.video.reading import open_video
    from spatialflow.video.segment import check_output
    from spatialflow.video.sources import SourceKind, parse_source

    if photo_options:
        raise ConfigError(f"{', '.join(photo_options)}: of photos only; leave it out for a video")
    if not overlay:
        raise ConfigError("--no-overlay: the overlay is what a video becomes; leave the option out")
    read = [parse_source(source) for source in sources]
    outputs = _outputs(read, out)
    for parsed, path in zip(read, outputs, strict=True):
        check_output(path, parsed)
        if parsed.kind is SourceKind.FILE:  # before the model is loaded
            open_video(parsed).__exit__(None, None, None)
    from spatialflow.export.loading import load_predictor

    predictor, hardware = load_predictor(checkpoint, device, cast("Precision", precision), tta)
    say(f"running on {hardware}{', with test-time augmentation' if tta else ''}")
    is_whole = True
    for source, path in zip(sources, outputs, strict=True):
        json_out = path.with_suffix("") / "panoptic.json" if json else None
        result = _segment(predictor, source, path, json_out, max_frames, stride)
        say(_described(result))
        if result.problem is not None:
            complain("incomplete", f"{parse_source(source)}: {result.problem}", "bold yellow")
            is_whole = False
    if not is_whole:
        raise typer.Exit(1)


def _segment(
    predictor: "FramePredictor",
    source: str,
    path: Path,
    json_out: Path | None,
    max_frames: int | None,
    stride: int,
) -> "VideoResult":
    from spatialflow.video import segment_video
    from spatialflow.video.sources import parse_source

    with _bar(str(parse_source(source))) as (bar, task):

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        return segment_video(
            predictor, source, path, json_out=json_out, progress=show, max_frames=max_frames, stride=stride
        )


def _outputs(sources: "Sequence[Source]", out: Path) -> list[Path]:
    """The video that each source becomes: ``out`` itself, or files in it.

    Raises:
        ConfigError: one file for several sources, or one name for two of them.
    """
    if out.suffix and not out.is_dir():
        if len(sources) > 1:
            raise ConfigError(f"--out {out}: is one file, and there are {len(sources)} videos; give a folder")
        return [out]
    paths = [out / f"{source.stem}.mp4" for source in sources]
    for i, path in enumerate(paths):
        if path in paths[:i]:
            first = sources[paths.index(path)]
            raise ConfigError(f"{first} and {sources[i]} would both become {path}; use two commands")
    return paths


def _described(result: "VideoResult") -> str:
    of = f" of {result.total}" if result.total is not None and result.total != result.frames else ""
    parts = [
        f"{result.path}: {result.frames}{of} frames in {result.seconds:.1f} s, {result.rate:.1f} a second",
        f"{result.things} things",
    ]
    if result.dropped:
        parts.append(f"{result.dropped} frames dropped that came too fast")
    if result.json_path is not None:
        parts.append(f"panoptic frames: {result.json_path}")
    return "; ".join(parts)


class _FrameRate(ProgressColumn):
    """Frames a second, of late."""

    def render(self, task: Task) -> Text:
        """A number with its unit."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} frames/s", style="progress.data.speed")


@contextmanager
def _bar(title: str) -> Iterator[tuple[Progress, TaskID]]:
    """A bar with the frame rate; of a live source it has no end."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _FrameRate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        yield bar, bar.add_task(title, total=None)
