"""Where a conversion writes: nothing half there, and nothing of others replaced."""

import json
from pathlib import Path

import pytest

from spatialflow.data.converters.json_output import JsonOutput
from spatialflow.errors import OutputError
from spatialflow.files import read_json


def write(out: Path, *pngs: str, overwrite: bool = False) -> None:
    with JsonOutput(out, {"info": {}}, overwrite=overwrite) as output:
        for name in pngs:
            output.write_png(name, b"png of ours")
            output.append({"file_name": name})
        output.finish({"images": []})


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_written(tmp_path: Path) -> None:
    write(tmp_path / "new" / "set.json", "a.png", "b/c.png")
    assert files_in(tmp_path) == {"new/set.json", "new/set/a.png", "new/set/b/c.png"}
    content = read_json(tmp_path / "new" / "set.json")
    assert content == {
        "converted_by": "spatialflow convert",
        "info": {},
        "annotations": [{"file_name": "a.png"}, {"file_name": "b/c.png"}],
        "images": [],
    }


def test_an_earlier_conversion_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / "set.json", "a.png", "b.png")
    (tmp_path / "set" / "mine.png").write_bytes(b"mine")
    write(tmp_path / "set.json", "b.png", "c.png")
    assert files_in(tmp_path) == {"set.json", "set/b.png", "set/c.png", "set/mine.png"}


def test_an_earlier_conversion_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "set.json", "a.png")
    before = (tmp_path / "set.json").read_bytes()
    with JsonOutput(tmp_path / "set.json", {}) as output:
        output.write_png("b.png", b"")
        output.append({"file_name": "b.png"})
    assert (tmp_path / "set.json").read_bytes() == before
    assert files_in(tmp_path) == {"set.json", "set/a.png"}


def test_no_trace_of_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), JsonOutput(tmp_path / "new" / "set.json", {}):
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "content", ["{}", "", "[1]", '{"info": {"description": "COCO"}}', '{"converted_by": "somebody else"}']
)
def test_files_of_others_stay(tmp_path: Path, content: str) -> None:
    out = tmp_path / "set.json"
    out.write_text(content)
    with pytest.raises(OutputError, match=r"set\.json: is there already .*--overwrite"):
        write(out, "a.png")
    assert (out.read_text(), files_in(tmp_path)) == (content, {"set.json"})
    write(out, "a.png", overwrite=True)
    assert files_in(tmp_path) == {"set.json", "set/a.png"}
    assert read_json(out)["converted_by"] == "spatialflow convert"


def test_pngs_of_others_stay(tmp_path: Path) -> None:
    mine = tmp_path / "set" / "a.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"a\.png: is there already and of no earlier conversion"):
        write(tmp_path / "set.json", "a.png", "b.png")
    assert files_in(tmp_path) == {"set/a.png"}
    assert mine.read_bytes() == b"mine"
    write(tmp_path / "set.json", "a.png", overwrite=True)
    assert mine.read_bytes() == b"png of ours"


@pytest.mark.parametrize("damage", [{"annotations": 3}, {"annotations": [{"file_name": "../mine.png"}]}])
def test_an_earlier_conversion_may_be_damaged(tmp_path: Path, damage: dict[str, object]) -> None:
    (tmp_path / "mine.png").touch()
    (tmp_path / "set.json").write_text(json.dumps({"converted_by": "spatialflow convert", **damage}))
    write(tmp_path / "set.json", "a.png")
    assert files_in(tmp_path) == {"mine.png", "set.json", "set/a.png"}


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    write(tmp_path / "set.json", "a.png")
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    for source in (tmp_path / "set.json", tmp_path / "set"):
        with pytest.raises(OutputError, match="is what is converted"):
            JsonOutput(tmp_path / "x" / ".." / "set.json", {}, [source], overwrite=True)
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


@pytest.mark.parametrize("name", ["set", "set.JSON", "set.zip", ".json", "folder.json"])
def test_names_that_are_no_json_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(OutputError, match=r"ends in \.json"):
        JsonOutput(tmp_path / name, {})


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another output folder"):
        JsonOutput(tmp_path / "file" / "set.json", {})
