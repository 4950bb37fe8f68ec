"""The files of a clip's result."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spatialflow.video import segment_video
from spatialflow.web.engine import Engine

_HIGHEST_RATE = 120
"""Frames a second; bounds a clip whose header lies about its length."""


class ClipFiles(NamedTuple):
    """Paths of a clip's result."""

    overlay: Path
    """Video with class names."""
    archive: Path
    """COCO-panoptic JSON and PNGs of all frames."""


def write_clip(
    engine: Engine, clip: Path, folder: Path, seconds: int, progress: Callable[[int, int | None], object]
) -> ClipFiles:
    """Segment a clip, and write the result to a new folder of its own.

    Args:
        engine: whose frames take turns with the photos of others.
        clip: the file.
        folder: in which the new one is made.
        seconds: the longest that is taken.
        progress: called after each frame with the number so far, and of all, if that is known.

    Raises:
        DataError: the clip cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="clip-", dir=folder))
    try:
        result = segment_video(
            engine,
            clip,
            out / f"{clip.stem}.mp4",
            json_out=out / "panoptic.json",
            progress=progress,
            max_frames=seconds * _HIGHEST_RATE,
        )
        archive = out / f"{clip.stem}.zip"
        with zipfile.ZipFile(archive, "w") as zipped:  # stored, as PNGs are compressed already
            zipped.write(out / "panoptic.json", "panoptic.json")
            for png in sorted((out / "panoptic").glob("*.png")):
                zipped.write(png, f"panoptic/{png.name}")
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    (out / "panoptic.json").unlink()
    shutil.rmtree(out / "panoptic")
    return ClipFiles(result.path, archive)
