from pathlib import Path

import pytest

from spatialflow.video.sources import SourceKind, is_video, parse_source


@pytest.mark.parametrize(
    ("text", "kind", "stem"),
    [
        ("clip.mp4", SourceKind.FILE, "clip"),
        ("a:b.mp4", SourceKind.FILE, "a:b"),
        ("0", SourceKind.WEBCAM, "webcam0"),
        ("rtsp://me:secret@host:554/live/garden?x=1", SourceKind.STREAM, "garden"),
        ("rtsp://host", SourceKind.STREAM, "host"),
        ("RTSP://host/a", SourceKind.STREAM, "a"),
        ("https://host/dir/clip.webm", SourceKind.WEB, "clip"),
    ],
)
def test_kinds(text: str, kind: SourceKind, stem: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.stem) == (kind, stem)
    assert "secret" not in str(source)
    assert source.name == text


def test_file_whose_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("0").touch()
    assert parse_source("0").kind is SourceKind.FILE
    assert parse_source(0).kind is SourceKind.WEBCAM


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.MP4", True),
        ("a.mov", True),
        ("0", True),
        ("rtsp://h/x", True),
        ("http://h/x.m3u8", True),
        ("http://h/camera", True),
        ("http://h/photo.jpg?size=1", False),
        ("a.jpg", False),
        ("photos", False),
        ("photos/*.jpg", False),
    ],
)
def test_what_the_command_takes_for_a_video(text: str, expected: bool) -> None:
    assert is_video(text) is expected


def test_folder_is_none_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "frames.mp4").mkdir()
    assert not is_video(str(tmp_path / "frames.mp4"))
