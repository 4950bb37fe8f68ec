"""Requests reach uploads, and no other file or machine."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from spatialflow.errors import DataError
from spatialflow.web.uploads import OnlyUploads, told_to_visitor, uploaded_file


def send(folder: Path, body: bytes, path: str = "/gradio_api/queue/join") -> tuple[bytes | None, int | None]:
    """What arrives behind the middleware, and the status it answers with itself."""
    arrived: list[bytes] = []
    statuses: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        arrived.append(message["body"])
        length = None if message["more_body"] else dict(scope["headers"])[b"content-length"]
        assert length is None or int(length) == len(message["body"])

    async def answer(message: Any) -> None:
        if "status" in message:
            statuses.append(message["status"])

    parts = [body[:7], body[7:]]

    async def receive() -> Any:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-length", b"1")]}
    asyncio.run(OnlyUploads(app, folder)(scope, receive, answer))  # type: ignore[arg-type]
    return (arrived or [None])[0], (statuses or [None])[0]  # type: ignore[list-item]


def through(folder: Path, path: Any) -> Any:
    """The description of a file in a request, as it arrives."""
    request = {"data": [{"path": path, "url": "http://a/b", "meta": {"_type": "gradio.FileData"}}, 0.5]}
    arrived, status = send(folder, json.dumps(request).encode())
    assert arrived is not None
    assert status is None
    content = json.loads(arrived)
    assert content["data"][1] == 0.5
    assert content["data"][0]["url"] is None
    return content["data"][0]


def test_an_upload_arrives(tmp_path: Path) -> None:
    photo = tmp_path / "up" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"x")
    assert uploaded_file(through(tmp_path, str(photo))) == photo


@pytest.mark.parametrize(
    "path", ["http://a/b.jpg", "HTTPS://a/b.jpg", "http:/a/b", "file:///etc/passwd", "ftp://a/b", "data:,x"]
)
def test_an_address_does_not(tmp_path: Path, path: str) -> None:
    data = through(tmp_path, path)
    assert not Path(data["path"]).exists()
    with pytest.raises(DataError, match="photo: is an address, which this server does not fetch"):
        uploaded_file(data)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{up}/../secret", "{up}", "{up}/link", "{up}/none", "", "a\0b", 7]
)
def test_another_path_does_not(tmp_path: Path, path: Any) -> None:
    up = tmp_path / "up"
    up.mkdir()
    (tmp_path / "secret").write_text("x")
    (up / "link").symlink_to(tmp_path / "secret")
    data = through(up, path.format(up=up) if isinstance(path, str) else path)
    assert not Path(data["path"]).exists()
    with pytest.raises(DataError, match="photo: is no file that was uploaded"):
        uploaded_file(data)


@pytest.mark.parametrize("data", [None, 3, {}, {"path": None}, []])
def test_no_file_is_told(data: object) -> None:
    with pytest.raises(DataError, match="clip: no file was given"):
        uploaded_file(data, "clip")


@pytest.mark.parametrize(
    "path", ["/gradio_api/proxy=http://a/b", "/gradio_api/file=http://a/b", "/file=https:/a", "/file=//a/b"]
)
def test_what_others_hold_is_not_handed_out(tmp_path: Path, path: str) -> None:
    assert send(tmp_path, b"{}", path) == (None, 403)


def test_what_is_no_json_is_left_to_gradio(tmp_path: Path) -> None:
    assert send(tmp_path, b"no json at all") == (b"no json at all", None)


def test_lists_too_deep_to_be_searched_are_refused(tmp_path: Path) -> None:
    file = b'{"path": "http://a/b.jpg", "meta": {"_type": "gradio.FileData"}}'
    refused = 0
    for depth in (*range(50, 1000, 50), 100_000):  # also those that the parser takes, and the search does not
        arrived, status = send(tmp_path, b'{"data": [%s, %s0%s]}' % (file, b"[" * depth, b"]" * depth))
        assert (arrived is None) == (status == 400)
        assert arrived is None or b"http://a/b.jpg" not in arrived
        refused += status == 400
    assert refused


def test_a_long_request_is_refused_unless_it_is_an_upload(tmp_path: Path) -> None:
    long = b"[" + b"1," * 2_000_001 + b"1]"
    assert send(tmp_path, long) == (None, 413)
    assert send(tmp_path, long, "/gradio_api/upload") == (long[:7], None)


def test_errors_do_not_tell_where_files_are() -> None:
    path = Path("/srv/x/photo.jpg")
    assert told_to_visitor(DataError(f"{path}: is broken"), path) == "photo.jpg: is broken"
    assert told_to_visitor(DataError("x"), None) == "x"
