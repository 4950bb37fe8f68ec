"""The YAML of classes: ids, colours, order, and each fault in one line."""

from pathlib import Path

import pytest

from make_exports import write_classes
from spatialflow.categories import Categories
from spatialflow.data.converters.class_list import load_classes
from spatialflow.errors import DataError


def test_ids_colours_and_order(tmp_path: Path) -> None:
    stuff = "stuff:\n- grass\n- {name: Himmel ü, id: 1, color: '#0a141e'}\n"
    text = f"{stuff}things: [cat, {{name: dog, color: [1, 2, 3]}}]\n"
    classes = load_classes(write_classes(tmp_path, text))
    found = [(entry["id"], entry["name"], entry["isthing"]) for entry in classes.entries]
    assert found == [(2, "grass", 0), (1, "Himmel ü", 0), (3, "cat", 1), (4, "dog", 1)]
    assert classes.entries[1]["color"] == [10, 20, 30]
    assert classes.entries[3]["color"] == [1, 2, 3]
    assert Categories.from_json(classes.entries).num_things == 2
    assert classes.is_thing(4)
    assert not classes.is_thing(1)


def test_accents_may_be_composed_or_not(tmp_path: Path) -> None:
    classes = load_classes(write_classes(tmp_path, "stuff: ['Himmel \u00fc']"))
    assert classes.find("Himmel u\u0308") == 1
    assert classes.find("himmel \u00fc") is None


def test_only_one_kind(tmp_path: Path) -> None:
    assert load_classes(write_classes(tmp_path, "things: [cat]\nstuff:\n")).names == ["cat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "things: lists under things: and stuff: are expected, got None"),
        ("- cat", "lists under things: and stuff: are expected"),
        ("things: []", "no class is listed"),
        ("thing: [cat]", "thing: is no known key; did you mean 'things'?"),
        ("things: cat", "things: a list of classes is expected, got 'cat'"),
        (
            "things: [cat, no]",
            r"things\[1\].name: the name of a class is expected, got False; put it",
        ),
        ("things: [3]", "put it in quotes"),
        ("things: ['']", "the name of a class is expected"),
        ("things: [cat]\nstuff: [cat]", "'cat' is listed twice"),
        ("things: [{name: cat, id: 1}, {name: dog, id: 1}]", "id 1 is given twice"),
        ("things: [{name: cat, id: -1}]", r"things\[0\].id: a whole number of 0 or more"),
        ("things: [{name: cat, id: true}]", "a whole number of 0 or more"),
        ("things: [{name: cat, colour: red}]", "colour: is no known key; did you mean 'color'?"),
        ("things: [{name: cat, color: red}]", r"\[R, G, B\] or '#rrggbb' is expected"),
        ("things: [{name: cat, color: [1, 2]}]", "is not three whole numbers"),
        ("things: [cat", "is not valid YAML"),
        ("things: [\x00]", "is not valid YAML"),
    ],
)
def test_faults(tmp_path: Path, text: str, message: str) -> None:
    path = write_classes(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        load_classes(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read"):
        load_classes(tmp_path / "none.yaml")
    with pytest.raises(DataError, match="cannot be read"):
        load_classes(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"things: [\xff\xfe]")
    with pytest.raises(DataError, match="is not valid YAML"):
        load_classes(tmp_path / "a.yaml")
