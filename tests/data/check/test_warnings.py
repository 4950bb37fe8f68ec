"""What is worth a warning or a note: each, planted alone, gives its row and no other, and is no error."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_data import CAT, DOG, SKY, ToyImage, ToySegment, write_panoptic_set, write_photo
from make_faults import CLEAN, Case, check_case, offenders, rows
from spatialflow.data.check import check_dataset


def to_palette(path: Path) -> None:
    """Write the PNG with a palette of the ids' colours."""
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(path)


ODD_IMAGES = {
    "photo-small": ToyImage("d", (20, 64)),
    "segment-tiny": ToyImage("d", segments=(ToySegment(CAT, (0, 0, 64, 48)), ToySegment(DOG, (4, 4, 9, 7)))),
    "stuff-split": ToyImage(
        "d", segments=(ToySegment(CAT, (0, 0, 64, 48)), *(ToySegment(SKY, (i, 0, i + 9, 9)) for i in (0, 20)))
    ),
    "no-thing": ToyImage("d", segments=(ToySegment(SKY, (0, 0, 64, 48)),)),
}
OFFENDERS = {
    "photo-small": "d.png: 64x20",
    "segment-tiny": "d.png: segment 1002, 15 px",
    "stuff-split": "d.png: sky in 2 segments",
    "no-thing": "d.png",
}


@pytest.mark.parametrize("kind", ODD_IMAGES)
def test_an_odd_image(kind: str, tmp_path: Path) -> None:
    report = check_dataset(write_panoptic_set(tmp_path, (*CLEAN, ODD_IMAGES[kind])))
    assert rows(report) == {kind: 1}
    assert offenders(report, kind) == [OFFENDERS[kind]]
    assert not report.has_errors


def test_sixteen_pixels_and_crowds_are_not_tiny(tmp_path: Path) -> None:
    segments = (
        ToySegment(CAT, (0, 0, 64, 48)),
        ToySegment(DOG, (4, 4, 8, 8)),
        ToySegment(DOG, (9, 9, 10, 10), is_crowd=True),
    )
    report = check_dataset(write_panoptic_set(tmp_path, (*CLEAN, ToyImage("d", segments=segments))))
    assert rows(report) == {"crowd": 1}


CASES = [
    Case(
        "names nearly equal",
        lambda p: p.edit(lambda c: c["categories"][1].update(name=" CAT")),
        {"category-name-odd": 1},
    ),
    Case(
        "name empty",
        lambda p: p.edit(lambda c: c["categories"][1].update(name="")),
        {"category-name-odd": 1},
        None,
        "id 7",
    ),
    Case(
        "name a number",
        lambda p: p.edit(lambda c: c["categories"][1].update(name=7)),
        {"category-name-odd": 1},
    ),
    Case(
        "category unused",
        lambda p: p.edit(lambda c: c["categories"].append({"id": 30, "name": "cow", "isthing": 1})),
        {"category-unused": 1},
        None,
        "cow",
    ),
    Case(
        "image without annotation",
        lambda p: (p.edit(lambda c: c["annotations"].pop(2)), p.png("c").unlink()),
        {"image-unannotated": 1},
        None,
        "c.png (images[2])",
    ),
    Case(
        "photo turned",
        lambda p: write_photo(p.photo(), ToyImage("a", orientation=6)),
        {"photo-rotated": 1},
        None,
        "orientation 6",
    ),
    Case("photo black", lambda p: Image.new("RGB", (64, 48)).save(p.photo()), {"photo-blank": 1}),
    Case(
        "photo a copy",
        lambda p: (
            p.photo("d").write_bytes(p.photo().read_bytes()),
            p.edit(lambda c: c["images"].append({"id": 4, "file_name": "d.png", "height": 48, "width": 64})),
        ),
        {"photo-copy": 1, "image-unannotated": 1},
    ),
    Case(
        "photo of another format",
        lambda p: Image.open(p.photo()).save(p.photo(), "bmp"),
        {"photo-suffix": 1},
        None,
        "a.png: is BMP",
    ),
    Case(
        "photo grey",
        lambda p: Image.open(p.photo()).convert("L").save(p.photo()),
        {"photo-mode": 1},
        None,
        "a.png: grey",
    ),
    Case(
        "photo of 16 bits",
        lambda p: Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20).save(p.photo()),
        {"photo-mode": 1},
        None,
        "16 bits",
    ),
    Case(
        "photo not listed",
        lambda p: p.photo("z").write_bytes(p.photo().read_bytes()),
        {"photo-unlisted": 1},
        None,
        "z.png",
    ),
    Case(
        "PNG not listed",
        lambda p: p.png("z").write_bytes(p.png().read_bytes()),
        {"png-unlisted": 1},
        None,
        "z.png",
    ),
    Case("PNG with a palette of ids", lambda p: to_palette(p.png()), {"png-palette": 1}, None, "a.png"),
    Case(
        "all void",
        lambda p: (p.annotation(2, segments_info=[]), p.paint("c", lambda ids: ids.fill(0))),
        {"all-void": 1},
        None,
        "c.png",
    ),
    Case("no box", lambda p: p.without("bbox"), {"box-missing": 1}, True),
    Case("box null", lambda p: p.segment(0, bbox=None), {"box-missing": 1}, True),
    Case("crowd", lambda p: p.segment(0, iscrowd=1), {"crowd": 1}, None, "a.png: segment 1002"),
    Case(
        "crowd of stuff",
        lambda p: p.segment(0, 0, iscrowd=1),
        {"stuff-crowd": 1},
        None,
        "a.png: segment 1001",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_fault(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path, is_error=False)
