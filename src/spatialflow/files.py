"""Reading and writing whole files: clear errors, and nothing half-written."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from spatialflow.errors import DataError, OutputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, delete it on failure.

    The temporary name keeps the suffix of ``path``, so encoders that choose a format by suffix work.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _cannot_be_written(path: str | os.PathLike[str], error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error}); free some space or choose another output "
        f"folder"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def link_or_copy(source: Path, path: Path) -> None:
    """Make ``path`` the same file as ``source``, or an equal one where the disk knows no links.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.unlink()
        try:
            temporary.hardlink_to(source)
        except OSError:  # another disk, or one of a kind that has no links
            shutil.copyfile(source, temporary)


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = None) -> None:
    """Write JSON atomically (UTF-8, numbers as they are)."""
    write_bytes(path, _encode_json(content, indent))


def _encode_json(content: Any, indent: int | None = None) -> bytes:
    try:
        return json.dumps(content, indent=indent, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a file name that is no UTF-8: as an escape, from which the name comes back
        return json.dumps(content, indent=indent).encode()


def read_json(path: str | os.PathLike[str]) -> Any:
    """Parse a JSON file.

    Raises:
        DataError: the file is missing, a folder, unreadable or not JSON.
    """
    path = Path(path)
    content = b""
    try:
        content = path.read_bytes()
        return json.loads(content)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, a JSON file is expected") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:  # also a number of 5000 digits, or lists 10,000 deep
        for start, kind in ((b"PK\x03\x04", "a .zip archive"), (b"<", "XML or HTML")):
            if content.lstrip().startswith(start):
                raise DataError(f"{path}: is {kind}, a JSON file is expected") from error
        raise DataError(
            f"{path}: is not valid JSON ({error}); it may be truncated, fetch it again"
        ) from error


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Parse a YAML file.

    Raises:
        DataError: the file is missing, a folder, unreadable or not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_bytes())
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}); give the path of a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: is not valid YAML ({reason}); correct it") from error


def check_writable_folder(folder: str | os.PathLike[str]) -> Path:
    """Make ``folder`` if need be and prove that a file can be created in it, before long work starts.

    Raises:
        OutputError: it cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".tmp-", dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot write there ({error.strerror or error}); choose another output folder"
        ) from error
    return folder


def begins_with(path: Path, head: Mapping[str, Any]) -> bool:
    """Whether a file begins as :class:`JsonListWriter` writes ``head``, told without reading all of it."""
    mark = _encode_json(head)[:-1]
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False


class JsonListWriter:
    """A JSON object of which a long list, or several, are written entry by entry, to need no memory.

    The file is not written atomically: give a temporary name.

    Args:
        path: the file.
        head: what comes before the list.
        key: of the list.
        shown: the name that errors give the file; by default ``path``.

    Raises:
        OutputError: it cannot be written; so do the methods.
    """

    def __init__(
        self, path: Path, head: Mapping[str, Any], key: str, shown: str | os.PathLike[str] | None = None
    ) -> None:
        self._shown = path if shown is None else shown
        self._separator = b""
        with self._told():
            self._file = path.open("wb")
        before = _encode_json(head)[1:-1]
        self._write(b"{" + before + (b", " if head else b"") + _encode_json(key) + b": [\n")

    def append(self, entry: Any) -> None:
        """Write one more entry."""
        self._write(self._separator + _encode_json(entry))
        self._separator = b",\n"

    def begin(self, key: str) -> None:
        """End the list, and begin another one."""
        self._write(b"\n], " + _encode_json(key) + b": [\n")
        self._separator = b""

    def finish(self, tail: Mapping[str, Any]) -> None:
        """Write what comes after the list, and close the file."""
        after = _encode_json(tail)[1:-1]
        self._write(b"\n]" + (b", " if tail else b"") + after + b"}\n")
        with self._told():
            self._file.close()

    def close(self) -> None:
        """Close the file as it is; again does nothing."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, encoded: bytes) -> None:
        with self._told():
            self._file.write(encoded)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _cannot_be_written(self._shown, error) from error
