"""Speed of video: each part by itself, and all of them together, on a generated clip.

Decoding, the network, tracking, drawing, encoding and the panoptic frames run one after the other first, each
timed; then ``segment_video`` does the same with its threads.

    python benchmarks/video.py [--frames 200] [--height 360 --width 640] [--checkpoint tiny]
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import spatialflow as sf
from spatialflow.video import Tracker, segment_video, write_synthetic_clip
from spatialflow.video.frame_files import FrameFiles
from spatialflow.video.names import SteadyNames
from spatialflow.video.reading import open_video
from spatialflow.video.sources import parse_source
from spatialflow.video.writing import VideoWriter
from spatialflow.visualize import draw_overlay

T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--checkpoint", default="tiny")
    arguments = parser.parse_args()
    predictor = sf.Predictor(sf.load_model(arguments.checkpoint))
    size = arguments.height, arguments.width
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_synthetic_clip(folder / "clip.mp4", arguments.frames, size=size)
        predictor.predict(np.zeros((*size, 3), np.uint8))  # warm
        parts = one_after_the_other(predictor, clip, folder)
        together = segment_video(
            predictor, clip, folder / "out.mp4", json_out=folder / "out" / "panoptic.json"
        )
    frames = arguments.frames
    table = Table(title=f"{frames} frames of {size[1]}x{size[0]}, {torch.get_num_threads()} threads")
    for column in ("part", "ms a frame", "frames a second"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for part, seconds in parts.items():
        table.add_row(part, f"{1000 * seconds / frames:.1f}", f"{frames / seconds:.1f}")
    table.add_section()
    total = sum(parts.values())
    table.add_row("one after the other", f"{1000 * total / frames:.1f}", f"{frames / total:.1f}")
    table.add_row("segment_video", f"{1000 / together.rate:.1f}", f"{together.rate:.1f}")
    Console().print(table)


def one_after_the_other(predictor: sf.Predictor, clip: Path, folder: Path) -> Counter[str]:
    """Seconds of each part."""
    times: Counter[str] = Counter()

    def timed(part: str, work: Callable[..., T], *arguments: object) -> T:
        begin = time.perf_counter()
        result = work(*arguments)
        times[part] += time.perf_counter() - begin
        return result

    draw = partial(draw_overlay, labels=False, color_by="id", min_side=0)
    tracker, names = Tracker(), SteadyNames()
    with (
        open_video(parse_source(clip)) as video,
        VideoWriter(folder / "plain.mp4", video.info.size, video.info.rate, video.info.tick) as writer,
        FrameFiles(folder / "plain.json", predictor.categories, video.info.size) as files,
    ):
        frames = iter(video)
        while (frame := timed("decode", next, frames, None)) is not None:
            raw = timed("network and merge", predictor.predict, frame.pixels)
            tracked = timed("track", tracker.update, raw)
            ids, segments = tracked.segment_ids.numpy(), tracked.segments
            picture = timed("draw", draw, frame.pixels, ids, segments)
            timed("names", names.write, picture, ids, segments)
            timed("encode", writer.write, np.asarray(picture), frame.time)
            timed("panoptic frame", files.add, tracked, frame.time)
    return times


if __name__ == "__main__":
    main()
