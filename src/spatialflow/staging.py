"""Several files written out of sight, which appear together once all are there."""

import contextlib
import glob
import os
import shutil
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from spatialflow.errors import DataError, OutputError
from spatialflow.files import check_writable_folder, read_json

_HIDDEN = ".partial"
"""Suffix of the hidden folders."""


JOURNAL = ".journal.jsonl"
"""File of a hidden folder that never appears: what a run that goes on from a killed one needs to know."""

CONVERTED_BY = "converted_by"
"""Key of JSON files that `spatialflow convert` has written, and may replace."""


class Staging:
    """A hidden folder, one for each process, whose files move to their places at the end.

    Whatever ends the ``with`` block before :meth:`show` leaves no trace.

    Args:
        folder: where the files are to appear; made if need be.
        name: tells apart what is written to one folder.
        keep_left: leave the hidden folders of runs that were killed until :meth:`remove_left`.

    Raises:
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, name: str, keep_left: bool = False) -> None:
        self.folder = folder
        self._is_new = _is_made_by_this_run(folder)
        self._is_kept = False
        check_writable_folder(folder)  # an error is to name this, not the hidden one
        hidden = folder / _hidden_name(name, os.getpid())
        if hidden.exists():  # of a killed run that had our number, as is usual in containers
            hidden.replace(_free_path(hidden))
        self.hidden = check_writable_folder(hidden)
        self.left = [
            path
            for path in sorted(folder.glob(_hidden_name(glob.escape(name), "*")))
            if path != hidden and _is_left(path)
        ]
        """Hidden folders of runs here that were killed."""
        if not keep_left:
            self.remove_left()

    def remove_left(self) -> None:
        """Remove what is left of killed runs."""
        for path in self.left:
            shutil.rmtree(path, ignore_errors=True)
        self.left = []

    def keep(self) -> None:
        """Leave the hidden folder, as if this run were killed, for one that goes on from it."""
        self._is_kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what has not been shown."""
        if self._is_kept:
            return
        shutil.rmtree(self.hidden, ignore_errors=True)
        if self._is_new:
            with contextlib.suppress(OSError):  # not empty: there is a result
                self.folder.rmdir()

    def in_the_way(self, allowed: Collection[Path] = ()) -> Path | None:
        """A file that would be replaced by what has been written so far, and is not among ``allowed``."""
        for source in self._staged():
            target = self._target(source)
            if target.is_file() and target not in allowed:
                return target
        return None

    def check_places(self) -> None:
        """See, before anything is removed or moved, that no folder is where a file goes, nor the reverse.

        Raises:
            OutputError: one is.
        """
        for source in self._staged():
            target = self._target(source)
            if target.exists() and target.is_dir() != source.is_dir():
                kind = "folder" if target.is_dir() else "file"
                raise OutputError(f"{target}: a {kind} is in the way; remove it, or choose another output")

    def show(self, last: str | None = None) -> None:
        """Move all files to their places; ``last``, which lists the others, after them.

        Raises:
            OutputError: one cannot be moved.
        """
        self.check_places()
        held = None if last is None else self.hidden / last
        moved = [source for source in sorted(self._staged()) if source != held]
        for source in moved if held is None else [*moved, held]:
            target = self._target(source)
            try:
                if source.is_dir():
                    target.mkdir(exist_ok=True)
                else:
                    source.replace(target)
            except OSError as error:
                raise OutputError(
                    f"{target}: cannot be written ({error.strerror or error}); choose another output folder"
                ) from error

    def _staged(self) -> Iterator[Path]:
        """All that is to appear."""
        return (path for path in self.hidden.rglob("*") if path != self.hidden / JOURNAL)

    def _target(self, source: Path) -> Path:
        return self.folder / source.relative_to(self.hidden)


def check_ours(json_path: Path, info: Mapping[str, str]) -> None:
    """Refuse to replace a file of this name that was not written here: it may be somebody's ground truth.

    Args:
        json_path: the file, which need not be there.
        info: what our own say under ``info``.

    Raises:
        OutputError: it says something else.
    """
    if not json_path.exists():
        return
    found = None
    with contextlib.suppress(DataError, KeyError, TypeError):
        found = read_json(json_path)["info"]
    if found != info:
        raise OutputError(
            f"{json_path}: is no result of spatialflow, so it is not replaced; choose another output folder"
        )


def write_hidden(path: Path, content: bytes, shown: Path) -> None:
    """Write a file of a staging folder; ``shown`` is what an error calls it.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"{shown}: cannot be written ({error.strerror or error}); free some space or choose another name"
        ) from error


def remove_earlier(paths: Iterable[Path]) -> None:
    """Remove the files of an earlier result, in this order, which may be gone already.

    Raises:
        OutputError: one cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: of an earlier result, cannot be removed ({error.strerror or error}); remove it, or "
                f"choose another output folder"
            ) from error


def _is_made_by_this_run(folder: Path) -> bool:
    """Whether it is not there, or only for the hidden folders of processes that have begun a moment ago."""
    if not folder.is_dir():
        return not folder.exists()
    inside = [path.name for path in folder.iterdir()]
    return bool(inside) and all(name.endswith(_HIDDEN) or name.startswith(".tmp-") for name in inside)


def _hidden_name(name: str, process: object) -> str:
    """On a shared disk other machines have processes of that number."""
    return f".{name}-{socket.gethostname()}.{process}{_HIDDEN}"


def _free_path(hidden: Path) -> Path:
    """Another name for the hidden folder of a killed run, whose number is taken now."""
    number = 1
    while (path := hidden.with_name(f"{hidden.name.removesuffix(_HIDDEN)}-{number}{_HIDDEN}")).exists():
        number += 1
    return path


def _is_left(hidden: Path) -> bool:
    """Whether the run is over; of numbers that :func:`_free_path` changed it is."""
    process, _, changed = hidden.suffixes[-2].removeprefix(".").partition("-")
    return process.isdecimal() and (bool(changed) or not _is_running(int(process)))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
