"""A data set to cut: the file as it is, checked, and the folders of its photos and PNGs."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialflow.categories import Categories
from spatialflow.data.locating import guess_photo_folder
from spatialflow.data.panoptic_json import read_truth
from spatialflow.data.reading import segments_folder
from spatialflow.errors import DataError
from spatialflow.files import read_json
from spatialflow.panoptic_annotation import ImageId
from spatialflow.zip_path import ReadPath, open_folder


@dataclass(frozen=True, slots=True)
class SourceSet:
    """One COCO-panoptic data set, with all that its file says."""

    path: Path
    images: ReadPath | None
    """Folder of the photos; None if it was not found."""
    segments: ReadPath
    """Folder of the PNGs."""
    categories: Categories
    content: dict[str, Any]
    """Of the file."""
    annotations: dict[ImageId, dict[str, Any]]
    """Entries by image id."""

    @property
    def entries(self) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Each entry of ``images`` with its annotation, if it has one."""
        return [(image, self.annotations.get(image["id"])) for image in self.content["images"]]

    @property
    def header(self) -> dict[str, Any]:
        """What the file has besides images and annotations."""
        return {key: value for key, value in self.content.items() if key not in ("images", "annotations")}


def open_set(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
) -> SourceSet:
    """Read a file that can be trained on.

    Args:
        path: the annotation file.
        images: folder of the photos; by default the usual place that holds the most of them, if any.
        segments: folder of the PNGs; by default the file's path without ``.json``.

    Raises:
        DataError: the file is wrong (``spatialflow data check`` tells all that is), a folder is missing, or
            there is no image.
    """
    truth = read_truth(path)
    assert truth.categories is not None
    content = read_json(path)
    if not truth.images:
        raise DataError(f"{path}: images: the list is empty; there is nothing to cut")
    shared = [n for n, count in Counter(a.file_name for a in truth.annotations.values()).items() if count > 1]
    if shared:
        raise DataError(
            f"{path}: annotations: {len(shared)} PNGs are those of several images, such as {shared[0]}; give "
            f"each image its own"
        )
    names = [image.file_name for image in truth.images.values()]
    photos = guess_photo_folder(truth.path, names) if images is None else open_folder(images, names[0])
    if images is not None and photos is None:
        raise DataError(f"{images}: no such folder of photos; check the path")
    return SourceSet(
        truth.path,
        photos,
        segments_folder(path, segments, truth.example),
        truth.categories,
        content,
        {annotation["image_id"]: annotation for annotation in content["annotations"]},
    )


def shown(annotation: dict[str, Any] | None) -> set[int]:
    """Ids of the categories that an annotation has segments of."""
    return set() if annotation is None else {info["category_id"] for info in annotation["segments_info"]}
