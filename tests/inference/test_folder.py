"""Which photos are meant by files, folders and patterns."""

from pathlib import Path

import pytest

from spatialflow.errors import DataError
from spatialflow.inference.folder import WITH_HEIC, find_photos


def test_photos_of_a_folder_but_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.heic", "._a.png", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    photos = [tmp_path / name for name in ("a.png", "b.JPG")]
    assert find_photos([str(tmp_path)]) == photos
    assert find_photos([str(tmp_path)], WITH_HEIC) == [*photos, tmp_path / "c.heic"]
    assert find_photos([str(tmp_path / "*.png"), str(tmp_path)]) == photos
    named = str(tmp_path / ".hidden.jpg")
    assert find_photos([named, named]) == [Path(named)]


def test_a_folder_of_hidden_photos_holds_none(tmp_path: Path) -> None:
    (tmp_path / "._a.png").write_bytes(b"")
    with pytest.raises(DataError, match="holds no photos"):
        find_photos([str(tmp_path)])


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)  # by a mock, since root may read everything
    with pytest.raises(DataError, match=rf"^{tmp_path}: cannot be read \(Permission denied\)"):
        find_photos([str(tmp_path)])
