"""Faults of categories: each, planted alone, gives its row and no other."""

from pathlib import Path

import pytest

from make_faults import Case, check_case

CASES = [
    Case(
        "category without isthing",
        lambda p: p.edit(lambda c: c["categories"][0].pop("isthing")),
        {"category-malformed": 1},
        None,
        "categories[0]: isthing is missing",
    ),
    Case(
        "category id as text",
        lambda p: p.edit(lambda c: c["categories"][0].update(id="3")),
        {"category-malformed": 1},
        True,
        "categories[0]: id '3'",
    ),
    Case(
        "category no object",
        lambda p: p.edit(lambda c: c["categories"].append("cat")),
        {"category-malformed": 1},
        True,
        "categories[4]",
    ),
    Case(
        "category colour",
        lambda p: p.edit(lambda c: c["categories"][0].update(color=[1, 2])),
        {"category-malformed": 1},
        None,
        "color [1, 2]",
    ),
    Case(
        "category repeated",
        lambda p: p.edit(lambda c: c["categories"].append(c["categories"][0])),
        {"category-id-twice": 1},
        True,
        "categories[4]: id 3",
    ),
    Case(
        "category id twice",
        lambda p: p.edit(lambda c: c["categories"].append({"id": 3, "name": "cow", "isthing": 1})),
        {"category-id-twice": 1},
        None,
        "'cat' and 'cow'",
    ),
    Case(
        "category name twice",
        lambda p: p.edit(lambda c: c["categories"][1].update(name="cat")),
        {"category-name-twice": 1},
        None,
        "'cat' (id 7) and 'cat' (id 3)",
    ),
    Case(
        "unknown category",
        lambda p: p.segment(0, category_id=99),
        {"category-unknown": 1},
        None,
        "a.png: segment 1002: category_id 99",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_fault(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path, is_error=True)
