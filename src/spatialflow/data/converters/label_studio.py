"""Label Studio (labelstud.io): its export "JSON" to COCO panoptic.

Facts of the format are from its documentation ("Label Studio JSON format of annotated tasks", "Units of image
annotations") and label-studio-converter. See :mod:`.label_studio_regions` for what becomes of each region.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from spatialflow import json_fields as fields
from spatialflow.data.converters.export_notes import ExportConversion
from spatialflow.data.converters.export_photos import PhotoFolder, image_size
from spatialflow.data.converters.export_rules import ExportRules
from spatialflow.data.converters.label_studio_regions import read_regions, stated_size
from spatialflow.data.converters.overlap import OverlapPolicy
from spatialflow.data.converters.panoptic_image import PanopticImage
from spatialflow.data.converters.panoptic_output import Progress
from spatialflow.data.panoptic_json import ImageInfo
from spatialflow.data.png_names import png_names
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.image_io import PHOTO_SUFFIXES
from spatialflow.json_fields import FieldError

_UPLOADED = re.compile(r"/data/upload/(?:\d+/)?")
"""Before the names of files that were uploaded to a project."""
_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a file that is uploaded."""


class _Task(NamedTuple):
    name: str
    """Of the photo, relative to its folder."""
    photo: Path | None
    result: list[Any]
    where: str
    """What errors name."""


def label_studio_to_panoptic(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    classes: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    image_key: str | None = None,
    overlap: OverlapPolicy = "error",
    ignore_unknown: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportConversion:
    """Convert the tasks of one export, in the order of the file; predictions and drafts are not read.

    Of several annotations of a task, the one that was updated last and not cancelled is taken. Tasks without
    any are left out; those whose annotation has no region become void.

    Args:
        source: the JSON file, exported as "JSON" (not "JSON-MIN").
        out: the JSON file to write; PNGs go to the folder of that name.
        classes: a YAML file of things and stuff; see :mod:`.class_list`.
        images: the folder of the photos, in which they are found by the end of their path, with or without
            the eight digits that Label Studio puts before names. By default that of ``source``.
        image_key: of a task's ``data``, which has the photo; by default ``image``, or the only one that names
            a picture.
        overlap: what becomes of pixels in several segments; see :mod:`.overlap`. By ``order`` the last listed
            region is on top.
        ignore_unknown: leave out regions whose label is not among the classes, instead of refusing them.
        overwrite: replace files that no conversion made, too.
        workers: threads; by default as many as there are cores.
        progress: called after each image.

    Raises:
        DataError: the file cannot be read or is wrong, a photo has another size, a label is unknown, or
            regions overlap and may not.
        OutputError: a file is in the way or cannot be written.
        ConfigError: no such overlap policy.
    """
    rules = ExportRules.load(classes, overlap, ignore_unknown)
    content = read_json(source)
    photos = PhotoFolder(Path(source).parent if images is None else images, is_given=images is not None)
    tasks = list(_tasks(content, str(source), image_key, photos, rules))
    items = list(enumerate(zip(tasks, png_names(task.name for task in tasks), strict=True), 1))

    def convert(item: tuple[int, tuple[_Task, str]]) -> PanopticImage:
        image_id, (task, png_name) = item
        try:
            size = image_size(task.photo, stated_size(task.result), task.where)
            shapes = list(read_regions(task.result, size, rules))
        except FieldError as error:
            raise DataError(f"{task.where}: {error.field}: {error.problem}") from None
        return rules.lay_flat(
            ImageInfo(image_id, task.name, *size), shapes, png_name=png_name, source=str(source)
        )

    return rules.write(
        out,
        items,
        convert,
        source=source,
        inputs=[photos.folder],
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def _tasks(
    content: Any, source: str, image_key: str | None, photos: PhotoFolder, rules: ExportRules
) -> Iterator[_Task]:
    """The tasks that have an annotation."""
    if not isinstance(content, list):
        raise DataError(f"{source}: a list of tasks is expected; export the project as JSON")
    task_of: dict[str, int] = {}
    for i, task in enumerate(content):
        try:
            name, path = _photo(task, image_key, photos)
            result = _latest(task, rules)
            if result is None:
                rules.tally.add("unannotated")
                continue
            if name in task_of:
                raise FieldError(
                    "data", f"{name!r} is the photo of tasks[{task_of[name]}] too; keep one of them"
                )
        except FieldError as error:
            problem = error.under(f"tasks[{i}]")
            raise DataError(f"{source}: {problem.field}: {problem.problem}") from None
        task_of[name] = i
        if path is None:
            rules.tally.add("absent")
        yield _Task(name, path, result, f"{source}: tasks[{i}] ({name})")


def _latest(task: Any, rules: ExportRules) -> list[Any] | None:
    """The regions of the annotation to take, or None if there is none."""
    key = "completions" if "annotations" not in task and "completions" in task else "annotations"
    annotations = fields.get(task, key)
    if not isinstance(annotations, list) or not all(isinstance(a, Mapping) for a in annotations):
        raise FieldError(
            key, f"a list of objects is expected, got {fields.show(annotations)}; export the project as JSON"
        )
    counted = [
        (i, annotation)
        for i, annotation in enumerate(annotations)
        if not (annotation.get("was_cancelled") or annotation.get("skipped"))
    ]
    if not counted:
        return None
    if len(counted) > 1:
        rules.tally.add("several")
    place, latest = max(counted, key=lambda entry: (_time(entry[1]), entry[0]))
    result = latest.get("result")
    if not isinstance(result, list):
        raise FieldError(f"{key}[{place}].result", f"a list is expected, got {fields.show(result)}")
    return result


def _time(annotation: Mapping[str, Any]) -> str:
    """When it was changed, as ISO 8601 has it, which sorts."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _photo(task: Any, image_key: str | None, photos: PhotoFolder) -> tuple[str, Path | None]:
    data = fields.get(task, "data")
    if not isinstance(data, Mapping):
        raise FieldError("data", f"an object with the photo is expected, got {fields.show(data)}")
    key = image_key or _key_of_image(data)
    url = data.get(key)
    if not isinstance(url, str) or not url or url.startswith("data:"):
        raise FieldError(f"data.{key}", f"the path or address of a photo is expected, got {fields.show(url)}")
    path = _path_of(url)
    folder, slash, name = path.rpartition("/")
    return photos.find(path, f"data.{key}", [f"{folder}{slash}{_PREFIX.sub('', name)}"])


def _key_of_image(data: Mapping[str, Any]) -> str:
    if "image" in data:
        return "image"
    likely = [
        key
        for key, value in data.items()
        if isinstance(value, str) and Path(_path_of(value)).suffix.lower() in PHOTO_SUFFIXES
    ]
    if len(likely) != 1:
        raise FieldError(
            "data", f"which of {', '.join(map(str, data))} is the photo is not clear; name it (--image-key)"
        )
    return str(likely[0])


def _path_of(url: str) -> str:
    """The photo's path, without what Label Studio or a server puts before it."""
    if "://" not in url and not url.startswith("/data/"):
        return unquote(url)
    try:
        parts = urlsplit(url)
        local = parse_qs(parts.query).get("d") if parts.path.endswith("/data/local-files/") else None
    except ValueError:  # such as a port that is none
        return url
    if local:
        return local[0]
    path = unquote(parts.path)
    uploaded = _UPLOADED.search(path)
    return path[uploaded.end() :] if uploaded else path.lstrip("/") if "://" in url else path
