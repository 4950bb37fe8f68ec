"""Files read straight from a ``.zip``: a :class:`ZipPath` stands where a path would that is only read from.

Nothing is unpacked to disk. Members are stored or deflated, as those of COCO's archives are; the format is
PKWARE's APPNOTE.TXT.
"""

import bisect
import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from spatialflow.errors import DataError

_MEMBER = np.dtype(
    [
        ("name_end", np.int64),
        ("offset", np.int64),
        ("packed_size", np.int64),
        ("size", np.int64),
        ("crc", np.uint32),
        ("method", np.uint16),
        ("flags", np.uint16),
    ]
)
"""Where a member's name ends in the text of all names, and what the archive's directory says of it."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What stands before a member: signature, and lengths of the name and the extra field that follow."""
_IS_ENCRYPTED, _IS_UTF8 = 0x1, 0x800
_LARGEST = 1 << 30
"""Bytes that no photo or PNG has; a few kilobytes of an archive can be made to unpack to more."""
_MADE_BY_MACOS = "__MACOSX"
_BROKEN = (zipfile.BadZipFile, NotImplementedError, zlib.error, struct.error, ValueError, OverflowError)
"""What zipfile and its helpers raise for damaged archives, and for kinds that they do not know."""


class ZipArchive:
    """The directory of one ``.zip`` as two arrays, small for COCO's 118,287 photos, and reading by it.

    Each reading opens the file anew, as each reading of a file in a folder does. So threads and processes can
    read at once, and loader workers that are forked share the arrays.

    Args:
        path: the file; it must not change while it is used.

    Raises:
        DataError: it cannot be read, or is no whole ``.zip``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _told(str(path)), zipfile.ZipFile(path) as file:
            # of several members of one name the last is right, since archives grow by appending
            infos = {_name(info): info for info in file.filelist if not info.is_dir()}
            names = sorted(infos)
            self._names = b"".join(names)
            self._members = np.empty(len(names), _MEMBER)
            self._members["name_end"] = np.cumsum([len(name) for name in names])
            for column, attribute in (
                ("offset", "header_offset"),
                ("packed_size", "compress_size"),
                ("size", "file_size"),
                ("crc", "CRC"),
                ("method", "compress_type"),
                ("flags", "flag_bits"),
            ):
                self._members[column] = [getattr(infos[name], attribute) for name in names]

    def __len__(self) -> int:
        """Number of files."""
        return len(self._members)

    def name(self, index: int) -> str:
        """Name of a file, with slashes; they are in ascending order."""
        return self._encoded_name(index).decode("utf-8", "surrogatepass")

    def find(self, name: str) -> int | None:
        """Index of a file."""
        encoded = _encode(name)
        index = self._first_from(encoded)
        return index if index < len(self) and self._encoded_name(index) == encoded else None

    def below(self, folder: str) -> range:
        """Indices of the files in a folder and in those below it; of all for ``""``."""
        if not folder:
            return range(len(self))
        encoded = _encode(folder)
        return range(self._first_from(encoded + b"/"), self._first_from(encoded + b"0"))  # 0 comes after /

    def top_folder(self) -> str:
        """The one folder that everything is in; ``""`` if there is none."""
        names = (self.name(index) for index in range(len(self)))
        tops = {name.partition("/")[0] if "/" in name else "" for name in names} - {_MADE_BY_MACOS}
        return tops.pop() if len(tops) == 1 else ""

    def read(self, index: int) -> bytes:
        """Content of a file.

        Raises:
            DataError: the archive is damaged there or has changed, or the file is encrypted.
        """
        member, shown = self._members[index], f"{self.path}/{self.name(index)}"
        packed_size, size, method = (int(member[key]) for key in ("packed_size", "size", "method"))
        if member["flags"] & _IS_ENCRYPTED:
            raise DataError(f"{shown}: is encrypted; unpack the archive with its password")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{shown}: is compressed in an uncommon way (method {method}); unpack the archive"
            )
        if max(packed_size, size) > _LARGEST:
            raise DataError(f"{shown}: has {size} bytes, more than any photo or PNG; remove it")
        with _told(shown):
            content = self._read_packed(int(member["offset"]), packed_size)
            if method == zipfile.ZIP_DEFLATED:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            if len(content) != size or zlib.crc32(content) != member["crc"]:
                raise zipfile.BadZipFile("the content has changed")
        return content

    def _read_packed(self, offset: int, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            if signature != b"PK\x03\x04":
                raise zipfile.BadZipFile("no file begins where one should")
            file.seek(name_length + extra_length, os.SEEK_CUR)
            return file.read(size)

    def _encoded_name(self, index: int) -> bytes:
        start = int(self._members["name_end"][index - 1]) if index else 0
        return self._names[start : int(self._members["name_end"][index])]

    def _first_from(self, encoded: bytes) -> int:
        """Index of the first name that is not less."""
        return bisect.bisect_left(range(len(self)), encoded, key=self._encoded_name)


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{shown}: cannot be read ({error.strerror or error}); check the path") from error
    except _BROKEN as error:
        raise DataError(f"{shown}: the .zip is damaged or incomplete ({error}); fetch it again") from error


def _name(info: zipfile.ZipInfo) -> bytes:
    """A member's name in UTF-8, with slashes, whichever program packed it."""
    name = info.orig_filename
    if not info.flag_bits & _IS_UTF8:
        # zipfile takes it for code page 437, but many programs write UTF-8 without saying so
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return _encode(name.replace("\\", "/"))


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


class ZipPath:
    """A folder or file in an archive, with what a :class:`pathlib.Path` has for reading.

    Args:
        archive: which.
        inner: path in it, with slashes; ``""`` is the archive as a folder.
    """

    __slots__ = ("archive", "inner")

    def __init__(self, archive: ZipArchive, inner: str = "") -> None:
        self.archive = archive
        self.inner = inner

    def __truediv__(self, name: str | os.PathLike[str]) -> "ZipPath":
        inner = PurePosixPath(self.inner, name)
        return ZipPath(self.archive, str(inner) if inner.parts else "")

    def __fspath__(self) -> str:
        """The path as if the archive were a folder; :func:`open_folder` finds its way back."""
        return str(self.archive.path / self.inner)

    def __str__(self) -> str:
        return self.__fspath__()

    def __repr__(self) -> str:
        return f"ZipPath({self.__fspath__()!r})"

    def is_file(self) -> bool:
        """Whether the archive has such a file."""
        return self.archive.find(self.inner) is not None

    def file_names(self) -> list[str]:
        """Names of all files below, relative to this folder."""
        start = len(self.inner) + 1 if self.inner else 0
        return [self.archive.name(index)[start:] for index in self.archive.below(self.inner)]

    def read_bytes(self) -> bytes:
        """The whole content.

        Raises:
            DataError: there is no such file, or it cannot be read.
        """
        index = self.archive.find(self.inner)
        if index is not None:
            return self.archive.read(index)
        path = self.archive.path
        first = f"its first is {self.archive.name(0)}" if len(self.archive) else "it is empty"
        raise DataError(
            f"{path}: holds no file {self.inner} ({first}); check file_name, or name another .zip, or a "
            f"folder in this one as {path}/FOLDER"
        )


ReadPath = Path | ZipPath
"""A folder or a file, on disk or in an archive, to read from."""


def open_folder(path: str | os.PathLike[str], example: str) -> ReadPath | None:
    """A folder, a ``.zip`` that stands for one, or a folder in a ``.zip`` (``a.zip/train``).

    A ``.zip`` often holds everything in a folder, as COCO's ``train2017.zip`` in ``train2017``. That folder
    is what is meant, unless names of files have it in front.

    Args:
        path: which.
        example: name of a file that is to be in it.

    Returns:
        None if there is neither folder nor ``.zip``.

    Raises:
        DataError: the ``.zip`` cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return path
    for archive in (path, *path.parents):
        if archive.suffix.lower() == ".zip" and archive.is_file():
            folder = ZipPath(ZipArchive(archive)) / path.relative_to(archive)
            if not folder.archive.below(folder.inner) and folder.inner:
                return None
            if folder.inner or (folder / example).is_file():
                return folder
            return folder / folder.archive.top_folder()
    return None
