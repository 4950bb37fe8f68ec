import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import spatialflow as sf
from spatialflow.categories import Categories
from spatialflow.data import synthetic
from spatialflow.data.synthetic import CATEGORIES, generate
from spatialflow.data.synthetic_drawing import SHAPES, TEXTURES, stamp
from spatialflow.data.synthetic_scene import MIN_STUFF_AREA, MIN_THING_AREA
from spatialflow.errors import OutputError
from spatialflow.image_io import read_id_png, read_photo

NUM_IMAGES = 150


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("synthetic"), NUM_IMAGES, seed=3, workers=1)


@pytest.fixture(scope="module")
def content(annotations):
    return json.loads(annotations.read_text())


def digests(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_layout_is_that_of_coco(annotations, content):
    root = annotations.parents[1]
    assert annotations == root / "annotations" / "panoptic_train.json"
    assert len(content["images"]) == len(content["annotations"]) == NUM_IMAGES
    assert len(list(root.rglob("*"))) == 2 * NUM_IMAGES + 4, "nothing else is left behind"
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        assert image["id"] == annotation["image_id"]
        photo = read_photo(root / "train" / image["file_name"])
        ids = read_id_png(annotations.with_suffix("") / annotation["file_name"])
        assert photo.shape == (image["height"], image["width"], 3) == (128, 160, 3)
        assert ids.shape == photo.shape[:2]


def test_json_agrees_with_png_by_brute_force(annotations, content):
    for annotation in content["annotations"][:30]:
        ids = read_id_png(annotations.with_suffix("") / annotation["file_name"])
        areas, boxes = {}, {}
        for y, row in enumerate(ids.tolist()):
            for x, number in enumerate(row):
                areas[number] = areas.get(number, 0) + 1
                x1, y1, x2, y2 = boxes.get(number, (x, y, x, y))
                boxes[number] = min(x, x1), min(y, y1), max(x, x2), max(y, y2)
        segments = annotation["segments_info"]
        assert {s["id"] for s in segments} == set(areas) - {0}
        assert len({s["id"] for s in segments}) == len(segments)
        for s in segments:
            x1, y1, x2, y2 = boxes[s["id"]]
            assert s["area"] == areas[s["id"]]
            assert s["bbox"] == [x1, y1, x2 - x1 + 1, y2 - y1 + 1]


def test_no_segment_is_too_small_and_stuff_is_one_segment_a_class(content):
    for annotation in content["annotations"]:
        stuff = []
        for s in annotation["segments_info"]:
            category = CATEGORIES[CATEGORIES.label(s["category_id"])]
            assert s["area"] >= (MIN_THING_AREA if category.is_thing else MIN_STUFF_AREA)
            if not category.is_thing:
                stuff.append(category.id)
                assert not s["iscrowd"]
        assert 1 <= len(stuff) == len(set(stuff)) <= 4


def test_every_class_crowds_void_and_huddles_occur(annotations, content):
    segments = [s for a in content["annotations"] for s in a["segments_info"]]
    counts = {c.name: sum(s["category_id"] == c.id for s in segments) for c in CATEGORIES}
    assert min(counts.values()) > NUM_IMAGES / 3, counts
    assert 1 <= sum(s["iscrowd"] for s in segments) <= 0.1 * NUM_IMAGES
    pngs = annotations.with_suffix("").glob("*.png")
    assert 1 <= sum(bool((read_id_png(png) == 0).any()) for png in pngs) <= 0.15 * NUM_IMAGES
    per_image = [len(a["segments_info"]) for a in content["annotations"]]
    assert min(per_image) <= 4
    assert max(per_image) >= 10


def test_categories_have_gaps_and_are_mixed(content):
    assert Categories.from_json(content["categories"]) == CATEGORIES
    assert [c.name for c in CATEGORIES if c.is_thing] == ["square", "ring", "disc", "star", "triangle"]
    assert {c.name for c in CATEGORIES if c.is_thing} == set(SHAPES)
    assert {c.name for c in CATEGORIES if not c.is_thing} == set(TEXTURES)
    by_id = sorted(CATEGORIES, key=lambda c: c.id)
    assert [c.is_thing for c in by_id] != sorted(c.is_thing for c in by_id)
    assert [c.is_thing for c in by_id] != sorted((c.is_thing for c in by_id), reverse=True)
    assert [c.id for c in by_id] != list(range(by_id[0].id, by_id[0].id + len(by_id)))


def test_shapes_are_what_their_names_say(annotations, content):
    """The share of its convex hull that a shape fills tells star and ring from the rest."""
    solidity = {c.name: [] for c in CATEGORIES if c.is_thing}
    for a in content["annotations"]:
        ids = read_id_png(annotations.with_suffix("") / a["file_name"])
        for s in a["segments_info"]:
            category = CATEGORIES[CATEGORIES.label(s["category_id"])]
            if category.is_thing and not s["iscrowd"] and s["area"] > 200:
                outline = np.argwhere(ids == s["id"]).astype(np.int32)
                solidity[category.name].append(s["area"] / max(cv2.contourArea(cv2.convexHull(outline)), 1))
    typical = {name: np.median(values) for name, values in solidity.items()}
    assert min(typical[n] for n in ("disc", "square", "triangle")) > 0.95
    assert 0.45 < typical["star"] < 0.75
    assert 0.6 < typical["ring"] < 0.85


def test_stamp_covers_what_the_polygon_covers():
    square = np.array([[-5, -5], [5, -5], [5, 5], [-5, 5]], np.float32)
    thing = stamp((square,), (20.5, 30.0), (64, 64))
    assert thing is not None
    alpha = np.zeros((64, 64))
    alpha[thing.window] = thing.alpha
    # the square reaches from x 15.5 to 25.5 and from y 25 to 35: 11 columns, the outer two by half
    assert alpha.sum() == pytest.approx(100, rel=0.06)
    assert (alpha[26:34, 16:25] == 1).all()
    assert alpha[30, 15] == pytest.approx(0.5, abs=0.26)
    assert not alpha[:24].any()
    assert not alpha[:, :15].any()
    assert thing.share_inside == pytest.approx(1, abs=0.06)
    half = stamp((square,), (0.0, 30.0), (64, 64))
    assert half is not None
    assert half.share_inside == pytest.approx(0.5, abs=0.06)
    assert stamp((square,), (-30.0, 30.0), (64, 64)) is None


def test_same_seed_same_bytes_whatever_the_workers(annotations, tmp_path):
    """Two processes, and fewer images, write the very same files."""
    first = digests(annotations.parents[1])
    finished = []
    generate(tmp_path / "again", NUM_IMAGES, seed=3, workers=2, progress=finished.append)
    assert finished == [64, 128, 150]
    assert digests(tmp_path / "again") == first
    generate(tmp_path / "fewer", 5, seed=3)
    fewer = {k: v for k, v in digests(tmp_path / "fewer").items() if not k.endswith(".json")}
    assert len(fewer) == 10
    assert fewer.items() <= first.items()


def test_other_seeds_and_splits_share_no_photo(tmp_path):
    photos = []
    for name, seed, split in (("a", 0, "train"), ("b", 1, "train"), ("c", 0, "val")):
        generate(tmp_path / name, 4, seed=seed, split=split)
        photos += [p.read_bytes() for p in sorted((tmp_path / name / split).iterdir())]
    assert len(set(photos)) == 12


def test_a_new_data_set_replaces_the_old_one_of_its_split(tmp_path):
    generate(tmp_path, 5, seed=0)
    generate(tmp_path, 2, seed=0, split="val")
    val = digests(tmp_path / "val")
    generate(tmp_path, 3, seed=1)
    assert len(list((tmp_path / "train").iterdir())) == 3
    assert len(list((tmp_path / "annotations" / "panoptic_train").iterdir())) == 3
    assert digests(tmp_path / "val") == val


def test_an_interrupted_run_leaves_no_annotation_file(tmp_path, monkeypatch):
    path = generate(tmp_path, 3, seed=0)

    def fail(*_: object) -> None:
        raise OSError("the lamp went out")

    monkeypatch.setattr(synthetic, "draw_scene", fail)
    with pytest.raises(OSError, match="lamp"):
        generate(tmp_path, 3, seed=1)
    assert not path.exists()


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="file"):
        generate(tmp_path / "file", 1, seed=0)


def test_size_may_be_chosen(tmp_path):
    path = generate(tmp_path, 3, seed=0, split="val", size=(64, 200))
    entry = json.loads(path.read_text())
    assert path.name == "panoptic_val.json"
    assert (entry["images"][0]["height"], entry["images"][0]["width"]) == (64, 200)
    assert read_photo(tmp_path / "val" / entry["images"][0]["file_name"]).shape == (64, 200, 3)


@pytest.mark.parametrize("wrong", [{"num_images": 0}, {"seed": -1}, {"size": (10, 100)}])
def test_nonsense_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected"):
        generate(**({"folder": tmp_path, "num_images": 1, "seed": 0} | wrong))


def test_draw_dataset_is_generate_with_defaults(tmp_path: Path) -> None:
    truth = sf.draw_dataset(tmp_path / "one", 3, seed=5, split="val")
    generate(tmp_path / "other", 3, 5, "val")
    assert truth == tmp_path / "one" / "annotations" / "panoptic_val.json"
    assert digests(tmp_path / "one") == digests(tmp_path / "other")
    assert len(json.loads(sf.draw_dataset(tmp_path / "third").read_text())["images"]) == 16
