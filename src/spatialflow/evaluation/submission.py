"""The archive that COCO's panoptic evaluation server takes (cocodataset.org/#upload), packed and checked.

For the split ``test-dev2017`` and an algorithm NAME it is ``panoptic_test-dev2017_NAME_results.zip``, and
holds, directly and nothing else, ``panoptic_test-dev2017_NAME_results.json`` and the PNGs in the folder
``panoptic_test-dev2017_NAME_results/``.
"""

import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import (
    ImageAnnotation,
    ImageId,
    ImageInfo,
    PanopticFile,
    read_images,
    read_prediction,
)
from spatialflow.data.reading import ids_in
from spatialflow.errors import ConfigError, DataError
from spatialflow.files import atomic_path, read_json, write_json
from spatialflow.image_io import decode_id_png

_STEM = re.compile(r"panoptic_(?P<split>[^_/]+)_(?P<algorithm>[^/]+)_results")
_SHOWN = 3
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


@dataclass
class Problems:
    """What is wrong, by kind, with the first few offenders of each."""

    offenders: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, offender: str) -> None:
        """Note one."""
        self.offenders.setdefault(kind, []).append(offender)

    def lines(self) -> list[str]:
        """A line for each kind."""
        return [
            f"{kind}: {', '.join(found[:_SHOWN])}"
            + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
            for kind, found in self.offenders.items()
        ]


def check_submission(
    archive: str | os.PathLike[str],
    listed_in: str | os.PathLike[str],
    categories: Categories,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[str]:
    """Look at everything the server would look at, and at every pixel.

    Args:
        archive: the ``.zip``.
        listed_in: the JSON file of the images that need a prediction each.
        categories: those that segments may have.
        progress: called with the number of PNGs done and of all.

    Returns:
        A line for each kind of fault, with the first few offenders; none if all is well.

    Raises:
        DataError: there is no such archive, or ``listed_in`` cannot be read.
    """
    path = Path(archive)
    images = read_images(listed_in)
    problems = Problems()
    try:
        with zipfile.ZipFile(path) as packed:
            stem = _check_names(path, packed.namelist(), split_of(listed_in), problems)
            if stem is None:
                return problems.lines()
            prediction = _read_json_member(packed, f"{stem}.json", problems)
            if prediction is not None:
                _check_lists(prediction, images, categories, stem, packed.namelist(), problems)
                _check_pngs(packed, prediction, images, stem, problems, progress)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except zipfile.BadZipFile as error:
        problems.add("the file is no whole zip archive", str(error))
    return problems.lines()


def _check_names(path: Path, names: Sequence[str], split: str, problems: Problems) -> str | None:
    """The stem of JSON and folder, or None if there is no JSON where it must be."""
    jsons = [name for name in names if name.endswith(".json") and "/" not in name]
    if len(jsons) != 1:
        found = [name for name in names if name.endswith(".json")]
        kind = "exactly one JSON file must lie at the top of the archive, not in a folder; found"
        problems.add(kind, ", ".join(found[:_SHOWN]) or "none")
        return None
    stem = jsons[0].removesuffix(".json")
    match = _STEM.fullmatch(stem)
    if match is None or match["split"] != split:
        problems.add(f"the JSON must be called panoptic_{split}_ALGORITHM_results.json, not", jsons[0])
    if path.stem != stem:
        problems.add(f"the archive must be called {stem}.zip, not", path.name)
    for name in (
        sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ()
    ):
        problems.add("files that are in the archive twice", name)
    for name in names:
        is_folder = name in (f"{stem}/", f"{stem}.json")
        if not is_folder and not (name.startswith(f"{stem}/") and name.endswith(".png")):
            problems.add(f"files besides {stem}.json and {stem}/*.png", name)
    return stem


def _read_json_member(packed: zipfile.ZipFile, name: str, problems: Problems) -> PanopticFile | None:
    with TemporaryDirectory() as folder:
        try:
            return read_prediction(packed.extract(name, folder))
        except DataError as error:
            problems.add("the JSON is not as it should be", str(error).replace(f"{folder}{os.sep}", ""))
            return None


def _check_lists(
    prediction: PanopticFile,
    images: dict[ImageId, ImageInfo],
    categories: Categories,
    stem: str,
    names: Sequence[str],
    problems: Problems,
) -> None:
    """Images against predictions, predictions against PNGs, segments against categories."""
    for image_id in images:
        if image_id not in prediction.annotations:
            problems.add("images without a prediction", repr(image_id))
    for image_id, annotation in prediction.annotations.items():
        if image_id not in images:
            problems.add("predictions of images that are not in the list", repr(image_id))
        for segment in annotation.segments:
            if segment.category_id not in categories:
                problems.add("unknown categories", f"{segment.category_id} (image {image_id!r})")
    wanted: dict[str, ImageId] = {}
    for annotation in prediction.annotations.values():
        if annotation.file_name in wanted:
            problems.add("PNGs that several predictions name", annotation.file_name)
        wanted[annotation.file_name] = annotation.image_id
    there = {name.removeprefix(f"{stem}/") for name in names if name.endswith(".png")}
    for name in sorted(there - wanted.keys()):
        problems.add("PNGs that no prediction names", name)
    for name in sorted(wanted.keys() - there):
        problems.add("PNGs that are missing", name)


def _check_pngs(
    packed: zipfile.ZipFile,
    prediction: PanopticFile,
    images: dict[ImageId, ImageInfo],
    stem: str,
    problems: Problems,
    progress: Callable[[int, int], object],
) -> None:
    """Decode every PNG and compare its segments with the list."""
    members = set(packed.namelist())
    there = [a for a in prediction.annotations.values() if f"{stem}/{a.file_name}" in members]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(partial(_faults_of_png, packed, images, stem), there)
        for done, faults in enumerate(found, start=1):
            for kind, offender in faults:
                problems.add(kind, offender)
            progress(done, len(there))


def _faults_of_png(
    packed: zipfile.ZipFile, images: dict[ImageId, ImageInfo], stem: str, annotation: ImageAnnotation
) -> list[tuple[str, str]]:
    return list(_look_at_png(packed, images, stem, annotation))


def _look_at_png(
    packed: zipfile.ZipFile, images: dict[ImageId, ImageInfo], stem: str, annotation: ImageAnnotation
) -> Iterator[tuple[str, str]]:
    name = annotation.file_name
    try:
        ids = decode_id_png(packed.read(f"{stem}/{name}"), name)
    except (DataError, zipfile.BadZipFile) as error:
        yield "PNGs that cannot be read", str(error)
        return
    image = images.get(annotation.image_id)
    if image is not None and ids.shape != (image.height, image.width):
        is_size = f"{ids.shape[1]}x{ids.shape[0]}"
        yield "PNGs of another size than their image", f"{name} ({is_size}, not {image.width}x{image.height})"
    painted = set(ids_in(ids).tolist())
    listed = {segment.id for segment in annotation.segments}
    if painted - listed:
        yield "segments with pixels that segments_info does not list", f"{min(painted - listed)} of {name}"
    if listed - painted:
        yield "segments without a pixel", f"{min(listed - painted)} of {name}"
