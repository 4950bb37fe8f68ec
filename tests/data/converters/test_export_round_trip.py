"""Real segments, written as the masks of each tool, come back as they were."""

import base64
import io
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from make_exports import encode_brush, write, write_mask
from spatialflow.data.converters import (
    cvat_to_panoptic,
    label_studio_to_panoptic,
    labelme_to_panoptic,
    masks_to_panoptic,
)
from spatialflow.data.panoptic_json import PanopticFile, read_truth
from spatialflow.files import read_json
from spatialflow.image_io import read_id_png

Masks = list[tuple[str, NDArray[np.bool_]]]
"""Class and pixels of each segment of a photo."""


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> PanopticFile:
    return read_truth(shared_data / "custom_cats_dogs" / "annotations" / "panoptic_custom.json")


@pytest.fixture
def photos(truth: PanopticFile) -> dict[str, Masks]:
    found: dict[str, Masks] = {}
    for annotation in truth.annotations.values():
        ids = read_id_png(truth.path.with_suffix("") / annotation.file_name)
        masks = [(_name(truth, s.category_id), ids == s.id) for s in annotation.segments]
        found[truth.images[annotation.image_id].file_name] = masks
    return found


def _name(truth: PanopticFile, category_id: int) -> str:
    assert truth.categories is not None
    return truth.categories[truth.categories.label(category_id)].name


@pytest.fixture
def classes(truth: PanopticFile, tmp_path: Path) -> Path:
    assert truth.categories is not None
    lines = [
        f"{kind}: {[{'name': c.name, 'id': c.id} for c in truth.categories if c.is_thing == is_thing]}"
        for kind, is_thing in (("things", True), ("stuff", False))
    ]
    return write(tmp_path / "classes.yaml", "\n".join(lines))


def check(out: Path, truth: PanopticFile) -> None:
    """Every segment is there, with its class and its pixels, and no other."""
    of_photo = {image["id"]: image["file_name"] for image in read_json(out)["images"]}
    theirs = {truth.images[a.image_id].file_name: a for a in truth.annotations.values()}
    ours = read_truth(out)
    assert len(ours.annotations) == len(theirs)
    for annotation in ours.annotations.values():
        other = theirs[of_photo[annotation.image_id]]
        ids = read_id_png(out.with_suffix("") / annotation.file_name)
        expected = read_id_png(truth.path.with_suffix("") / other.file_name)
        assert len(annotation.segments) == len(other.segments)
        pairs = {(int(a), int(b)) for a, b in np.unique(np.stack([ids, expected]).reshape(2, -1), axis=1).T}
        category_of = {segment.id: segment.category_id for segment in other.segments}
        for segment in annotation.segments:
            (match,) = [b for a, b in pairs if a == segment.id]
            assert category_of[match] == segment.category_id
        assert len(pairs) == len(other.segments) + bool((expected == 0).any())


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def photo_folder(truth: PanopticFile) -> Path:
    return truth.path.parent.parent / "images"


def test_labelme(truth: PanopticFile, photos: dict[str, Masks], classes: Path, tmp_path: Path) -> None:
    for name, masks in photos.items():
        shapes = []
        for label, mask in masks:
            x1, y1, x2, y2 = box_of(mask)
            encoded = io.BytesIO()
            Image.fromarray(mask[y1 : y2 + 1, x1 : x2 + 1]).save(encoded, "PNG")
            png = base64.b64encode(encoded.getvalue()).decode()
            points = [[x1, y1], [x2, y2]]
            shapes.append({"label": label, "shape_type": "mask", "points": points, "mask": png})
        write(tmp_path / "lm" / f"{Path(name).stem}.json", {"imagePath": f"..\\{name}", "shapes": shapes})
    labelme_to_panoptic(tmp_path / "lm", tmp_path / "out.json", classes=classes, images=photo_folder(truth))
    check(tmp_path / "out.json", truth)


def test_cvat(truth: PanopticFile, photos: dict[str, Masks], classes: Path, tmp_path: Path) -> None:
    images = []
    for name, masks in photos.items():
        height, width = masks[0][1].shape
        drawn = []
        for label, mask in masks:
            x1, y1, x2, y2 = box_of(mask)
            flat = mask[y1 : y2 + 1, x1 : x2 + 1].ravel()
            edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]))).tolist()
            counts = np.diff([0, *edges, flat.size]).tolist()
            place = f'left="{x1}" top="{y1}" width="{x2 - x1 + 1}" height="{y2 - y1 + 1}"'
            drawn.append(f'<mask label={quoteattr(label)} rle="{", ".join(map(str, counts))}" {place}/>')
        images.append(f'<image name="{name}" width="{width}" height="{height}">{"".join(drawn)}</image>')
    source = write(tmp_path / "annotations.xml", f"<annotations>{''.join(images)}</annotations>")
    cvat_to_panoptic(source, tmp_path / "out.json", classes=classes, images=photo_folder(truth))
    check(tmp_path / "out.json", truth)


def test_label_studio(truth: PanopticFile, photos: dict[str, Masks], classes: Path, tmp_path: Path) -> None:
    tasks = []
    for name, masks in photos.items():
        regions: list[dict[str, Any]] = [
            {
                "type": "brushlabels",
                "original_width": mask.shape[1],
                "original_height": mask.shape[0],
                "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]},
            }
            for label, mask in masks
        ]
        image = f"/data/upload/3/0a1b2c3d-{name}"
        tasks.append({"data": {"image": image}, "annotations": [{"result": regions}]})
    source = write(tmp_path / "export.json", tasks)
    label_studio_to_panoptic(source, tmp_path / "out.json", classes=classes, images=photo_folder(truth))
    check(tmp_path / "out.json", truth)


def test_masks(truth: PanopticFile, photos: dict[str, Masks], classes: Path, tmp_path: Path) -> None:
    for name, masks in photos.items():
        for i, (label, mask) in enumerate(masks):
            write_mask(tmp_path / "masks" / Path(name).stem / f"{label}_{i}.png", mask * 255)
    masks_to_panoptic(tmp_path / "masks", tmp_path / "out.json", classes=classes, images=photo_folder(truth))
    check(tmp_path / "out.json", truth)
