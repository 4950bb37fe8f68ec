"""A synthetic clip as a file, for trying things out."""

import os
from fractions import Fraction
from pathlib import Path

from spatialflow.data.synthetic import SIZE
from spatialflow.data.synthetic_clip import draw_clip
from spatialflow.files import atomic_path
from spatialflow.video.writing import VideoWriter

_RATE = Fraction(25)


def write_synthetic_clip(
    path: str | os.PathLike[str], num_frames: int = 75, seed: int = 0, size: tuple[int, int] = SIZE
) -> Path:
    """Write a clip of the kind that the shipped model ``tiny`` knows: shapes that cross textured ground.

    Args:
        path: ends in .mp4, .mov, .m4v or .mkv.
        num_frames: 25 a second.
        seed: 0 or more.
        size: (H, W), 64 or more each.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as hidden, VideoWriter(hidden, size, _RATE, shown=path) as writer:
        for number, frame in enumerate(draw_clip(seed, num_frames, size)):
            writer.write(frame.photo, number / _RATE)
    return Path(path)
