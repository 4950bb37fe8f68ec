"""Whole files: all or nothing, and clear errors."""

import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from spatialflow.errors import DataError, OutputError
from spatialflow.files import (
    JsonListWriter,
    atomic_path,
    check_writable_folder,
    read_json,
    read_yaml,
    write_bytes,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "a.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent  # one file system, so that renaming is atomic
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert names(target.parent) == ["a.png"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.txt"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"one")
    write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert names(tmp_path) == ["a"]


def test_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027  # looking it up does not change it
    finally:
        os.umask(before)


def disk_full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["create", "write", "permissions", "rename"])
def test_disk_full_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    where: dict[str, tuple[Any, str]] = {
        "create": (tempfile, "mkstemp"),
        "write": (Path, "write_bytes"),
        "permissions": (Path, "chmod"),
        "rename": (Path, "replace"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*where[step], disk_full)
        with pytest.raises(OutputError) as caught:
            write_json(target, {"a": 1})
    message = str(caught.value)
    assert message.startswith(f"{target}: ")
    assert "No space left" in message
    assert "\n" not in message
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_a_partial_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.write_bytes

    def half(self: Path, content: bytes) -> int:
        whole(self, content[: len(content) // 2])
        return disk_full()  # type: ignore[no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(OutputError):
            write_bytes(tmp_path / "a", b"0123456789")
    assert names(tmp_path) == []


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (
        lambda: write_json(tmp_path / "file" / "a.json", {}),
        lambda: check_writable_folder(tmp_path / "file"),
    ):
        with pytest.raises(OutputError, match=r"file.*(Not a directory|File exists)"):
            write()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            write_bytes(tmp_path / "a", b"")
        with pytest.raises(OutputError, match="Permission denied"):
            check_writable_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_read_only_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "NamedTemporaryFile", refuse)
        with pytest.raises(OutputError, match=rf"^{tmp_path}: .*Read-only file system.*choose another"):
            check_writable_folder(tmp_path)


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert check_writable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert names(tmp_path / "a" / "b") == []


def test_json_round_trip(tmp_path: Path) -> None:
    content = {"name": "Zürich 東京", "values": [1, 2.5, 0.1 + 0.2, None, True]}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert "東京" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_json(tmp_path / "b.json", {"a": [1]}, indent=1)
    assert (tmp_path / "b.json").read_text() == json.dumps({"a": [1]}, indent=1)


def test_what_is_no_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not valid JSON"),
        (b'{"a": [1, 2', "truncated"),
        (b"\xff\xfe\xfd", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"1" * 5000, "not valid JSON"),
        (None, "no such file"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kätzchen: cat\ntruck:\n", encoding="utf-8")
    assert read_yaml(path) == {"kätzchen": "cat", "truck": None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{a", "is not valid YAML"),
        (b"a: !!python/object:os.system {}", "is not valid YAML"),
        (b"\xff\xfe\xfd", "is not valid YAML"),
        (b"[" * 5000, "is not valid YAML"),
        (None, "cannot be read"),
    ],
)
def test_yaml_that_cannot_be_read(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_json_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_json(tmp_path)


def test_names_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    write_json(tmp_path / "a.json", {"file_name": name, "other": "\u00e9"})
    assert read_json(tmp_path / "a.json") == {"file_name": name, "other": "\u00e9"}


def test_a_long_list_is_written_entry_by_entry(tmp_path: Path) -> None:
    for head, entries, tail in (
        ({"a": 1}, [{"b": "é\udce9"}, 2], {"c": []}),
        ({}, [], {}),
        ({}, [[]], {"c": 0}),
    ):
        writer = JsonListWriter(tmp_path / "a.json", head, "list", shown="out.json")
        for entry in entries:
            writer.append(entry)
        writer.finish(tail)
        writer.close()
        assert read_json(tmp_path / "a.json") == {**head, "list": entries, **tail}


def test_a_list_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.json: cannot be written .*choose another output folder"):
        JsonListWriter(tmp_path / "none" / "a.json", {}, "list", shown="out.json")
    writer = JsonListWriter(Path("/dev/full"), {}, "list", shown="out.json")
    with pytest.raises(OutputError, match=r"out\.json: cannot be written \(No space left"):
        writer.append("x" * 1_000_000)
    writer.close()
