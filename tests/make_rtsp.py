"""A small RTSP server (RFC 2326) that plays pictures in a loop, as H.264 in RTP over the same connection."""

import base64
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 25


@contextlib.contextmanager
def rtsp_server(photos: Iterable[NDArray[np.uint8]]) -> Iterator[str]:
    """Serve any number of clients, one after the other; yields the address."""
    pictures = _encode(photos)
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        _talk(connection, pictures, stopped)

        threading.Thread(target=serve, daemon=True).start()
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}"
        stopped.set()


def _encode(photos: Iterable[NDArray[np.uint8]]) -> list[list[bytes]]:
    """The units of each picture (ITU-T H.264, annex B), without their start codes."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "slice-max-size": "1200"}
    pictures = []
    for photo in photos:
        if not context.is_open:
            context.height, context.width = photo.shape[:2]
            context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, RATE), RATE
        frame = av.VideoFrame.from_ndarray(photo, format="rgb24").reformat(format="yuv420p")
        pictures += [bytes(packet) for packet in context.encode(frame)]
    return [[unit for unit in re.split(b"\0?\0\0\1", picture) if unit] for picture in pictures]


def _talk(connection: socket.socket, pictures: list[list[bytes]], stopped: threading.Event) -> None:
    """Answer requests until PLAY, then send pictures."""
    parameters = ",".join(base64.b64encode(u).decode() for u in pictures[0] if u[0] & 31 in (7, 8))
    description = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={parameters}\r\na=control:track1\r\n"
    )
    while True:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = connection.recv(4096)
            if not part:
                return None
            request += part
        method = request.split()[0].decode()
        number = re.search(rb"CSeq: *(\d+)", request)
        assert number is not None
        lines = [f"RTSP/1.0 200 OK\r\nCSeq: {number[1].decode()}\r\n"]
        body = ""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n")
        elif method == "DESCRIBE":
            body = description
            lines.append(f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n")
        elif method == "SETUP":
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n")
        else:
            lines.append("Session: 1\r\n")
        connection.sendall("".join([*lines, "\r\n", body]).encode())
        if method == "PLAY":
            return _play(connection, pictures, stopped)


def _play(connection: socket.socket, pictures: list[list[bytes]], stopped: threading.Event) -> None:
    sequence = count = 0
    while not stopped.is_set():
        units = pictures[count % len(pictures)]
        for unit in units:
            last = 0x80 if unit is units[-1] else 0
            moment = count * 90000 // RATE
            packet = struct.pack(">BBHII", 0x80, 96 | last, sequence & 0xFFFF, moment, 7) + unit
            connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
            sequence += 1
        count += 1
        time.sleep(1 / RATE)
