"""COCO's things and stuff to panoptic: classes, layers, both kinds of stuff files, real truth and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from spatialflow.categories import Categories, coco_panoptic
from spatialflow.data.coco_panoptic import CocoPanoptic
from spatialflow.data.converters import coco_stuff_to_panoptic
from spatialflow.data.converters.coco_stuff_labels import STUFF_CLASSES, panoptic_ids
from spatialflow.data.panoptic_json import PanopticFile, read_truth
from spatialflow.errors import DataError, OutputError
from spatialflow.files import read_json, write_json
from spatialflow.image_io import read_id_png

PERSON, DOG = 1, 18
BANNER, BRANCH, TREE, CLOTH, OTHER = 92, 94, 169, 104, 183
TREE_MERGED = 184
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


def rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def annotation(category_id: int, mask: NDArray[np.bool_], **more: Any) -> dict[str, Any]:
    return {"image_id": 5, "category_id": category_id, "iscrowd": 0, "segmentation": rle(mask), **more}


def box(x1: int, y1: int, x2: int, y2: int, zoom: int = 1) -> NDArray[np.bool_]:
    mask = np.zeros((4, 6), np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask.repeat(zoom, 0).repeat(zoom, 1)


IMAGES = [{"id": 5, "file_name": "000000000005.jpg", "height": 4, "width": 6, "license": 3}]


def write(path: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    write_json(path, {"info": {"year": 2017}, "images": IMAGES, "annotations": annotations} | changes)
    return path


def write_map(folder: Path, values: NDArray[np.uint8], name: str = "000000000005.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(values).save(folder / name)
    return folder


def toy_things(zoom: int = 1) -> list[dict[str, Any]]:
    return [
        annotation(DOG, box(1, 1, 3, 3, zoom)),  # 4 pixels, over the person though listed first
        annotation(PERSON, box(0, 0, 4, 3, zoom)),  # 12
        annotation(PERSON, box(4, 0, 6, 1, zoom), iscrowd=1),
    ]


def toy_stuff(zoom: int = 1) -> list[dict[str, Any]]:
    return [
        annotation(BRANCH, box(0, 2, 6, 3, zoom)),
        annotation(TREE, box(0, 3, 3, 4, zoom)),
        annotation(CLOTH, box(3, 3, 6, 4, zoom)),
        annotation(BANNER, box(4, 0, 6, 2, zoom)),
        annotation(OTHER, box(0, 0, 4, 2, zoom)),
    ]


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
    """One may list an image that has nothing of its kind, and the other not."""
    two = {"id": "two", "file_name": "two.jpg", "height": 4, "width": 6}
    stuff = write(
        tmp_path / "stuff.json", annotation(TREE, box(0, 0, 1, 1), image_id="two"), images=[*IMAGES, two]
    )
    coco_stuff_to_panoptic(instances, stuff, tmp_path / "out.json")
    assert [image["id"] for image in read_json(tmp_path / "out.json")["images"]] == [5, "two"]
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


Change = Callable[[Path], object]
FAULTS: list[tuple[Change, str]] = [
    (lambda d: (d / "stuff.json").unlink(), r"stuff\.json: no such file"),
    (lambda d: (d / "instances.json").write_text("{"), r"instances\.json: is not valid JSON"),
    (lambda d: write_json(d / "stuff.json", []), r"stuff\.json: images: the key is missing"),
    (lambda d: write(d / "stuff.json", annotations=None), r"stuff\.json: annotations: the list is missing"),
    (
        lambda d: write(d / "instances.json", *toy_stuff()),
        r"instances\.json: annotations\[0\]\.category_id: 94 is none of COCO's things \(instances_\*\.json\)",
    ),
    (
        lambda d: write(d / "stuff.json", *toy_things()),
        r"stuff\.json: annotations\[0\]\.category_id: 18 is none of COCO's stuff",
    ),
    (lambda d: write(d / "stuff.json", annotation(184, box(0, 0, 1, 1))), "184 is none of COCO's stuff"),
    (
        lambda d: write(d / "stuff.json", {"image_id": 5, "category_id": "92"}),
        r"annotations\[0\]\.category_id: a whole number is expected, got '92'",
    ),
    (
        lambda d: write(d / "instances.json", annotation(1, box(0, 0, 1, 1), image_id=6)),
        r"annotations\[0\]\.image_id: 6 is not the id of any entry",
    ),
    (
        lambda d: write(d / "stuff.json", annotation(92, np.ones((2, 2), np.bool_))),
        r"stuff\.json: annotations\[0\]\.segmentation\.size: \[4, 6\]",
    ),
    (
        lambda d: write(d / "instances.json", categories=[{"id": 1, "name": "boat"}]),
        r"instances\.json: categories: id 1 is 'boat' there, but 'person' in COCO; give COCO's file of",
    ),
    (
        lambda d: write(d / "stuff.json", categories=[{"id": 94, "name": "boat"}]),
        r"stuff\.json: categories: id 94 is 'boat' there, but 'branch' in COCO; give COCO's file of stuff",
    ),
    (
        lambda d: write(d / "stuff.json", images=[{**IMAGES[0], "id": 6}]),
        r"stuff\.json: images: none is in .*instances\.json, too; give files of one split",
    ),
    (
        lambda d: write(d / "stuff.json", images=[{**IMAGES[0], "height": 5}]),
        r"stuff\.json: images: id 5 is 000000000005\.jpg, 6x5, but in .* 000000000005\.jpg, 6x4",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults(instances: Path, stuff: Path, tmp_path: Path, change: Change, message: str) -> None:
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        coco_stuff_to_panoptic(instances, stuff, tmp_path / "new" / "out.json")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 6), 182, np.uint8), r"maps/000000000005\.png: has the value 182, but stuffthingmaps"),
        (np.zeros((4, 5), np.uint8), "is 5x4 pixels, but images says 6x4"),
        (np.zeros((4, 6, 3), np.uint8), "one channel of 8 bits is expected"),
        (np.zeros((4, 6), np.uint16), "one channel of 8 bits is expected"),
    ],
)
def test_faults_of_maps(instances: Path, tmp_path: Path, values: NDArray[Any], message: str) -> None:
    maps = write_map(tmp_path / "maps", values)
    with pytest.raises(DataError, match=message):
        coco_stuff_to_panoptic(instances, maps, tmp_path / "new" / "out.json")
    assert not (tmp_path / "new").exists()


def test_missing_map(instances: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    with pytest.raises(DataError, match=r"maps/000000000005\.png: no such PNG"):
        coco_stuff_to_panoptic(instances, tmp_path / "maps", tmp_path / "out.json")


def test_what_is_read_is_not_replaced(instances: Path, stuff: Path, tmp_path: Path) -> None:
    for path in (instances, stuff):
        with pytest.raises(OutputError, match="is what is converted"):
            coco_stuff_to_panoptic(instances, stuff, path, overwrite=True)
    maps = write_map(tmp_path / "maps", np.full((4, 6), VOID, np.uint8))
    with pytest.raises(OutputError, match="is what is converted"):
        coco_stuff_to_panoptic(instances, maps, tmp_path / "maps.json", overwrite=True)
