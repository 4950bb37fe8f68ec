"""Faults of the entries of images and annotations: each, planted alone, gives its row and no other."""

from pathlib import Path

import pytest

from make_faults import Case, check_case

CASES = [
    Case(
        "image no object",
        lambda p: p.edit(lambda c: c["images"].append(None)),
        {"image-malformed": 1},
        True,
        "images[3]",
    ),
    Case(
        "image id bool",
        lambda p: p.image(0, id=True),
        {"image-malformed": 1},
        True,
        "a.png (images[0]): id: a whole number or a text is expected, got True",
    ),
    Case(
        "image id missing", lambda p: p.edit(lambda c: c["images"][2].pop("id")), {"image-malformed": 1}, True
    ),
    Case("height as text", lambda p: p.image(0, height="48"), {"image-malformed": 1}, True, "height"),
    Case("width 0", lambda p: p.image(0, width=0), {"image-malformed": 1}, True, "width"),
    Case(
        "no file name",
        lambda p: p.edit(lambda c: c["images"][0].pop("file_name")),
        {"image-malformed": 1},
        True,
    ),
    Case("file name with NUL", lambda p: p.image(0, file_name="a\0.png"), {"image-malformed": 1}, True),
    Case(
        "file name half of a pair", lambda p: p.image(0, file_name="\ud800.png"), {"image-malformed": 1}, True
    ),
    Case("file name too long", lambda p: p.image(0, file_name="a" * 300), {"image-malformed": 1}, True),
    Case(
        "image id twice", lambda p: p.image(1, id=1), {"image-id-twice": 1}, True, "b.png (images[1]): id 1"
    ),
    Case(
        "image repeated",
        lambda p: p.edit(lambda c: c["images"].append(c["images"][0])),
        {"image-id-twice": 1},
        True,
        "a.png (images[3]): repeats images[0]",
    ),
    Case(
        "photo listed twice",
        lambda p: p.image(2, file_name="./a.png", height=48, width=64),
        {"photo-listed-twice": 1, "size-mismatch": 1, "photo-unlisted": 1},
        None,
        "./a.png: by images[0] and images[2]",
    ),
    Case(
        "annotation no object",
        lambda p: p.edit(lambda c: c["annotations"].append(3)),
        {"annotation-malformed": 1},
        True,
        "annotations[3]",
    ),
    Case(
        "annotation without segments",
        lambda p: p.edit(lambda c: c["annotations"][0].update(segments_info={})),
        {"annotation-malformed": 1},
        None,
        "a.png (annotations[0]): segments_info: a list is expected",
    ),
    Case(
        "annotation id bool",
        lambda p: p.annotation(0, image_id=True),
        {"annotation-malformed": 1},
        True,
        "image_id",
    ),
    Case(
        "annotation twice",
        lambda p: p.annotation(1, image_id=1),
        {"annotation-twice": 1},
        True,
        "b.png (annotations[1])",
    ),
    Case(
        "annotation repeated",
        lambda p: p.edit(lambda c: c["annotations"].append(c["annotations"][0])),
        {"annotation-twice": 1},
        True,
        "repeats annotations[0]",
    ),
    Case(
        "annotation of no image",
        lambda p: p.annotation(1, image_id=99),
        {"annotation-orphan": 1},
        True,
        "b.png (annotations[1]): image_id 99",
    ),
    Case(
        "annotation of a foreign image",
        lambda p: p.edit(
            lambda c: c["annotations"].append({"image_id": 8, "file_name": "z.png", "segments_info": []})
        ),
        {"annotation-orphan": 1},
        True,
        "z.png (annotations[3])",
    ),
    Case(
        "image id as text",
        lambda p: p.annotation(0, image_id="1"),
        {"image-id-type": 1},
        True,
        "image_id is '1', images has 1",
    ),
    Case(
        "photo outside",
        lambda p: p.image(0, file_name="../images/a.png"),
        {"path-outside": 1},
        True,
        "leaves its",
    ),
    Case("photo absolute", lambda p: p.image(0, file_name=str(p.photo())), {"path-outside": 1}, True),
    Case(
        "photo far outside",
        lambda p: p.image(0, file_name="/etc/passwd"),
        {"path-outside": 1},
        True,
    ),
    Case(
        "photo outside on Windows",
        lambda p: p.image(0, file_name="x\\..\\..\\a.png"),
        {"path-outside": 1},
        True,
    ),
    Case("photo on a Windows drive", lambda p: p.image(0, file_name="C:\\a.png"), {"path-outside": 1}, True),
    Case("PNG outside", lambda p: p.annotation(0, file_name="../x/a.png"), {"path-outside": 1}, True),
    Case(
        "backslashes",
        lambda p: (
            p.photo("sub").with_suffix("").mkdir(),
            p.photo().rename(p.photo("sub/a")),
            p.image(0, file_name="sub\\a.png"),
        ),
        {"path-backslash": 1},
        True,
        "sub\\a.png: is sub/a.png",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_fault(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path, is_error=True)
