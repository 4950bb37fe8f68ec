"""Whether a photo or a clip is within the limits, from its header alone."""

from pathlib import Path
from typing import Any

from spatialflow.errors import DataError
from spatialflow.image_io import read_image_size
from spatialflow.web.limits import Limits

_MEGA = 1_000_000
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,gif"
"""FFmpeg's names of what a clip may be: no playlists, which name further files and addresses."""


def check_photo(path: Path, limits: Limits) -> None:
    """See that a photo is one, and not too large.

    Raises:
        DataError: it is not, or has more than ``limits.megapixels``.
    """
    height, width = read_image_size(path)
    _check_pixels(path, width, height, limits)


def check_clip(path: Path, limits: Limits) -> None:
    """See that a clip is one, and neither too long nor too large.

    Raises:
        DataError: it is no video, or beyond the limits.
    """
    import av

    try:
        with av.open(str(path), options={"format_whitelist": _FORMATS}) as container:
            stream = container.streams.video[0]
            width, height = stream.width, stream.height
            seconds = _seconds(container, stream)
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise DataError(f"{path}: is not a video that can be read; convert it to MP4") from error
    _check_pixels(path, width, height, limits)
    if seconds is None:
        raise DataError(f"{path}: does not say how long it is; convert it to MP4")
    if seconds > limits.clip_seconds:
        raise DataError(
            f"{path}: is {seconds:.0f} seconds long and this server takes {limits.clip_seconds}; cut it"
        )


def _check_pixels(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.megapixels * _MEGA:
        raise DataError(
            f"{path}: has {width}x{height} = {width * height / _MEGA:.1f} megapixels and this server "
            f"takes {limits.megapixels}; scale it down"
        )


def _seconds(container: Any, stream: Any) -> float | None:
    """Length that the header states, if it does."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else float(container.duration) / _MEGA
