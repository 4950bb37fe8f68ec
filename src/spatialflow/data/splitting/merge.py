"""Two data sets made one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from spatialflow.data.splitting.label_map import NameMap, merge_categories
from spatialflow.data.splitting.licenses import merge_licenses
from spatialflow.data.splitting.source import SourceSet
from spatialflow.data.splitting.writer import NewImage, NewSet, Progress, keep, write_sets
from spatialflow.errors import DataError
from spatialflow.panoptic_annotation import ImageId
from spatialflow.zip_path import ReadPath, ZipPath


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What came of two sets."""

    images: ReadPath
    """Folder to which the file names of photos are relative now."""
    counts: tuple[int, int]
    """Images from each set."""
    categories: int
    renumbered: int
    """Images of the second set that got another id."""
    renamed: int
    """PNGs of the second set that got another name."""


def merge_sets(
    first: SourceSet,
    second: SourceSet,
    out: str | os.PathLike[str],
    maps: tuple[NameMap, NameMap] = ({}, {}),
    progress: Progress = lambda done, total: None,
) -> MergeResult:
    """Write ``OUT.json`` and, beside it, its folder of PNGs; photos stay where they are.

    Categories of one name become one. Where both sets have one image id or one name of a PNG, the image of
    the second gets another. If the photos are in two folders, their names become relative to the folder of
    ``OUT.json``, or else to the nearest folder that holds both. Where several stuff categories become one,
    their segments in an image become one, too.

    Args:
        first: the set that keeps its ids.
        second: the other.
        out: the JSON file.
        maps: new names of categories, of each set; see :func:`read_label_map`.
        progress: called with the number of images that are done, and of all.

    Raises:
        DataError: the sets share a photo, the photos of one were not found, or their categories do not fit.
        OutputError: the files are there already, or cannot be written.
    """
    out = Path(out)
    categories = merge_categories(first, second, maps)
    stuff = {entry["id"] for entry in categories.entries if not entry["isthing"]}
    base = _common_folder(first, second, out)
    _refuse_shared_photos(first, second)
    licenses, license_ids = merge_licenses(first.header.get("licenses"), second.header.get("licenses"))
    names = _Names(first, second)
    images = []
    for source, new_ids in zip((first, second), categories.new_ids, strict=True):
        for image, annotation in source.entries:
            new = keep(
                source, {**image, "file_name": _relative(source, image["file_name"], base)}, annotation
            )
            if source is second:
                new = names.rename(new)
                if str(image.get("license")) in license_ids:
                    new.image["license"] = license_ids[str(image["license"])]
            images.append(_relabel(new, new_ids, stuff))
    header = {**first.header, "categories": categories.entries}
    if licenses:
        header["licenses"] = licenses
    write_sets([NewSet(out, header, images)], progress)
    counts = len(first.entries), len(second.entries)
    return MergeResult(base, counts, len(categories.entries), names.renumbered, names.renamed)


class _Names:
    """Ids of images and names of PNGs, of which the second set gets those that are free."""

    def __init__(self, first: SourceSet, second: SourceSet) -> None:
        self._ids = {image["id"] for image, _ in first.entries}
        self._pngs = {annotation["file_name"] for annotation in first.annotations.values()}
        # a new name is to be none of those that are still to come, either
        self._later_pngs = {annotation["file_name"] for annotation in second.annotations.values()}
        numbers = [image["id"] for source in (first, second) for image, _ in source.entries]
        self._next_id = 1 + max((number for number in numbers if isinstance(number, int)), default=0)
        self._stem = second.path.stem
        self.renumbered = 0
        self.renamed = 0

    def rename(self, new: NewImage) -> NewImage:
        """An image of the second set, with an id and a name of its PNG that the first has not."""
        image_id: ImageId = new.image["id"]
        if image_id in self._ids:
            image_id = self._next_id
            self._next_id += 1
            self.renumbered += 1
        annotation = new.annotation
        if annotation is not None:
            name = annotation["file_name"]
            if name in self._pngs:
                name = self._free_name(name)
                self.renamed += 1
            self._pngs.add(name)
            annotation = {**annotation, "image_id": image_id, "file_name": name}
        return replace(new, image={**new.image, "id": image_id}, annotation=annotation)

    def _free_name(self, name: str) -> str:
        path = PurePosixPath(name)
        prefix, number = self._stem, 2
        while (new := str(path.with_name(f"{prefix}_{path.name}"))) in self._pngs | self._later_pngs:
            prefix, number = f"{self._stem}{number}", number + 1
        return new


def _relabel(new: NewImage, new_ids: Mapping[int, int | None], stuff: set[int]) -> NewImage:
    """An image with the categories of the merged set; segments of stuff that is one class now are joined."""
    if new.annotation is None:
        return new
    kept: list[dict[str, Any]] = []
    repaint: dict[int, int] = {}
    piece_of: dict[int, tuple[int, int]] = {}  # by category: the old one, and the segment that others join
    for info in new.annotation["segments_info"]:
        category_id = new_ids[info["category_id"]]
        if category_id is None:
            repaint[info["id"]] = 0
            continue
        if category_id in stuff and not info["iscrowd"]:
            old, segment_id = piece_of.setdefault(category_id, (info["category_id"], info["id"]))
            if old != info["category_id"]:
                repaint[info["id"]] = segment_id
                continue
        kept.append({**info, "category_id": category_id})
    return replace(new, annotation={**new.annotation, "segments_info": kept}, repaint=repaint)


def _common_folder(first: SourceSet, second: SourceSet, out: Path) -> ReadPath:
    """The folder that photos of the new set are named from."""
    folders = []
    for source, option in ((first, "--images-a"), (second, "--images-b")):
        if source.images is None:
            raise DataError(f"{source.path}: its photos were not found; name their folder with {option}")
        folders.append(source.images)
    if Path(folders[0]).resolve() == Path(folders[1]).resolve():
        return folders[0]
    for folder in folders:
        if isinstance(folder, ZipPath):
            raise DataError(f"{folder}: photos in a .zip cannot be merged with others; unpack it first")
    absolute = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  # links stay as they are
    here = Path(os.path.abspath(out.parent))  # noqa: PTH100
    if all(here == folder or here in folder.parents for folder in absolute):
        return here
    try:
        return Path(os.path.commonpath(absolute))
    except ValueError:
        raise DataError(
            f"{first.path}, {second.path}: their photos are on two drives; move them to one"
        ) from None


def _relative(source: SourceSet, name: str, base: ReadPath) -> str:
    assert source.images is not None
    if source.images == base or Path(source.images).resolve() == Path(base).resolve():
        return name
    folder = Path(os.path.abspath(source.images))  # noqa: PTH100
    return (folder / name).relative_to(base).as_posix()


def _refuse_shared_photos(first: SourceSet, second: SourceSet) -> None:
    """A photo that is in both sets has two truths, of which nobody knows the better."""
    ours, theirs = _paths(first), _paths(second)
    shared = [name for path, name in theirs.items() if path in ours]
    if shared:
        raise DataError(
            f"{second.path}: images: {len(shared)} photos are in {first.path}, too, such as {shared[0]}; "
            f"leave them out of one with `spatialflow data subset --images`"
        )


def _paths(source: SourceSet) -> dict[str, str]:
    """File names of the photos by their paths."""
    assert source.images is not None
    folder = Path(source.images).resolve()
    return {os.path.normpath(folder / image["file_name"]): image["file_name"] for image, _ in source.entries}
