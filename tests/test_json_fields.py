"""Single fields: names that leave their folder or that no file can have, and what wrong types stand for."""

from typing import Any

import pytest

from spatialflow import json_fields as fields
from spatialflow.json_fields import FieldError


@pytest.mark.parametrize(
    "name", ["a.jpg", "sub/a.jpg", "./a.jpg", "ü ä.jpg", "a..b.jpg", "sub\\a.jpg", "a:b.jpg", "ä" * 127]
)
def test_names(name: str) -> None:
    assert fields.file_name({"file_name": name}) == name


@pytest.mark.parametrize(
    "name",
    [
        "/a.jpg",
        "../a.jpg",
        "a/../../b.jpg",
        "a/..",
        "..",
        "\\a.jpg",
        "a\\..\\b.jpg",
        "C:\\a.jpg",
        "C:/a.jpg",
        "\\\\host\\a",
    ],
)
def test_names_outside(name: str) -> None:
    with pytest.raises(FieldError) as caught:
        fields.file_name({"file_name": name})
    assert "leaves its folder" in caught.value.problem


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg", "a" * 256, "sub/" + "ä" * 128])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(FieldError) as caught:
        fields.file_name({"file_name": name})
    assert "is no name that a file can have" in caught.value.problem


@pytest.mark.parametrize(
    ("value", "meant"),
    [(17, 17), (17.0, 17), ("17", 17), (" 17 ", 17), ("-1", -1), (0, 0)]
    + [
        (value, None)
        for value in (True, 1.5, float("nan"), float("inf"), "x", "", "1.0", None, [], {}, "1" * 5000)
    ],
)
def test_what_a_value_stands_for(value: Any, meant: int | None) -> None:
    found = fields.meant_integer(value)
    assert found == meant
    assert type(found) is type(meant)
