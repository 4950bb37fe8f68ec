"""What the page takes, said without loading anything: the command's ``--help`` reads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one visitor can ask for; the defaults of ``spatialflow serve``."""

    upload_mb: int = 50
    """Megabytes (2^20 bytes) of a file."""
    megapixels: int = 40
    """Of a photo, or of one frame of a clip."""
    clip_seconds: int = 60
    """Length of a clip."""
    queue: int = 20
    """Requests that wait for the network; further ones are turned away."""

    def __str__(self) -> str:
        """One line for the page."""
        return (
            f"Photos up to {self.upload_mb} MB and {self.megapixels} megapixels, "
            f"clips up to {self.clip_seconds} seconds."
        )


LIMITS = Limits()
"""Those that ``spatialflow serve`` has by itself."""
