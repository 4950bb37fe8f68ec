"""Files that appear together; the writer of results has the tests of two processes and killed ones."""

from pathlib import Path

import pytest

from spatialflow.errors import OutputError
from spatialflow.files import write_bytes
from spatialflow.staging import Staging, remove_earlier


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with Staging(folder, "set") as staging:
        for name in ("set/a.png", "set/deep/b.png", "set.json"):
            write_bytes(staging.hidden / name, b"1")
        assert {p.name for p in folder.iterdir()} == {staging.hidden.name}
        assert staging.hidden.name.startswith(".")
        staging.show(last="set.json")
    assert files_in(folder) == {"set/a.png", "set/deep/b.png", "set.json"}


def test_the_list_comes_last(tmp_path: Path) -> None:
    """If a file cannot be moved, no list that names it appears."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "b.png").mkdir()
    with Staging(tmp_path, "set") as staging:
        for name in ("a.json", "set/b.png"):
            write_bytes(staging.hidden / name, b"1")
        with pytest.raises(OutputError, match=r"b\.png: a folder is in the way"):
            staging.show(last="a.json")
    assert files_in(tmp_path) == set()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    mine = tmp_path / "set" / "a.png"
    write_bytes(mine, b"mine")
    with Staging(tmp_path, "set") as staging:
        write_bytes(staging.hidden / "set" / "b.png", b"1")
        assert staging.in_the_way() is None
        write_bytes(staging.hidden / "set" / "a.png", b"1")
        assert staging.in_the_way() == mine
        assert staging.in_the_way(allowed={mine}) is None
    assert files_in(tmp_path) == {"set/a.png"}


def test_no_trace_of_what_is_not_shown(tmp_path: Path) -> None:
    with Staging(tmp_path / "new", "set") as staging:
        write_bytes(staging.hidden / "a.png", b"1")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: cannot write there"):
        Staging(tmp_path / "file", "set")


def test_the_last_of_several_processes_removes_the_folder_whoever_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    other = folder / ".set-host.1.partial"  # of a process that began a moment before
    other.mkdir(parents=True)
    with Staging(folder, "set"):
        other.rmdir()
    assert not folder.exists()
    folder.mkdir()
    with Staging(folder, "set"):
        pass
    assert folder.exists()  # somebody's, though empty


def test_remove_earlier(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match=r"b: of an earlier result, cannot be removed"):
        remove_earlier([tmp_path / "gone", tmp_path / "a", tmp_path / "b"])
    assert not (tmp_path / "a").exists()
