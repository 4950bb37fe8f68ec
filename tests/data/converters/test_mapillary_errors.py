"""Mapillary Vistas to COCO panoptic: what is wrong with the files, in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_data import edit_json
from make_vistas import LABELS, NAME, VALUES, save, write_config, write_split
from spatialflow.data.converters import VistasSource, mapillary_to_panoptic
from spatialflow.errors import ConfigError, DataError, OutputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "vistas"
    write_split(root)
    write_config(root / "config_v1.2.json")
    return root


PNG = f"training/v1.2/instances/{NAME}.png"
PANOPTIC = "training/v1.2/panoptic/panoptic_2018.json"
FAULTS: list[tuple[Callable[[Path], object], VistasSource, str]] = [
    (lambda root: shutil.rmtree(root / "training"), "panoptic", r"training/v1\.2: no such folder; name the"),
    (
        lambda root: shutil.rmtree(root / "training/v1.2/panoptic"),
        "panoptic",
        r"v1\.2/panoptic: no such folder; unpack it, or convert the instances",
    ),
    (
        lambda root: shutil.rmtree(root / "training/v1.2/instances"),
        "instances",
        r"v1\.2/instances: no such folder",
    ),
    (lambda root: shutil.rmtree(root / "training/images"), "instances", r"training/images: no such folder"),
    (lambda root: (root / PNG).unlink(), "instances", r"instances: no \*\.png in it"),
    (lambda root: (root / PANOPTIC).unlink(), "panoptic", r"panoptic_2018\.json: no such file"),
    (lambda root: (root / PANOPTIC).write_text("{"), "panoptic", r"2018\.json: is not valid JSON"),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["annotations"][0].update(file_name="../a.png")),
        "panoptic",
        r"annotations\[0\]\.file_name: '\.\./a\.png' leaves its folder",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["annotations"][0]["segments_info"].pop()),
        "panoptic",
        r"png: segment 11 has pixels but is not in segments_info",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["categories"].pop()),
        "panoptic",
        r"category_id: 4 is not among the categories",
    ),
    (
        lambda root: edit_json(root / PANOPTIC, lambda c: c["images"][0].update(width=9)),
        "panoptic",
        r"is 4x3 pixels, but images says 9x3",
    ),
    (
        lambda root: (root / f"training/images/{NAME}.jpg").unlink(),
        "instances",
        r"images/.*jpg: no such image",
    ),
    (
        lambda root: save(root / f"training/images/{NAME}.jpg", np.zeros((2, 4, 3), np.uint8)),
        "instances",
        r"is 4x3 pixels, but its photo .* is 4x2",
    ),
    (
        lambda root: save(root / PNG, VALUES.astype(np.uint8)),
        "instances",
        "one channel of 16 bits is expected",
    ),
    (
        lambda root: save(root / PNG, np.zeros((3, 4, 3), np.uint8)),
        "instances",
        "one channel of 16 bits is expected",
    ),
    (
        lambda root: save(root / PNG, np.full((3, 4), 1025, np.uint16)),
        "instances",
        r"has the value 1025, which is of class 4, but the config file has classes 0\.\.3",
    ),
    (lambda root: (root / PNG).write_bytes(b"\x89PNG\r\n\x1a\n"), "instances", "the PNG is truncated"),
    (lambda root: (root / "config_v1.2.json").unlink(), "instances", r"config_v1\.2\.json: no such file"),
    (
        lambda root: (root / "config_v1.2.json").write_text("[]"),
        "panoptic",
        "labels: the list of classes is missing",
    ),
    (lambda root: write_config(root / "config_v1.2.json", [1]), "instances", r"labels\[0\]: an object with"),
]
FAULTS += [
    (
        lambda root, key=key, value=value: write_config(  # type: ignore[misc]
            root / "config_v1.2.json", [LABELS[0], {**LABELS[1], key: value}]
        ),
        "instances",
        rf"config_v1\.2\.json: labels\[1\]\.{key}: {message}",
    )
    for key, value, message in [
        ("name", 5, "a text is expected, got 5"),
        ("readable", "", "a text is expected"),
        ("instances", 1, "true or false is expected, got 1"),
        ("evaluate", None, "true or false is expected"),
        ("color", [1, 2], "three whole numbers"),
        ("color", [1, 2, 256], "three whole numbers"),
    ]
]


@pytest.mark.parametrize(("change", "source", "message"), FAULTS)
def test_faults(
    root: Path, tmp_path: Path, change: Callable[[Path], object], source: VistasSource, message: str
) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        mapillary_to_panoptic(root, tmp_path / "new" / "out.json", source=source)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"version": "v3"}, ConfigError, r"version: 'v3' is unknown; choose among v1\.2, v2\.0"),
        (
            {"source": "labels"},
            ConfigError,
            r"source \(--from\): 'labels' is unknown; choose among panoptic, instances",
        ),
        ({"split": "../training"}, DataError, "is no name of a folder"),
    ],
)
def test_unknown_choices(
    root: Path, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mapillary_to_panoptic(root, tmp_path / "out.json", **arguments)


def test_what_is_read_is_not_replaced(root: Path) -> None:
    with pytest.raises(OutputError, match="is what is converted"):
        mapillary_to_panoptic(root, root / "training/v1.2/panoptic.json", overwrite=True)
