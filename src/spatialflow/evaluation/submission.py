"""The archive that COCO's panoptic evaluation server takes (cocodataset.org/#upload): its names, and packing.

For the split ``test-dev2017`` and an algorithm NAME it is ``panoptic_test-dev2017_NAME_results.zip``, and
holds, directly and nothing else, ``panoptic_test-dev2017_NAME_results.json`` and the PNGs in the folder
``panoptic_test-dev2017_NAME_results/``.
"""

import os
import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from spatialflow.errors import ConfigError
from spatialflow.files import atomic_path, read_json, write_json

_MADE = (1980, 1, 1, 0, 0, 0)
"""Time of every member, so that the same result gives the same bytes."""


def submission_stem(split: str, algorithm: str) -> str:
    """Name of archive, JSON and folder, without suffix.

    Raises:
        ConfigError: the name of the algorithm would not be a plain part of a file name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", algorithm):
        raise ConfigError(
            f"--algorithm {algorithm}: becomes part of a file name; use letters, digits, dots and dashes"
        )
    return f"panoptic_{split}_{algorithm}_results"


def split_of(listed_in: str | os.PathLike[str]) -> str:
    """``test-dev2017`` of ``image_info_test-dev2017.json``."""
    return Path(listed_in).stem.removeprefix("image_info_").removeprefix("panoptic_").replace("_", "-")


def pack_submission(result: str | os.PathLike[str]) -> Path:
    """Pack a result's JSON, reduced to what the server reads, and PNGs, atomically.

    Args:
        result: ``STEM.json`` beside the folder ``STEM`` with the PNGs it names.

    Returns:
        ``STEM.zip`` beside them.

    Raises:
        DataError: the result cannot be read.
        OutputError: the folder cannot be written to, or the disk is full.
    """
    result = Path(result)
    annotations = [
        {
            "image_id": entry["image_id"],
            "file_name": entry["file_name"],
            "segments_info": [
                {"id": s["id"], "category_id": s["category_id"]} for s in entry["segments_info"]
            ],
        }
        for entry in read_json(result)["annotations"]
    ]
    archive = result.with_suffix(".zip")
    with atomic_path(archive) as temporary, TemporaryDirectory() as folder:
        reduced = Path(folder) / result.name
        write_json(reduced, {"annotations": annotations})
        with zipfile.ZipFile(temporary, "w", strict_timestamps=False) as packed:
            json_member = zipfile.ZipInfo(result.name, _MADE)
            packed.writestr(json_member, reduced.read_bytes(), zipfile.ZIP_DEFLATED)
            for entry in annotations:
                name = f"{result.stem}/{entry['file_name']}"
                # PNGs are compressed already
                packed.writestr(zipfile.ZipInfo(name, _MADE), (result.parent / name).read_bytes())
    return archive
