"""The sound of a video file, copied as it is beside the overlay's pictures."""

import heapq
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from spatialflow.errors import OutputError
from spatialflow.video.writing import open_for_writing

_FITTING = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
"""Codecs that fit into MP4, QuickTime and Matroska alike."""

_log = logging.getLogger(__name__)


def add_sound(
    pictures: Path, source: str | os.PathLike[str], out: Path, start: Fraction, shown: Path
) -> bool:
    """Copy the pictures of one file and the sound of another into a third.

    Args:
        pictures: a video without sound.
        source: has the sound, which is cut where the pictures end.
        out: the new file, not written atomically.
        start: second of ``source`` that is the first of ``pictures``.
        shown: the name that errors give ``out``.

    Returns:
        False, and nothing is written, if there is no sound, or none that can be copied.

    Raises:
        OutputError: ``out`` cannot be written.
    """
    with av.open(f"file:{os.fspath(source)}") as heard, av.open(f"file:{pictures}") as seen:
        if not heard.streams.audio:
            return False
        sound, picture = heard.streams.audio[0], seen.streams.video[0]
        if sound.codec_context.name not in _FITTING:
            _log.info("%s: its sound (%s) is left out, as it does not fit", source, sound.codec_context.name)
            return False
        end = Fraction(seen.duration or 0, 1_000_000)
        try:
            with open_for_writing(out) as container:
                targets = [container.add_stream_from_template(s) for s in (picture, sound)]
                packets = heapq.merge(
                    _timed(seen, picture, 0, Fraction(0)), _timed(heard, sound, 1, start), key=lambda p: p[:2]
                )
                for moment, which, packet in packets:
                    if which == 1 and not 0 <= moment < end:
                        continue
                    packet.stream = targets[which]
                    container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise OutputError(
                f"{shown}: the sound cannot be copied ({getattr(error, 'strerror', None) or error}); free "
                f"some space, or copy the video without sound first"
            ) from error
    return True


def _timed(
    container: InputContainer, stream: Stream, which: int, start: Fraction
) -> Iterator[tuple[Fraction, int, Packet]]:
    """Packets with the second at which they are due, as far as the file can be read."""
    tick = stream.time_base or Fraction(1)
    offset = round(start / tick)
    try:
        for packet in container.demux(stream):
            if packet.dts is None:  # the end
                continue
            packet.dts -= offset
            if packet.pts is not None:
                packet.pts -= offset
            yield packet.dts * tick, which, packet
    except FFmpegError:  # what breaks off has been told of already, with its pictures
        return
