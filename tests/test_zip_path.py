"""Reading from .zip files: names, ways of packing, damage, many readers at once."""

import os
import pickle
import random
import struct
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from spatialflow.errors import DataError
from spatialflow.zip_path import ZipArchive, ZipPath, open_folder

FILES = {"top/a.txt": b"", "top/b/c.bin": bytes(range(256)) * 50, "top/b.txt": b"b", "other.txt": b"other"}


def pack(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.mkdir("top")
        for name, content in files.items():
            packed.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return pack(tmp_path / "some.zip", FILES)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_file_is_what_was_packed(tmp_path: Path, method: int) -> None:
    root = ZipPath(ZipArchive(pack(tmp_path / "some.zip", FILES, method)))
    assert {name: (root / name).read_bytes() for name in root.file_names()} == FILES
    assert (root / "top" / Path("b") / "c.bin").read_bytes() == FILES["top/b/c.bin"]
    assert (root / "./top//b.txt").is_file()
    for name in (
        "top",
        "top/",
        "b.txt",
        "top/b",
        "top/b.tx",
        "",
        "..",
        "top/../other.txt",
        "/other.txt",
        "\0",
    ):
        assert not (root / name).is_file(), name


def test_against_the_standard_library(tmp_path: Path) -> None:
    """Many names of which some begin alike, in random order."""
    rng = random.Random(0)
    names = {
        "/".join(rng.choice(["a", "ab", "ä", "b.c", "b"]) for _ in range(rng.randint(1, 6)))
        for _ in range(900)
    }
    files = {f"{name}.x": rng.randbytes(rng.randint(0, 300)) for name in names}
    path = pack(tmp_path / "some.zip", dict(rng.sample(sorted(files.items()), len(files))))
    archive = ZipArchive(path)
    assert [archive.name(i) for i in range(len(archive))] == sorted(files, key=str.encode)
    for folder in ("", "a", "a/ab", "ab", "ä", "b.c/b"):
        below = [
            name for name in sorted(files, key=str.encode) if not folder or name.startswith(f"{folder}/")
        ]
        assert [archive.name(i) for i in archive.below(folder)] == below
        assert ZipPath(archive, folder).file_names() == [
            name.removeprefix(f"{folder}/") if folder else name for name in below
        ]
    with zipfile.ZipFile(path) as packed:
        for name in files:
            assert (ZipPath(archive) / name).read_bytes() == packed.read(name) == files[name]


def test_bytes_before_the_archive(archive: Path) -> None:
    archive.write_bytes(b"#!/bin/sh\n" * 99 + archive.read_bytes())
    root = ZipPath(ZipArchive(archive))
    assert {name: (root / name).read_bytes() for name in root.file_names()} == FILES


def test_sizes_that_come_after_the_content(tmp_path: Path) -> None:
    """As programs write them that pack into a pipe."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as pipe, zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in FILES.items():
            packed.writestr(name, content)
    path = tmp_path / "some.zip"
    with os.fdopen(read, "rb") as pipe:
        path.write_bytes(pipe.read())
    root = ZipPath(ZipArchive(path))
    assert {name: (root / name).read_bytes() for name in root.file_names()} == FILES


def test_the_last_of_one_name_counts(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("other.txt", b"newer")
    assert (ZipPath(ZipArchive(archive)) / "other.txt").read_bytes() == b"newer"


def test_names_of_other_programs(tmp_path: Path) -> None:
    """Backslashes, UTF-8 that is not said to be, and code page 437."""
    path = tmp_path / "some.zip"
    raw = {"x_back_a.jpg": b"x\\back\\a.jpg", "Ae_xx.jpg": "Ä_x".encode() + b"x.jpg", "u_.jpg": b"\x81_.jpg"}
    with zipfile.ZipFile(path, "w") as packed:
        for name in raw:
            packed.writestr(name, name)
    content = path.read_bytes()
    for name, other in raw.items():
        assert len(name) == len(other)
        content = content.replace(name.encode(), other)
    path.write_bytes(content)
    archive = ZipArchive(path)
    assert {archive.name(i) for i in range(3)} == {"x/back/a.jpg", "Ä_xx.jpg", "ü_.jpg"}
    # the content was changed, too, as it was the name
    with pytest.raises(DataError, match="the content has changed"):
        (ZipPath(archive) / "ü_.jpg").read_bytes()


def test_more_than_4_gib(tmp_path: Path) -> None:
    """Offsets of 64 bits, as COCO's train2017.zip of 19 GB has them; a hole takes no room on disk."""
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(5 << 30)
        file.seek(5 << 30)
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("far.txt", b"away")
            assert packed.getinfo("far.txt").header_offset >= 5 << 30
    assert (ZipPath(ZipArchive(path)) / "far.txt").read_bytes() == b"away"


@pytest.mark.parametrize("kept", [0, 10, 200, -1, -30])
def test_truncated_archives(archive: Path, kept: int) -> None:
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(
        DataError, match=r"some\.zip: the \.zip is damaged or incomplete.*fetch it again"
    ) as caught:
        ZipArchive(archive)
    assert "\n" not in str(caught.value)


def test_any_damaged_byte_is_an_error_or_does_no_harm(archive: Path) -> None:
    """Never an error of another kind, never other content."""
    whole = archive.read_bytes()
    noticed: list[str] = []
    for place in range(len(whole)):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            root = ZipPath(ZipArchive(archive))
            for name in FILES:
                if (root / name).is_file():
                    assert (root / name).read_bytes() == FILES[name]
                else:
                    noticed.append("its name has changed")
        except DataError as error:
            noticed.append(str(error))
    assert len(noticed) > len(whole) // 3
    assert not [line for line in noticed if "\n" in line]


def test_content_that_changed(archive: Path) -> None:
    path = ZipPath(ZipArchive(archive)) / "other.txt"
    archive.write_bytes(archive.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05"))
    with pytest.raises(DataError, match=r"some\.zip/other\.txt: the \.zip is damaged.*no file begins"):
        path.read_bytes()
    archive.unlink()
    with pytest.raises(DataError, match=r"some\.zip/other\.txt: cannot be read \(No such file"):
        path.read_bytes()


def patch_directory(archive: Path, name: str, offset: int, form: str, value: int) -> None:
    """Change a number in the entry of a file in the archive's directory."""
    content = bytearray(archive.read_bytes())
    place = content.rindex(name.encode()) - 46 + offset
    struct.pack_into(form, content, place, value)
    archive.write_bytes(content)


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (8, "<H", 1, r"other\.txt: is encrypted; unpack the archive with its password"),
        (10, "<H", 12, r"other\.txt: is compressed in an uncommon way \(method 12\)"),
        (24, "<I", 0xF0000000, r"other\.txt: has 4026531840 bytes, more than any photo"),
        (24, "<I", 4, r"other\.txt: the \.zip is damaged"),
        (42, "<I", 0x7FFFFFFF, r"other\.txt: the \.zip is damaged"),
        (6, "<H", 99, r"some\.zip: the \.zip is damaged or incomplete \(zip file version 9\.9\)"),
    ],
)
def test_what_cannot_be_read(archive: Path, offset: int, form: str, value: int, message: str) -> None:
    patch_directory(archive, "other.txt", offset, form, value)
    with pytest.raises(DataError, match=message) as caught:
        (ZipPath(ZipArchive(archive)) / "other.txt").read_bytes()
    assert "\n" not in str(caught.value)


def test_a_bomb_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    path = pack(tmp_path / "some.zip", {"bomb.png": bytes(50_000_000)})
    patch_directory(path, "bomb.png", 24, "<I", 1000)
    with pytest.raises(DataError, match="the content has changed"):
        (ZipPath(ZipArchive(path)) / "bomb.png").read_bytes()


def test_missing_file_says_what_is_there(archive: Path) -> None:
    with pytest.raises(
        DataError, match=r"some\.zip: holds no file c\.bin \(its first is other\.txt\); check"
    ) as caught:
        (ZipPath(ZipArchive(archive)) / "c.bin").read_bytes()
    assert "\n" not in str(caught.value)
    with zipfile.ZipFile(archive, "w"):
        pass
    with pytest.raises(DataError, match=r"holds no file c\.bin \(it is empty\)"):
        (ZipPath(ZipArchive(archive)) / "c.bin").read_bytes()


def read_in_turn(path: ZipPath, names: Sequence[str]) -> list[bytes]:
    return [(path / name).read_bytes() for name in names]


def test_threads_and_processes_read_at_once(tmp_path: Path) -> None:
    files = {f"{i}.bin": os.urandom(5000) * 3 for i in range(40)}
    root = ZipPath(ZipArchive(pack(tmp_path / "some.zip", files)))
    orders = [random.Random(i).sample(sorted(files), len(files)) for i in range(12)]
    expected = [[files[name] for name in order] for order in orders]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(read_in_turn, [root] * len(orders), orders)) == expected
    # forked, so that they share whatever the archive keeps open, and given a pickled copy of it
    with ProcessPoolExecutor(2, get_context("fork")) as processes:
        assert list(processes.map(read_in_turn, [root] * len(orders), orders)) == expected


def test_memory_of_coco(tmp_path: Path) -> None:
    """118,287 names fit into 8 MiB."""
    count = 118_287
    path = tmp_path / "train2017.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for i in range(count // 10):
            packed.writestr(f"train2017/{i:012d}.jpg", b"")
    assert len(pickle.dumps(ZipArchive(path))) < 8 * 2**20 / 10


def names_below(path: str | Path, example: str = "") -> list[str] | None:
    found = open_folder(path, example)
    assert found is None or isinstance(found, ZipPath)
    return None if found is None else found.file_names()


def test_which_folder_is_meant(tmp_path: Path) -> None:
    one = pack(tmp_path / "one.ZIP", {"top/a.txt": b"", "top/b/c.txt": b"", "__MACOSX/._a": b""})
    assert names_below(one) == ["a.txt", "b/c.txt"]
    assert names_below(one, "a.txt") == ["a.txt", "b/c.txt"]
    assert names_below(one, "top/a.txt") == ["__MACOSX/._a", "top/a.txt", "top/b/c.txt"]
    assert names_below(one / "top" / "b") == names_below(f"{one}/top/b/") == ["c.txt"]
    assert names_below(one / "b") is None
    assert names_below(one / "top/a.txt") is None
    several = pack(tmp_path / "several.zip", FILES)
    assert names_below(several, "a.txt") == sorted(FILES)
    assert names_below(several / "top", "a.txt") == ["a.txt", "b.txt", "b/c.bin"]
    found = open_folder(several / "top", "a.txt")
    assert found is not None
    assert os.fspath(found) == str(found) == str(several / "top")
    assert open_folder(found, "a.txt").file_names() == found.file_names()


def test_folders_and_what_is_neither(tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    assert open_folder(tmp_path / "folder.zip", "") == tmp_path / "folder.zip"
    assert open_folder(tmp_path / "none.zip", "") is None
    assert open_folder(tmp_path / "none", "") is None
    (tmp_path / "a.tar").write_bytes(b"tar")
    assert open_folder(tmp_path / "a.tar", "") is None
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"a\.zip: the \.zip is damaged"):
        open_folder(tmp_path / "a.zip", "")
