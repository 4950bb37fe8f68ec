"""The archive for COCO's evaluation server: one from real photos, and every fault that a check must find."""

import io
import json
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_model import tiny_model
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.errors import ConfigError, DataError
from spatialflow.evaluation.submission import pack_submission, split_of, submission_stem
from spatialflow.evaluation.submission_check import check_submission
from spatialflow.files import write_json
from spatialflow.image_io import decode_id_png, encode_id_png, write_id_png
from spatialflow.inference.predictor import Predictor
from spatialflow.inference.submission import write_submission

STEM = "panoptic_test-dev2017_mine_results"
Files = dict[str, bytes]
Check = Callable[..., list[str]]


def read(archive: Path) -> Files:
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def pack(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A list of two images of 6x4 and 3x4."""
    path = tmp_path / "image_info_test-dev2017.json"
    entries = [
        {"id": 7, "file_name": "a.jpg", "height": 4, "width": 6},
        {"id": 9, "file_name": "b.jpg", "height": 4, "width": 3},
    ]
    write_json(path, {"images": entries})
    return path


@pytest.fixture
def good(tmp_path: Path) -> Files:
    """Files of an archive in which nothing is wrong."""
    first, second = np.zeros((4, 6), np.int32), np.zeros((4, 3), np.int32)
    first[:2], first[2:, :3] = 1, 300
    folder = tmp_path / "result"
    write_id_png(folder / STEM / "a.png", first)
    write_id_png(folder / STEM / "b.png", second)
    segments = [{"id": 1, "category_id": 1, "score": 0.5}, {"id": 300, "category_id": 200, "area": 6}]
    annotations = [
        {"image_id": 7, "file_name": "a.png", "segments_info": segments},
        {"image_id": 9, "file_name": "b.png", "segments_info": []},
    ]
    write_json(folder / f"{STEM}.json", {"annotations": annotations, "info": {"description": "ours"}})
    return read(pack_submission(folder / f"{STEM}.json"))


@pytest.fixture
def check(tmp_path: Path, images: Path) -> Check:
    def call(files: Files, name: str = f"{STEM}.zip") -> list[str]:
        return check_submission(pack(tmp_path / name, files), images, coco_panoptic())

    return call


def change_json(files: Files, change: Callable[[dict], object]) -> Files:  # type: ignore[type-arg]
    content = json.loads(files[f"{STEM}.json"])
    change(content)
    return {**files, f"{STEM}.json": json.dumps(content).encode()}


def test_names() -> None:
    assert submission_stem("test-dev2017", "mine") == STEM
    assert split_of("annotations/image_info_test-dev2017.json") == "test-dev2017"
    assert split_of("panoptic_val2017.json") == "val2017"
    assert split_of("panoptic_mini_val.json") == "mini-val"
    for bad in ("a/b", "", "a b", "a_b", ".x"):
        with pytest.raises(ConfigError, match="--algorithm"):
            submission_stem("test-dev2017", bad)


def test_archive_holds_what_the_server_reads_and_nothing_else(good: Files, check: Check) -> None:
    assert list(good) == [f"{STEM}.json", f"{STEM}/a.png", f"{STEM}/b.png"]
    content = json.loads(good[f"{STEM}.json"])
    assert content == {
        "annotations": [
            {
                "image_id": 7,
                "file_name": "a.png",
                "segments_info": [{"id": 1, "category_id": 1}, {"id": 300, "category_id": 200}],
            },
            {"image_id": 9, "file_name": "b.png", "segments_info": []},
        ]
    }
    assert check(good) == []


def only(problems: list[str], pattern: str) -> None:
    assert len(problems) == 1, problems
    assert re.search(pattern, problems[0]), problems


def test_names_that_are_wrong(good: Files, check: Check) -> None:
    only(check(good, "results.zip"), rf"must be called {STEM}\.zip, not: results\.zip")
    nested = {f"out/{name}": content for name, content in good.items()}
    only(check(nested), rf"at the top of the archive, not in a folder; found: out/{STEM}\.json")
    only(check({}), "found: none")
    other = {name.replace("test-dev2017", "val2017"): content for name, content in good.items()}
    only(check(other, f"{STEM.replace('test-dev2017', 'val2017')}.zip"), r"panoptic_test-dev2017_ALGORITHM")
    only(check({**good, "__MACOSX/._x": b""}), r"files besides .*: __MACOSX/\._x")


def test_folder_entries_are_fine(good: Files, check: Check) -> None:
    """zip -r writes them."""
    assert check({f"{STEM}/": b"", **good}) == []


def test_lists_that_are_wrong(good: Files, check: Check) -> None:
    fewer = change_json(good, lambda c: c["annotations"].pop())
    problems = check(fewer)
    assert any(re.search("images without a prediction: 9", p) for p in problems)
    assert any(re.search(r"PNGs that no prediction names: b\.png", p) for p in problems)
    assert len(problems) == 2
    foreign = change_json(good, lambda c: c["annotations"][1].update(image_id=8))
    assert {p.split(":")[0] for p in check(foreign)} == {
        "images without a prediction",
        "predictions of images that are not in the list",
    }
    unknown = change_json(good, lambda c: c["annotations"][0]["segments_info"][0].update(category_id=12))
    only(check(unknown), r"unknown categories: 12 \(image 7\)")
    twice = change_json(good, lambda c: c["annotations"].append(c["annotations"][0]))
    only(check(twice), r"JSON is not as it should be: .*image 7 is given twice")
    shared = change_json(good, lambda c: c["annotations"][1].update(file_name="a.png"))
    assert any("several predictions name: a.png" in p for p in check(shared))
    only(check({**good, f"{STEM}.json": b"{"}), "not valid JSON")
    only(check(change_json(good, lambda c: c.pop("annotations"))), "annotations: the key is missing")


def test_pngs_that_are_wrong(good: Files, check: Check) -> None:
    png = f"{STEM}/a.png"
    ids = decode_id_png(good[png], "a.png")
    missing = {name: content for name, content in good.items() if name != png}
    only(check(missing), r"PNGs that are missing: a\.png")
    only(check({**good, png: encode_id_png(ids[:, :5])}), r"another size .*a\.png \(5x4, not 6x4\)")
    only(check({**good, png: good[png][:40]}), r"cannot be read: a\.png: the PNG is truncated")
    only(
        check({**good, png: encode_id_png(np.where(ids == 1, 2, ids))})[:1],
        "pixels that segments_info does not list: 2 of",
    )
    only(check({**good, png: encode_id_png(np.where(ids == 1, 0, ids))}), r"without a pixel: 1 of a\.png")
    unlisted = change_json(good, lambda c: c["annotations"][0]["segments_info"].pop())
    only(check(unlisted), r"does not list: 300 of a\.png")


def test_many_offenders_are_counted(tmp_path: Path, images: Path) -> None:
    entries = [{"id": i, "file_name": f"{i}.jpg", "height": 4, "width": 4} for i in range(9)]
    write_json(images, {"images": entries})
    archive = pack(tmp_path / f"{STEM}.zip", {f"{STEM}.json": b'{"annotations": []}'})
    only(
        check_submission(archive, images, coco_panoptic()), "images without a prediction: 0, 1, 2 and 6 more"
    )


def test_what_is_no_archive(tmp_path: Path, images: Path, good: Files) -> None:
    path = tmp_path / f"{STEM}.zip"
    with pytest.raises(DataError, match="cannot be read"):
        check_submission(path, images, coco_panoptic())
    path.write_bytes(b"nothing")
    only(check_submission(path, images, coco_panoptic()), "no whole zip archive")
    whole = pack(path, good).read_bytes()
    damaged = bytearray(whole)
    at = whole.index(b"IDAT")
    damaged[at + 8] ^= 0xFF  # a pixel, so that the checksum of the member fails
    path.write_bytes(damaged)
    only(check_submission(path, images, coco_panoptic()), r"cannot be read: a\.png: Bad CRC-32")


def rezip(path: Path, files: Files, **options: Any) -> None:
    with zipfile.ZipFile(path, "w", **options) as packed:
        for name, content in files.items():
            packed.writestr(name, content)


def with_flags(whole: bytes, flags: int, method: int) -> bytes:
    """A zip whose members all claim these flags and this method of compression."""
    changed = bytearray(whole)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(mark), whole):
            struct.pack_into("<HH", changed, match.start() + offset, flags, method)
    return bytes(changed)


def test_archives_that_attack(tmp_path: Path, images: Path, good: Files) -> None:
    """Whatever a member is, it is a line, and never more than it can need is unpacked."""
    path = tmp_path / f"{STEM}.zip"
    png = f"{STEM}/a.png"

    def problems() -> list[str]:
        return check_submission(path, images, coco_panoptic())

    png_pattern, json_pattern = "PNGs that cannot be read: a.png", "the JSON is not as it should be"
    for name, pattern in ((png, png_pattern), (f"{STEM}.json", json_pattern)):
        rezip(path, {**good, name: bytes(1 << 28)}, compression=zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 1 << 19
        tracemalloc.start()
        only(problems(), pattern + r".*is larger than")
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
        tracemalloc.stop()
    rezip(path, good, compression=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    for flags, method in ((1, 8), (0, 99)):  # encrypted; a method of compression that is none
        path.write_bytes(with_flags(whole, flags, method))
        only(problems(), json_pattern)
    at = whole.index(f"{STEM}.json".encode()) + len(f"{STEM}.json")
    path.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
    only(problems(), json_pattern)
    for nested in (b"[" * 100_000, b'{"annotations": [' + b"1" * 5000 + b"]}"):
        rezip(path, {**good, f"{STEM}.json": nested})
        only(problems(), "the JSON is not as it should be")


def test_pngs_that_the_server_cannot_read(good: Files, check: Check) -> None:
    """Palettes, grey with alpha, and 16 bits decode to colours or not at all, but to no ids there."""
    png = f"{STEM}/a.png"
    rgb = Image.open(io.BytesIO(good[png]))
    for mode in ("P", "L", "LA", "I;16"):
        encoded = io.BytesIO()
        rgb.convert("L").convert(mode).save(encoded, "png")
        only(check({**good, png: encoded.getvalue()}), r"not 8-bit RGB, as ids need: a\.png")
    encoded = io.BytesIO()
    rgb.convert("RGBA").save(encoded, "png")
    assert check({**good, png: encoded.getvalue()}) == []
    header = good[png][:16] + struct.pack(">II", 60_000, 60_000) + good[png][24:]
    only(check({**good, png: header}), r"another size .*a\.png \(60000x60000, not 6x4\)")


def test_segments_that_come_twice(good: Files, check: Check) -> None:
    def twice(content: dict) -> None:  # type: ignore[type-arg]
        infos = content["annotations"][0]["segments_info"]
        infos.append(infos[0])

    only(check(change_json(good, twice)), "segments that are listed twice: in the prediction of image 7")

    def two_of_one_stuff(content: dict) -> None:  # type: ignore[type-arg]
        content["annotations"][0]["segments_info"][0]["category_id"] = 200

    only(check(change_json(good, two_of_one_stuff)), r"stuff in several segments.*: rug-merged in 7")


def test_twenty_photos_packed_and_unpacked(shared_data: Path, tmp_path: Path) -> None:
    source = json.loads((shared_data / "coco" / "annotations" / "panoptic_mini_val.json").read_text())
    listed_in = tmp_path / "image_info_test-dev2017.json"
    write_json(listed_in, {"images": source["images"][:20], "categories": [{"id": 1, "name": "person"}]})
    few = {"pre_nms_top_k": 5, "max_detections": 10}  # random weights find something everywhere
    model = tiny_model(coco_panoptic(), detection=few, merge={"score_threshold": 0.0, "stuff_area": 64})
    data = model.config.data.model_copy(
        update={
            "test": str(listed_in),
            "test_images": str(shared_data / "coco" / "images"),
            "test_scale": (160, 128),
            "workers": 0,
        }
    )
    model.config = model.config.model_copy(update={"data": data})
    archive, problems = write_submission(Predictor(model, "cpu", "fp32"), data, tmp_path / "out", "mine")
    assert problems == []
    assert archive == tmp_path / "out" / f"{STEM}.zip"
    files = read(archive)
    entries = json.loads(files[f"{STEM}.json"])["annotations"]
    assert [entry["image_id"] for entry in entries] == [image["id"] for image in source["images"][:20]]
    known = {entry["id"] for entry in Categories.load("coco_panoptic").to_json()}
    segments = 0
    for image, entry in zip(source["images"], entries, strict=False):
        ids = decode_id_png(files[f"{STEM}/{entry['file_name']}"], entry["file_name"])
        assert ids.shape == (image["height"], image["width"])
        assert set(np.unique(ids)) - {0} == {segment["id"] for segment in entry["segments_info"]}
        assert {segment["category_id"] for segment in entry["segments_info"]} <= known
        segments += len(entry["segments_info"])
    assert segments > 20
