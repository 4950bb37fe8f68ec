"""What the page takes, and what it says of the rest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow.errors import DataError
from spatialflow.image_io import read_image_size

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one visitor can ask for; the defaults of ``spatialflow serve``."""

    upload_mb: int = 50
    """Megabytes of a file."""
    megapixels: int = 40
    """Of a photo, or of one frame of a clip."""
    clip_seconds: int = 60
    """Length of a clip."""
    queue: int = 20
    """Requests that wait for the network; further ones are turned away."""

    def check_photo(self, path: Path) -> None:
        """See from its header alone that a photo is one, and not too large.

        Raises:
            DataError: it is not, or has more than ``megapixels``.
        """
        height, width = read_image_size(path)
        self.check_pixels(path, width, height)

    def check_pixels(self, path: Path, width: int, height: int) -> None:
        """See that a picture of this size is not too large.

        Raises:
            DataError: it is.
        """
        if width * height > self.megapixels * MEGA:
            raise DataError(
                f"{path}: has {width}x{height} = {width * height / MEGA:.1f} megapixels and this server "
                f"takes {self.megapixels}; scale it down"
            )

    def check_clip(self, path: Path) -> None:
        """See from its header that a clip is one, and neither too long nor too large.

        Raises:
            DataError: it is no video, or beyond the limits.
        """
        import av

        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                width, height = stream.width, stream.height
                seconds = _seconds(container, stream)
        except (av.FFmpegError, IndexError, OSError, ValueError) as error:
            raise DataError(f"{path}: is not a video that can be read; convert it to MP4") from error
        self.check_pixels(path, width, height)
        if seconds is None:
            raise DataError(f"{path}: does not say how long it is; convert it to MP4")
        if seconds > self.clip_seconds:
            raise DataError(
                f"{path}: is {seconds:.0f} seconds long and this server takes {self.clip_seconds}; cut it"
            )

    def __str__(self) -> str:
        """One line for the page."""
        return (
            f"Photos up to {self.upload_mb} MB and {self.megapixels} megapixels, "
            f"clips up to {self.clip_seconds} seconds."
        )


LIMITS = Limits()
"""Those that ``spatialflow serve`` has by itself."""


def _seconds(container: Any, stream: Any) -> float | None:
    """Length that the header states, if it does."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else float(container.duration) / MEGA
