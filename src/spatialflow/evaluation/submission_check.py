"""What is wrong with an archive for COCO's panoptic evaluation server, all of it at once.

Archives come from anywhere, so nothing in one is believed: members are read only up to the size that they
can have, and what fails to decode is a fault to report.
"""

import lzma
import os
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spatialflow.categories import Categories
from spatialflow.data.panoptic_json import ImageInfo, PanopticFile, read_images, read_prediction
from spatialflow.data.reading import ids_in
from spatialflow.errors import DataError
from spatialflow.evaluation.submission import split_of
from spatialflow.files import read_json, write_bytes
from spatialflow.image_io import decode_id_png
from spatialflow.panoptic_annotation import ImageAnnotation, ImageId
from spatialflow.workers import map_in_order

_STEM = re.compile(r"panoptic_(?P<split>[^_/]+)_(?P<algorithm>[^/]+)_results")
_SHOWN = 3
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    RuntimeError,  # encrypted
    NotImplementedError,  # an unknown method of compression
    zlib.error,
    lzma.LZMAError,
    EOFError,
)
"""What zipfile raises while it reads a member."""
_SLACK = 1 << 20
"""Bytes of a member beyond what its content needs."""
_JSON_BYTES_AN_IMAGE = 1 << 17
_RGB, _RGBA = 2, 6
"""PNG's colour types."""


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
    """Compare names, lists and every pixel with what COCO asks for.

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
            prediction = _read_list(packed, f"{stem}.json", len(images), problems)
            if prediction is not None:
                _check_lists(prediction, images, categories, stem, packed.namelist(), problems)
                _check_pngs(packed, prediction, images, stem, problems, progress)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except _UNREADABLE as error:
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
    for name, count in Counter(names).items():
        if count > 1:
            problems.add("files that are in the archive twice", name)
        is_expected = name in (f"{stem}/", f"{stem}.json")  # zip -r lists the folder, too
        if not is_expected and not (name.startswith(f"{stem}/") and name.endswith(".png")):
            problems.add(f"files besides {stem}.json and {stem}/*.png", name)
    return stem


def _read(packed: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member's content.

    Raises:
        DataError: it is larger than ``limit`` bytes, or cannot be read.
    """
    try:
        with packed.open(name) as member:
            content = member.read(limit + 1)
    except _UNREADABLE as error:
        raise DataError(f"{name}: {error}") from error
    if len(content) > limit:
        raise DataError(f"{name}: is larger than {limit / 2**20:.0f} MiB, which its content cannot need")
    return content


def _read_list(packed: zipfile.ZipFile, name: str, images: int, problems: Problems) -> PanopticFile | None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        try:
            write_bytes(path, _read(packed, name, 16 * _SLACK + images * _JSON_BYTES_AN_IMAGE))
            prediction = read_prediction(path)
            _check_repeats(read_json(path)["annotations"], problems)
        except DataError as error:
            problems.add("the JSON is not as it should be", str(error).replace(f"{folder}{os.sep}", ""))
            return None
    return prediction


def _check_repeats(annotations: list[dict[str, Any]], problems: Problems) -> None:
    """Segments that a prediction lists twice, which reading it has made one."""
    for entry in annotations:
        ids = [segment["id"] for segment in entry["segments_info"]]
        if len(set(ids)) < len(ids):
            problems.add(
                "segments that are listed twice", f"in the prediction of image {entry['image_id']!r}"
            )


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
        used = Counter(segment.category_id for segment in annotation.segments)
        for category_id, count in used.items():
            if category_id not in categories:
                problems.add("unknown categories", f"{category_id} (image {image_id!r})")
            elif count > 1 and not (stuff := categories[categories.label(category_id)]).is_thing:
                problems.add(
                    "stuff in several segments, of which only one counts", f"{stuff} in {image_id!r}"
                )
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
    """Decode every PNG of a listed image and compare its segments with the list."""
    members = set(packed.namelist())
    there = [
        annotation
        for image_id, annotation in prediction.annotations.items()
        if image_id in images and f"{stem}/{annotation.file_name}" in members
    ]
    look = partial(_faults_of_png, packed, images, stem)
    for done, faults in enumerate(map_in_order(look, there), start=1):
        for kind, offender in faults:
            problems.add(kind, offender)
        progress(done, len(there))


def _faults_of_png(
    packed: zipfile.ZipFile, images: dict[ImageId, ImageInfo], stem: str, annotation: ImageAnnotation
) -> list[tuple[str, str]]:
    """(kind, offender) of each."""
    image = images[annotation.image_id]
    try:
        return list(_look_at_png(packed, image, f"{stem}/{annotation.file_name}", annotation))
    except DataError as error:
        return [("PNGs that cannot be read", str(error).replace(f"{stem}/", ""))]


def _look_at_png(
    packed: zipfile.ZipFile, image: ImageInfo, member: str, annotation: ImageAnnotation
) -> Iterator[tuple[str, str]]:
    name = annotation.file_name
    # four bytes a pixel are more than a PNG of three takes that is not compressed at all
    encoded = _read(packed, member, 4 * image.height * image.width + _SLACK)
    width, height, depth, color_type = struct.unpack(">IIBB", encoded[16:26].ljust(10, b"\0"))
    is_png = encoded.startswith(b"\x89PNG\r\n\x1a\n")
    if is_png and (height, width) != (image.height, image.width):
        yield (
            "PNGs of another size than their image",
            f"{name} ({width}x{height}, not {image.width}x{image.height})",
        )
        return
    if is_png and (depth != 8 or color_type not in (_RGB, _RGBA)):
        yield "PNGs that are not 8-bit RGB, as ids need", name
        return
    ids = decode_id_png(encoded, member)
    painted = set(ids_in(ids).tolist())
    listed = {segment.id for segment in annotation.segments}
    if painted - listed:
        yield "segments with pixels that segments_info does not list", f"{min(painted - listed)} of {name}"
    if listed - painted:
        yield "segments without a pixel", f"{min(listed - painted)} of {name}"
