"""The files that requests name: those uploaded to this server, and nothing else."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialflow.errors import DataError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ADDRESS, _ELSEWHERE = "no-upload-but-an-address", "no-upload-but-a-path"
"""Names of files that are never there, which stand for what a request may not name."""
_MOST_JSON = 4_000_000
"""Bytes of a request that is no upload."""


def uploaded_file(data: object, what: str = "photo") -> Path:
    """The path of an upload.

    Args:
        data: Gradio's description of a file, ``{"path": ...}``, from a request that came through
            :class:`OnlyUploads`.
        what: an error calls it so.

    Raises:
        DataError: there is no file, or none that was uploaded.
    """
    path = data.get("path") if isinstance(data, Mapping) else None
    if not isinstance(path, str):
        raise DataError(f"{what}: no file was given; choose one")
    name = Path(path).name
    if name == _ADDRESS:
        raise DataError(f"{what}: is an address, which this server does not fetch; send the file itself")
    if name == _ELSEWHERE:
        raise DataError(f"{what}: is no file that was uploaded to this server; upload it first")
    return Path(path)


def told_to_visitor(error: Exception, path: Path | None) -> str:
    """The message of an error, with the file's name in the place of its path on the server."""
    message = str(error)
    return message if path is None else message.replace(str(path), path.name)


class OnlyUploads:
    """ASGI middleware: no request makes this machine open other files than uploads, or call other machines.

    Gradio fetches an address that stands where a file's path should, and hands out what addresses behind
    ``file=`` and ``proxy=`` hold. Here the first becomes the name of a file that is not there, which
    :func:`uploaded_file` explains to the visitor, and the others are refused.

    Args:
        app: the one inside.
        folder: where Gradio puts uploads and results.
    """

    def __init__(self, app: "ASGIApp", folder: Path) -> None:
        self._app = app
        self._folder = folder

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path = scope["path"]
            if "/proxy=" in path or ("/file=" in path and _is_address(path.split("/file=", 1)[1])):
                await _answer(send, 403, "this server hands out no other's files")
                return
            if scope["method"] == "POST" and not path.rstrip("/").endswith("/upload"):
                body = await _read(receive)
                if body is None:
                    await _answer(send, 413, f"a request may have {_MOST_JSON} bytes besides uploads")
                    return
                disarmed = self._disarmed(body)
                if disarmed is None:
                    await _answer(send, 400, "a request may not have lists within lists without end")
                    return
                scope, receive = _with_body(scope, receive, disarmed)
        await self._app(scope, receive, send)

    def _disarmed(self, body: bytes) -> bytes | None:
        """The JSON of a request with harmless paths, None if it is nested too deeply to be searched for them.

        What is no JSON stays, and Gradio refuses it.
        """
        try:
            return json.dumps(self._walk(json.loads(body))).encode()
        except ValueError:
            return body
        except RecursionError:
            return None

    def _walk(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        walked = {key: self._walk(each) for key, each in value.items()}
        if "path" in walked:
            walked |= {"path": self._harmless(walked["path"]), "url": None}
        return walked

    def _harmless(self, path: Any) -> str:
        if isinstance(path, str) and not _is_address(path) and "\0" not in path:
            inside, real = os.path.realpath(self._folder), os.path.realpath(path)
            if real.startswith(inside + os.sep) and Path(real).is_file():
                return real
        is_address = isinstance(path, str) and _is_address(path)
        return str(self._folder / (_ADDRESS if is_address else _ELSEWHERE))


def _is_address(path: str) -> bool:
    """Whether a scheme stands in front, with one slash or two, as some servers merge them."""
    return ":/" in path or path.startswith("//") or path.lower().startswith(("http:", "https:", "data:"))


async def _read(receive: "Receive") -> bytes | None:
    """The whole body, or None if it is too long."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the visitor has left
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_JSON:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _with_body(scope: "Scope", receive: "Receive", body: bytes) -> "tuple[Scope, Receive]":
    """The request with another body."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> "Message":
        return pending.pop() if pending else await receive()

    return {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}, again


async def _answer(send: "Send", status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
