"""A synthetic clip as a file, for trying things out."""

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from spatialflow.data.synthetic import SIZE
from spatialflow.data.synthetic_clip import draw_clip
from spatialflow.files import atomic_path
from spatialflow.video.writing import VideoWriter

_RATE = Fraction(25)


def write_synthetic_clip(
    path: str | os.PathLike[str],
    num_frames: int = 75,
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    scale: int = 1,
) -> Path:
    """Write a clip of the kind that the shipped model ``tiny`` knows: shapes that cross textured ground.

    Args:
        path: ends in .mp4, .mov, .m4v or .mkv.
        num_frames: 25 a second.
        seed: 0 or more.
        size: (H, W) of the drawing, 64 or more each.
        scale: by which the drawing is enlarged to the clip's frames, for people to look at.

    Raises:
        OutputError: it cannot be written.
    """
    height, width = size[0] * scale, size[1] * scale
    with atomic_path(path) as hidden, VideoWriter(hidden, (height, width), _RATE, shown=path) as writer:
        for number, frame in enumerate(draw_clip(seed, num_frames, size)):
            enlarged = cv2.resize(frame.photo, (width, height), interpolation=cv2.INTER_CUBIC)
            writer.write(enlarged.astype(np.uint8), number / _RATE)
    return Path(path)
