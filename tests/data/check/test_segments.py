"""Faults of segments: each, planted alone, gives its row and no other."""

from pathlib import Path
from typing import Any

import pytest

from make_data import CAT
from make_faults import Case, Planter, check_case


def shared_segment(planter: Planter) -> dict[str, Any]:
    return {"id": 1002, "category_id": CAT, "iscrowd": 0, "area": 660, "bbox": [10, 8, 30, 22]}


CASES = [
    Case(
        "segment no object",
        lambda p: p.edit(lambda c: c["annotations"][0]["segments_info"].append([])),
        {"segment-malformed": 1},
        True,
    ),
    Case(
        "segment id bool",
        lambda p: p.segment(0, id=True),
        {"segment-malformed": 1},
        True,
        "id: a whole number",
    ),
    Case("segment id as text", lambda p: p.segment(0, id="1002"), {"segment-malformed": 1}, True),
    Case("segment id a float", lambda p: p.segment(0, id=1002.0), {"segment-malformed": 1}, True),
    Case("segment id missing", lambda p: p.without("id"), {"segment-malformed": 1}, True),
    Case("segment id 0", lambda p: p.segment(0, id=0), {"segment-id-range": 1}, True, "id 0"),
    Case("segment id negative", lambda p: p.segment(0, id=-1002), {"segment-id-range": 1}, True),
    Case(
        "segment id too large", lambda p: p.segment(0, id=2**24), {"segment-id-range": 1}, True, "id 16777216"
    ),
    Case(
        "void as a segment",
        lambda p: p.edit(
            lambda c: c["annotations"][0]["segments_info"].append({**shared_segment(p), "id": 0})
        ),
        {"segment-id-range": 1},
        True,
    ),
    Case(
        "segment id twice",
        lambda p: p.segment(0, id=1001),
        {"segment-id-twice": 1},
        True,
        "a.png: segment 1001",
    ),
    Case(
        "segment repeated",
        lambda p: p.edit(lambda c: c["annotations"][0]["segments_info"].append(shared_segment(p))),
        {"segment-id-twice": 1},
        True,
        "in equal entries",
    ),
    Case(
        "category of a segment as text",
        lambda p: p.segment(0, category_id="3"),
        {"segment-malformed": 1},
        True,
    ),
    Case(
        "category of a segment bool", lambda p: p.segment(0, category_id=True), {"segment-malformed": 1}, None
    ),
    Case(
        "no crowd flag",
        lambda p: p.without("iscrowd"),
        {"segment-malformed": 1},
        True,
        "iscrowd: the key is missing",
    ),
    Case("crowd flag as text", lambda p: p.segment(0, iscrowd="0"), {"segment-malformed": 1}, True),
    Case("crowd flag 2", lambda p: p.segment(0, iscrowd=2), {"segment-malformed": 1}, None, "iscrowd"),
    Case("no area", lambda p: p.without("area"), {"segment-malformed": 1}, True, "area: the key is missing"),
    Case("area NaN", lambda p: p.segment(0, area=float("nan")), {"segment-malformed": 1}, True),
    Case("area negative", lambda p: p.segment(0, area=-1), {"segment-malformed": 1}, True),
    Case(
        "area off by one",
        lambda p: p.segment(0, area=661),
        {"area-wrong": 1},
        True,
        "segment 1002: 661, has 660 px",
    ),
    Case("box NaN", lambda p: p.segment(0, bbox=[float("nan"), 8, 30, 22]), {"segment-malformed": 1}, True),
    Case("box of three numbers", lambda p: p.segment(0, bbox=[8, 30, 22]), {"segment-malformed": 1}, True),
    Case("box negative", lambda p: p.segment(0, bbox=[8, 30, -2, 2]), {"segment-malformed": 1}, True),
    Case(
        "box as corners",
        lambda p: p.segment(0, bbox=[10, 8, 40, 30]),
        {"box-wrong": 1},
        True,
        "has [10, 8, 30, 22]",
    ),
    Case("box a pixel short", lambda p: p.segment(0, bbox=[10, 8, 29, 22]), {"box-wrong": 1}, True),
    Case(
        "segment without pixels",
        lambda p: p.edit(
            lambda c: c["annotations"][0]["segments_info"].append({**shared_segment(p), "id": 5})
        ),
        {"segment-empty": 1},
        True,
        "a.png: segment 5",
    ),
    Case(
        "segment not listed",
        lambda p: (
            p.edit(
                lambda c: c["annotations"][1]["segments_info"].append(
                    c["annotations"][0]["segments_info"].pop(0)
                )
            )
            or p.edit(lambda c: c["annotations"][1]["segments_info"].pop())
        ),
        {"segment-unlisted": 1},
        None,
        "a.png: segment 1001, 920 px",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_fault(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path, is_error=True)
