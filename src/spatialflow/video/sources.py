"""What a video can come from: a file, a webcam's number, a stream's address."""

import enum
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from spatialflow.image_io import PHOTO_SUFFIXES

VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "flv", "3gp"),
        "ogv",
    )
)
"""Files that are taken for videos; in Python, any file that FFmpeg's libraries read will do."""
_STREAM_SCHEMES = frozenset(("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"))
_WEB_SCHEMES = frozenset(("http", "https"))


class SourceKind(enum.Enum):
    """How a source is opened and read."""

    FILE = "file"
    WEBCAM = "webcam"
    STREAM = "stream"
    """Comes at its own pace."""
    WEB = "web"
    """A file, or a stream, behind http."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where frames come from."""

    kind: SourceKind
    name: str
    """Path, number or address."""

    def __str__(self) -> str:
        """The name for people, without a password that an address may hold."""
        if self.kind is SourceKind.WEBCAM:
            return f"webcam {self.name}"
        if self.kind is SourceKind.FILE:
            return self.name
        parts = urlsplit(self.name)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def stem(self) -> str:
        """What results are called: ``clip`` of ``clip.mp4``, ``webcam0``, ``garden`` of ``rtsp://host/garden``."""
        if self.kind is SourceKind.WEBCAM:
            return f"webcam{self.name}"
        if self.kind is SourceKind.FILE:
            return Path(self.name).stem
        parts = urlsplit(self.name)
        return PurePosixPath(parts.path).stem or parts.hostname or "stream"


def parse_source(source: str | os.PathLike[str] | int) -> Source:
    """Tell what a name stands for: an existing file comes first, then a webcam's number, then an address."""
    name = str(source) if isinstance(source, int) else os.fspath(source)
    scheme = name.partition("://")[0].lower() if "://" in name else ""
    if scheme in _STREAM_SCHEMES:
        return Source(SourceKind.STREAM, name)
    if scheme in _WEB_SCHEMES:
        return Source(SourceKind.WEB, name)
    if name.isdecimal() and (isinstance(source, int) or not Path(name).exists()):
        return Source(SourceKind.WEBCAM, str(int(name)))
    return Source(SourceKind.FILE, name)


def is_video(source: str) -> bool:
    """Whether an argument of the command line names a video, by its look alone."""
    parsed = parse_source(source)
    if parsed.kind is SourceKind.FILE:
        return Path(source).suffix.lower() in VIDEO_SUFFIXES and not Path(source).is_dir()
    if parsed.kind is SourceKind.WEB:
        return PurePosixPath(urlsplit(source).path).suffix.lower() not in PHOTO_SUFFIXES
    return True
