"""The check of a whole set: what it counts, where it looks for files, and what it cannot read at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from make_data import CAT, DOG, SKY, ToyImage, ToySegment, edit_json, pack_folder, write_panoptic_set
from make_faults import CLEAN, Planter, clean_set, offenders, rows
from spatialflow.data.check import check_dataset, write_repaired
from spatialflow.data.check.categories import MAX_STUFF
from spatialflow.data.check.kinds import KINDS
from spatialflow.data.check.segments import TINY
from spatialflow.errors import DataError
from spatialflow.image_io import MAX_SEGMENT_ID
from spatialflow.ops.masks import IGNORED


@pytest.fixture
def planter(tmp_path: Path) -> Planter:
    return clean_set(tmp_path)


def test_a_clean_set_has_no_fault(planter: Planter) -> None:
    report = planter.check()
    assert rows(report) == {}
    assert not report.has_errors


def test_real_sets_have_no_error(shared_data: Path) -> None:
    for name in ("coco/annotations/panoptic_real", "custom_cats_dogs/annotations/panoptic_custom"):
        assert not check_dataset(shared_data / f"{name}.json").has_errors
    ade = shared_data / "ade20k"
    report = check_dataset(ade / "ade20k_panoptic_training.json", ade / "images/training")
    assert set(rows(report)) == {"category-unused"}


def test_cityscapes_own_names_of_photos_are_repairable(shared_data: Path) -> None:
    folder = shared_data / "cityscapes_half"
    train = folder / "gtFine/cityscapes_panoptic_train.json"
    report = check_dataset(train, folder / "leftImg8bit/train")
    assert rows(report) == {"photo-misnamed": 3, "category-unused": 3, "crowd": 1}
    assert all(row.repairable == row.count for row in report.findings if row.kind.key == "photo-misnamed")


def test_statistics_by_hand(planter: Planter) -> None:
    planter.segment(1, iscrowd=1)  # the dog of b
    statistics = planter.check().statistics.to_json()
    assert statistics["images"] == statistics["annotated_images"] == statistics["trainable_images"] == 3
    assert statistics["segments"] == 6
    assert statistics["pixels"] == 48 * 64 + 64 * 48 + 40 * 40
    counts = {
        c["name"]: (c["images"], c["segments"], c["crowds"], c["pixels"]) for c in statistics["categories"]
    }
    dog = 25 * 55
    grass = 48 * 34 - 25 * 30  # of which the dog hides a part
    assert counts == {
        "cat": (2, 2, 0, 660 + 9 * 20),
        "dog": (1, 1, 1, dog),
        "grass": (1, 1, 0, grass),
        "sky": (2, 2, 0, 64 * 20 - 30 * 12 + 400),
    }
    assert statistics["void_pixels"] == statistics["pixels"] - sum(c[3] for c in counts.values())
    assert statistics["categories"][1]["pixel_share"] == dog / statistics["pixels"]


def test_what_training_leaves_out_is_counted(tmp_path: Path) -> None:
    only_sky = ToyImage("sky", segments=(ToySegment(SKY, (0, 0, 9, 9)),))
    path = write_panoptic_set(tmp_path, (*CLEAN, only_sky, ToyImage("small", (20, 64)), ToyImage("bare")))
    edit_json(path, lambda content: content["annotations"].pop())
    statistics = check_dataset(path).statistics
    assert (statistics.num_images, statistics.num_annotated, statistics.num_trainable) == (6, 5, 3)


def test_the_order_of_findings_is_that_of_the_file_whatever_the_threads(tmp_path: Path) -> None:
    path = write_panoptic_set(tmp_path, [ToyImage(f"{i:02}") for i in range(30)])
    edit_json(path, lambda c: [a["segments_info"][1].update(area=1) for a in c["annotations"]])
    reports = [check_dataset(path, workers=workers).to_json() for workers in (1, 4)]
    assert reports[0] == reports[1]
    assert offenders(check_dataset(path), "area-wrong") == [
        f"{i:02}.png: segment 1002: 1, has 660 px" for i in range(30)
    ]


def test_progress_counts_all_photos(planter: Planter, tmp_path: Path) -> None:
    val = write_panoptic_set(tmp_path / "val", [ToyImage("v"), ToyImage("w")])
    calls: list[tuple[int, int]] = []
    planter.check(validation=[val], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 5) for i in range(1, 6)]


# ---- nothing there -----------------------------------------------------------------------------------


def test_no_categories(planter: Planter) -> None:
    planter.edit(lambda content: content.update(categories=[]))
    assert rows(planter.check()) == {"category-none": 1}


def test_no_images(planter: Planter) -> None:
    planter.edit(lambda content: content.update(images=[], annotations=[]))
    assert rows(planter.check()) == {"no-images": 1, "category-unused": 4, "png-unlisted": 3}


def test_no_annotations(planter: Planter) -> None:
    planter.edit(lambda content: content.update(annotations=[]))
    expected = {"nothing-to-train": 1, "image-unannotated": 3, "category-unused": 4, "png-unlisted": 3}
    assert rows(planter.check()) == expected


def test_no_photos_anywhere(planter: Planter) -> None:
    shutil.rmtree(planter.photo().parent)
    report = planter.check()
    assert rows(report) == {"photo-folder": 1}
    assert report.images is None
    assert "none of 3 photos is in" in offenders(report, "photo-folder")[0]


def test_no_pngs_anywhere(planter: Planter) -> None:
    shutil.rmtree(planter.png().parent)
    assert rows(planter.check()) == {"png-folder": 1}


def test_the_first_photo_need_not_be_there(planter: Planter) -> None:
    planter.photo().unlink()
    report = planter.check()
    assert report.images == planter.photo().parent
    assert rows(report) == {"photo-missing": 1}


def test_photos_and_pngs_in_one_folder(planter: Planter) -> None:
    folder = planter.path.with_suffix("")
    for name in "abc":
        shutil.move(planter.photo(name), folder / f"photo_{name}.png")
    planter.edit(lambda c: [image.update(file_name=f"photo_{image['file_name']}") for image in c["images"]])
    assert rows(planter.check(images=folder)) == {}


def test_photos_beside_the_json_whose_folder_holds_the_pngs_of_others(planter: Planter) -> None:
    for path in planter.photo().parent.iterdir():
        shutil.move(path, planter.path.parent)
    (planter.path.parent / "a.png").unlink()
    write_panoptic_set(planter.path.parents[1], CLEAN[:1], "panoptic_other")
    shutil.rmtree(planter.photo().parent)
    # annotations/panoptic_other/a.png is no photo, although its name is that of one that is missing
    assert rows(planter.check()) == {"photo-missing": 1}


# ---- what cannot be read at all ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is a bare list of results"),
        ('{"a": ' + "[" * 100_000, "is not valid JSON"),
        ('{"images": ' + "1" * 5000 + "}", "is not valid JSON"),
        ('{"images": [], "categories": []}', "annotations: the key is missing"),
        ('{"annotations": [], "categories": []}', "images: the key is missing"),
        ('{"annotations": [], "images": []}', "categories: the key is missing"),
        ('{"annotations": {}, "images": [], "categories": []}', "annotations: a list is expected"),
        ('{"annotations": [], "images": 3, "categories": []}', "images: a list is expected"),
        ('{"annotations": [], "images": [], "categories": {}}', "categories: a list is expected"),
        ('{"annotations": [{"bbox": [], "id": 3}], "images": [], "categories": []}', "a COCO detection file"),
    ],
)
def test_no_panoptic_file(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"x\.json: ") as caught:
        check_dataset(path)
    assert message in str(caught.value)
    with pytest.raises(DataError, match=r"x\.json: "):
        check_dataset(clean_set(tmp_path).path, validation=[path])


@pytest.mark.parametrize("option", ["images", "segments"])
def test_a_folder_that_is_named_must_be_there(option: str, planter: Planter, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"nowhere: no such folder; give --{option}"):
        planter.check(**{option: tmp_path / "nowhere"})


def test_garbage_in_every_field_is_survived(planter: Planter) -> None:
    garbage: list[Any] = [None, True, -1, 1.5, float("nan"), 10**400, "", "x", [], {}, [[]], {"id": []}]
    original = json.loads(planter.path.read_text())
    entries = [
        lambda c: c["images"][0],
        lambda c: c["annotations"][0],
        lambda c: c["annotations"][0]["segments_info"][0],
        lambda c: c["categories"][0],
    ]
    for entry in entries:
        for key in entry(original):
            for value in garbage:
                content = json.loads(json.dumps(original))
                entry(content)[key] = value
                planter.path.write_text(json.dumps(content))
                write_repaired(planter.check(workers=1), planter.path.with_name("repaired.json"))


def test_numbers_that_others_know_too() -> None:
    assert MAX_STUFF + 1 == IGNORED  # channels 0..254: stuff, and one for things
    assert TINY == 16
    assert str(MAX_SEGMENT_ID) in next(kind.remedy for kind in KINDS if kind.key == "segment-id-range")
    assert len({kind.key for kind in KINDS}) == len(KINDS)


def test_too_many_stuff_classes(planter: Planter) -> None:
    more = [{"id": 100 + i, "name": f"stuff {i}", "isthing": 0} for i in range(MAX_STUFF - 2)]
    planter.edit(lambda content: content["categories"].extend(more))
    assert rows(planter.check()) == {"category-unused": MAX_STUFF - 2}
    planter.edit(lambda content: content["categories"].append({"id": 99, "name": "one more", "isthing": 0}))
    assert rows(planter.check()) == {"category-unused": MAX_STUFF - 1, "too-many-stuff": 1}


def pack(planter: Planter) -> None:
    pack_folder(planter.photo().parent, planter.photo().parent.with_suffix(".zip"))
    pack_folder(planter.png().parent, planter.png().parent.with_suffix(".zip"))


def test_archives_are_found_and_checked_like_folders(planter: Planter) -> None:
    """With a fault of each kind that is looked for among the names of files."""
    planter.image(0, file_name="A.JPG")
    planter.annotation(1, file_name="moved/b.png")
    planter.photo("c").write_bytes(planter.photo("c").read_bytes()[:-200])
    shutil.copyfile(planter.photo("b"), planter.photo("unlisted"))
    shutil.copyfile(planter.photo("b"), planter.photo(".hidden"))
    shutil.copyfile(planter.png("b"), planter.png("unlisted"))
    before = planter.check()
    found = {row.kind.key: row.examples for row in before.findings}
    assert found.keys() == {
        "photo-misnamed",
        "png-misnamed",
        "photo-unreadable",
        "photo-unlisted",
        "png-unlisted",
    }
    pack(planter)
    after = planter.check()
    assert {row.kind.key: row.examples for row in after.findings} == found
    assert str(after.images).endswith("images.zip/images")
    assert str(after.segments).endswith("panoptic_toy.zip/panoptic_toy")
    fixed = write_repaired(after, planter.path.with_name("fixed.json")).path
    again = check_dataset(fixed, planter.path.parents[1] / "images.zip", planter.path.with_suffix(".zip"))
    assert rows(again) == {"photo-unlisted": 2, "png-unlisted": 2}


def test_photos_that_are_in_two_archives(planter: Planter, tmp_path: Path) -> None:
    other = Planter(write_panoptic_set(tmp_path / "other", CLEAN[:1]))
    pack(planter)
    pack(other)
    report = planter.check(validation=[other.path])
    assert rows(report) == {"overlap-content": 1}
    assert offenders(report, "overlap-content") == ["a.png is a.png"]


def test_both_in_one_archive(planter: Planter) -> None:
    folder = planter.path.parents[1]
    archive = pack_folder(folder, folder.with_suffix(".zip"), "", keep=True)
    report = planter.check(images=archive / "images", segments=archive / "annotations" / "panoptic_toy")
    assert rows(report) == {}
    for image in range(3):
        planter.image(image, file_name=f"images/{CLEAN[image].name}.png")
    assert rows(planter.check(images=archive, segments=archive / "annotations" / "panoptic_toy")) == {}


def test_damaged_archive(planter: Planter) -> None:
    pack(planter)
    archive = planter.path.with_suffix(".zip")
    archive.write_bytes(archive.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"panoptic_toy\.zip: the \.zip is damaged or incomplete"):
        planter.check()


def test_things_that_are_all_crowds_teach_nothing(planter: Planter) -> None:
    def crowd(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["iscrowd"] = int(segment["category_id"] in (CAT, DOG))

    planter.edit(crowd)
    report = planter.check()
    assert "only-crowds" in rows(report)
    assert report.has_errors


def test_names_that_only_their_accents_tell_apart(planter: Planter) -> None:
    """Composed and decomposed letters look alike."""

    def rename(content: dict[str, Any]) -> None:
        content["categories"][0]["name"], content["categories"][1]["name"] = "caf\u00e9", "cafe\u0301"

    planter.edit(rename)
    assert "category-name-odd" in rows(planter.check())
