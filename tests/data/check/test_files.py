"""Faults of photos and PNGs: each, planted alone, gives its row and no other."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from make_data import ToyImage, write_photo
from make_faults import Case, Planter, check_case
from spatialflow.image_io import read_id_png, write_id_png


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def as_png_of(planter: Planter, mode: str, dtype: type = np.uint8) -> None:
    ids = read_id_png(planter.png()).astype(dtype)
    if mode == "16-bit RGB":
        cv2.imwrite(str(planter.png()), np.stack([ids] * 3, 2).astype(np.uint16))
    else:
        Image.fromarray(ids).convert(mode).save(planter.png())


def to_palette(path: Path) -> None:
    """Write the PNG with a palette of other colours than the ids'."""
    labels = Image.fromarray((read_id_png(path) % 256).astype(np.uint8)).convert("P")
    labels.putpalette(list(range(256)) * 3)
    labels.save(path)


CASES = [
    Case("photo missing", lambda p: p.photo().unlink(), {"photo-missing": 1}, True, "a.png"),
    Case("photo a folder", lambda p: (p.photo().unlink(), p.photo().mkdir()), {"photo-missing": 1}, True),
    Case("photo a pipe", lambda p: (p.photo().unlink(), os.mkfifo(p.photo())), {"photo-missing": 1}, True),
    Case(
        "photo missing, a pipe of nearly its name",
        lambda p: (p.photo().unlink(), os.mkfifo(p.photo().with_suffix(".jpg"))),
        {"photo-missing": 1},
        True,
    ),
    Case(
        "photo of another suffix",
        lambda p: p.image(0, file_name="A.jpg"),
        {"photo-misnamed": 1},
        True,
        "A.jpg: is a.png",
    ),
    Case(
        "photo name with accents apart",
        lambda p: (p.photo().rename(p.photo("a\u0308")), p.image(0, file_name="\xe4.png")),
        {"photo-misnamed": 1},
        True,
    ),
    Case(
        "photo truncated",
        lambda p: truncate(p.photo()),
        {"photo-unreadable": 1},
        True,
        "a.png: cannot be decoded",
    ),
    Case("photo text", lambda p: p.photo().write_text("no photo"), {"photo-unreadable": 1}, True),
    Case("photo empty", lambda p: p.photo().write_bytes(b""), {"photo-unreadable": 1}, True),
    Case(
        "size in the JSON",
        lambda p: p.image(0, height=49),
        {"size-mismatch": 1},
        True,
        "a.png (images[0]): JSON 64x49, photo 64x48, PNG 64x48",
    ),
    Case(
        "size of the photo",
        lambda p: write_photo(p.photo(), ToyImage("a", (50, 64))),
        {"size-mismatch": 1},
        None,
        "JSON 64x48, photo 64x50, PNG 64x48",
    ),
    Case(
        "size of the PNG",
        lambda p: write_id_png(p.png(), read_id_png(p.png())[::2, ::2]),
        {"size-mismatch": 1},
        None,
        "JSON 64x48, photo 64x48, PNG 32x24",
    ),
    Case("PNG missing", lambda p: p.png().unlink(), {"png-missing": 1}, True, "a.png"),
    Case("PNG called as the photo", lambda p: p.annotation(0, file_name="a.jpg"), {"png-misnamed": 1}, True),
    Case("no PNG name", lambda p: p.annotation(0, file_name=None), {"annotation-malformed": 1}, True),
    Case(
        "PNG truncated",
        lambda p: truncate(p.png()),
        {"png-unreadable": 1},
        True,
        "a.png: the PNG is truncated",
    ),
    Case(
        "PNG a JPEG",
        lambda p: Image.open(p.photo()).save(p.png(), "jpeg"),
        {"png-unreadable": 1},
        True,
        "is not a PNG",
    ),
    Case("PNG grey", lambda p: as_png_of(p, "L"), {"png-not-rgb": 1}, True, "a.png: 8 bits of grey"),
    Case(
        "PNG of 16 bits", lambda p: as_png_of(p, "I;16"), {"png-not-rgb": 1}, True, "a.png: 16 bits of grey"
    ),
    Case(
        "PNG of 48 bits",
        lambda p: as_png_of(p, "16-bit RGB"),
        {"png-not-rgb": 1},
        True,
        "a.png: 16 bits of colour",
    ),
    Case(
        "PNG as OpenCV writes RGB",
        lambda p: cv2.imwrite(str(p.png()), np.asarray(Image.open(p.png()))),
        {"png-swapped": 1},
        None,
        "a.png",
    ),
    Case("PNG of labels", lambda p: to_palette(p.png()), {"png-not-rgb": 1}, None, "a.png: palette"),
    Case(
        "PNG twice",
        lambda p: p.annotation(2, file_name="a.png"),
        {"png-listed-twice": 1, "size-mismatch": 1, "png-unlisted": 1},
        None,
        "a.png: by annotations[0] and annotations[2]",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_planted_fault(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path, is_error=True)
