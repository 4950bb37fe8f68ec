"""COCO's things and stuff to panoptic: classes, layers, both kinds of stuff files, real truth and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_coco_stuff import (
    BANNER,
    BRANCH,
    CLOTH,
    DOG,
    IMAGES,
    OTHER,
    PERSON,
    TREE,
    TREE_MERGED,
    annotation,
    box,
    toy_stuff,
    toy_things,
    write,
    write_map,
)
from spatialflow.categories import Categories, coco_panoptic
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import coco_stuff_to_panoptic
from spatialflow.data.converters.coco_stuff_labels import STUFF_CLASSES, panoptic_ids
from spatialflow.data.panoptic_json import PanopticFile, read_truth
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png

VOID = 255
MERGED = {
    184: {94, 169, 97, 129},
    185: {99, 113, 146},
    186: {103, 102},
    187: {106, 157, 120},
    188: {108, 98},
    189: {110, 165},
    190: {114, 115, 117},
    191: {116, 140},
    192: {127, 135},
    193: {134, 124, 163},
    194: {136, 111},
    195: {137, 139},
    196: {153, 170, 121},
    197: {158, 96},
    198: {162, 150},
    199: {173, 172, 174},
    200: {131, 152, 101},
}
"""COCO's list of merged classes (cocodataset.org/#panoptic-eval), by the ids of COCO-Stuff's labels.txt."""
REMOVED = {123, 132, 143, 160, 164, 179, 167, 104, 105, 142, 182, 126}


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    return write(tmp_path / "instances.json", *toy_things())


@pytest.fixture
def stuff(tmp_path: Path) -> Path:
    return write(tmp_path / "stuff.json", *toy_stuff())


EXPECTED = [
    [3, 3, 3, 3, 5, 5],
    [3, 4, 4, 3, 1, 1],
    [3, 4, 4, 3, 2, 2],
    [2, 2, 2, 0, 0, 0],
]
ROWS = [
    (1, BANNER, False, 2, (4, 1, 2, 1)),
    (2, TREE_MERGED, False, 5, (0, 2, 6, 2)),
    (3, PERSON, False, 8, (0, 0, 4, 3)),
    (4, DOG, False, 4, (1, 1, 2, 2)),
    (5, PERSON, True, 2, (4, 0, 2, 1)),
]


def rows(path: Path) -> list[tuple[Any, ...]]:
    (found,) = read_truth(path).annotations.values()
    return [(s.id, s.category_id, s.is_crowd, s.area, s.bbox) for s in found.segments]


def test_each_pixel(instances: Path, stuff: Path, tmp_path: Path) -> None:
    """Banner and trees under things, cloth void, the dog on the person, the crowd a crowd."""
    result = coco_stuff_to_panoptic(instances, stuff, tmp_path / "out.json")
    assert (result.images, result.segments, result.dropped) == (1, 5, 0)
    assert result.overlapping == 4 + 2 + 2  # under the dog, trees under the person, banner under the crowd
    assert read_id_png(tmp_path / "out" / "000000000005.png").tolist() == EXPECTED
    assert rows(tmp_path / "out.json") == ROWS
    written = read_json(tmp_path / "out.json")
    assert (written["info"], written["images"]) == ({"year": 2017}, IMAGES)
    assert Categories.from_json(written["categories"]) == coco_panoptic()


def test_each_pixel_of_maps(instances: Path, tmp_path: Path) -> None:
    """Values are ids minus one; things in the maps are not read, so that pixels may become void."""
    values = np.full((4, 6), VOID, np.uint8)
    for category_id, mask in (
        (BRANCH, box(4, 2, 6, 3)),
        (TREE, box(0, 3, 3, 4)),
        (CLOTH, box(3, 3, 6, 4)),
        (BANNER, box(4, 1, 6, 2)),
        (PERSON, box(0, 0, 4, 3)),
    ):
        values[mask] = category_id - 1
    maps = write_map(tmp_path / "maps", values)
    coco_stuff_to_panoptic(instances, maps, tmp_path / "out.json")
    assert read_id_png(tmp_path / "out" / "000000000005.png").tolist() == EXPECTED
    assert rows(tmp_path / "out.json") == ROWS
    write(instances)
    coco_stuff_to_panoptic(instances, maps, tmp_path / "out.json")
    assert [row[1] for row in rows(tmp_path / "out.json")] == [BANNER, TREE_MERGED]


def test_hidden_things_are_left_out_and_told(tmp_path: Path, stuff: Path) -> None:
    """Of two things with the same mask the one listed last is on top."""
    things = [annotation(DOG, box(0, 0, 2, 2)), annotation(PERSON, box(0, 0, 2, 2))]
    result = coco_stuff_to_panoptic(write(tmp_path / "instances.json", *things), stuff, tmp_path / "out.json")
    assert result.dropped == 1
    assert [row[1] for row in rows(tmp_path / "out.json")][2:] == [PERSON]


def test_smaller_stuff_is_on_top(tmp_path: Path) -> None:
    stuff = write(
        tmp_path / "stuff.json", annotation(BANNER, box(1, 1, 2, 2)), annotation(TREE, box(0, 0, 6, 4))
    )
    coco_stuff_to_panoptic(write(tmp_path / "instances.json"), stuff, tmp_path / "out.json")
    assert [row[1:4] for row in rows(tmp_path / "out.json")] == [(BANNER, False, 1), (TREE_MERGED, False, 23)]


def test_classes() -> None:
    """Each of the 91 went where COCO's page says, and all 53 panoptic stuff categories are reached."""
    assert [stuff.id for stuff in STUFF_CLASSES] == list(range(92, 183))
    assert len({stuff.name for stuff in STUFF_CLASSES}) == 91
    expected = {stuff.id: stuff.id for stuff in STUFF_CLASSES}
    expected |= {stuff_id: new for new, ids in MERGED.items() for stuff_id in ids} | dict.fromkeys(REMOVED, 0)
    assert panoptic_ids() == expected
    stuff = {category.id: category.name for category in coco_panoptic() if not category.is_thing}
    assert set(panoptic_ids().values()) - {0} == stuff.keys()
    for one in STUFF_CLASSES:
        if panoptic_ids()[one.id] == one.id:
            assert one.name == stuff[one.id]


def take_apart(truth: PanopticFile, segments: Path, folder: Path) -> tuple[Path, Path]:
    """Instances and stuff files that make this truth, with as much hidden as can be.

    Each thing also covers all smaller things of its image, and stuff goes on under things; merged stuff is
    two of its classes, left and right; what is void is a class that was removed.
    """
    things, stuff = [], []
    for found in truth.annotations.values():
        ids = read_id_png(segments / found.file_name)
        of_image = {"image_id": found.image_id}
        is_thing = {s.id: s.category_id < 91 for s in found.segments}
        all_things = np.isin(ids, [i for i in is_thing if is_thing[i]])
        below = np.zeros_like(all_things)
        for segment in sorted(found.segments, key=lambda s: int((ids == s.id).sum())):
            if is_thing[segment.id]:
                below = below | (ids == segment.id)
                things.append(
                    annotation(segment.category_id, below, iscrowd=int(segment.is_crowd)) | of_image
                )
                continue
            old_ids = sorted(MERGED.get(segment.category_id, {segment.category_id}))
            parts = np.zeros_like(ids)
            parts[:, ids.shape[1] // 2 :] = len(old_ids) - 1
            for i, old_id in enumerate(old_ids):
                stuff.append(annotation(old_id, (ids == segment.id) & (parts == i)) | of_image)
        stuff.append(annotation(CLOTH, ids == 0) | of_image)
        stuff.append(annotation(OTHER, all_things) | of_image)
    images = [
        {"id": i.id, "file_name": i.file_name, "height": i.height, "width": i.width}
        for i in truth.images.values()
    ]
    return (
        write(folder / "instances.json", *things, images=images),
        write(folder / "stuff.json", *stuff, images=images[::-1]),
    )


@pytest.mark.parametrize("name", ["panoptic_mini_train", "panoptic_mini_val", "panoptic_real"])
def test_real_truth_and_back(shared_data: Path, tmp_path: Path, name: str) -> None:
    """Truth that was assembled by this rule, taken apart and put together again."""
    path = shared_data / "coco" / "annotations" / f"{name}.json"
    truth = read_truth(path)
    coco_stuff_to_panoptic(*take_apart(truth, path.with_suffix(""), tmp_path), tmp_path / "out.json")
    made = read_truth(tmp_path / "out.json")
    assert made.images == truth.images
    for found in made.annotations.values():
        expected = truth.annotations[found.image_id]
        ids = read_id_png(path.with_suffix("") / expected.file_name)
        our_ids = read_id_png(tmp_path / "out" / found.file_name)
        ours = {s.id: s for s in found.segments}
        assert len(ours) == len(expected.segments)
        np.testing.assert_array_equal(our_ids == 0, ids == 0)
        for segment in expected.segments:
            (own_id,) = np.unique(our_ids[ids == segment.id]).tolist()
            own = ours[own_id]
            assert (own.category_id, own.is_crowd) == (segment.category_id, segment.is_crowd)
            assert own.area == (ids == segment.id).sum()


def test_real_maps(shared_data: Path, tmp_path: Path) -> None:
    """The same from stuffthingmaps."""
    path = shared_data / "coco" / "annotations" / "panoptic_mini_val.json"
    truth = read_truth(path)
    instances, stuff = take_apart(truth, path.with_suffix(""), tmp_path)
    for found in truth.annotations.values():
        ids = read_id_png(path.with_suffix("") / found.file_name)
        values = np.full(ids.shape, VOID, np.uint8)
        for segment in found.segments:
            old_id = min(MERGED.get(segment.category_id, {segment.category_id}))
            values[ids == segment.id] = old_id - 1
        write_map(tmp_path / "maps", values, found.file_name)
    coco_stuff_to_panoptic(instances, tmp_path / "maps", tmp_path / "out.json")
    coco_stuff_to_panoptic(instances, stuff, tmp_path / "other.json")
    assert read_json(tmp_path / "out.json") == read_json(tmp_path / "other.json")


def test_images_of_both_files(instances: Path, tmp_path: Path) -> None:
    """One may list an image that the other does not; of an image in both, the things' entry is kept."""
    two = {"id": "two", "file_name": "two.jpg", "height": 4, "width": 6}
    tree = annotation(TREE, box(0, 0, 1, 1), image_id="two")
    stuff = write(tmp_path / "stuff.json", tree, images=[{**IMAGES[0], "license": 9}, two])
    coco_stuff_to_panoptic(instances, stuff, tmp_path / "out.json")
    assert read_json(tmp_path / "out.json")["images"] == [*IMAGES, two]
    assert len(read_truth(tmp_path / "out.json").annotations["two"].segments) == 1


def test_names_of_categories(instances: Path, tmp_path: Path) -> None:
    """Names that agree, none at all, and any for that of all things together, are fine."""
    stated = [{"id": TREE, "name": "tree"}, {"id": BRANCH}, {"id": OTHER, "name": "things-other"}]
    stuff = write(tmp_path / "stuff.json", *toy_stuff(), categories=stated)
    assert coco_stuff_to_panoptic(instances, stuff, tmp_path / "out.json").segments == 5


def test_no_annotations(tmp_path: Path) -> None:
    one, other = write(tmp_path / "instances.json"), write(tmp_path / "stuff.json")
    assert coco_stuff_to_panoptic(one, other, tmp_path / "out.json").segments == 0
    assert not read_id_png(tmp_path / "out" / "000000000005.png").any()


def test_loads_for_training(tmp_path: Path) -> None:
    images = [{"id": 5, "file_name": "a.jpg", "height": 40, "width": 60}]
    one = write(tmp_path / "instances.json", *toy_things(10), images=images)
    other = write(tmp_path / "stuff.json", *toy_stuff(10), images=images)
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg")
    coco_stuff_to_panoptic(one, other, tmp_path / "out.json")
    data = CocoPanoptic(tmp_path / "out.json", coco_panoptic(), tmp_path, scales=[(64, 64)], train=True)
    labels = sorted(coco_panoptic().label(i) for i in (PERSON, PERSON, DOG, BANNER, TREE_MERGED))
    assert sorted(data[0].target.labels.tolist()) == labels
