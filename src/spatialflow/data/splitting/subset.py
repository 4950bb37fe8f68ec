"""One data set cut down to some categories, or to some images."""

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spatialflow.data.splitting.source import SourceSet, shown
from spatialflow.data.splitting.writer import NewImage, NewSet, Progress, keep, write_sets
from spatialflow.errors import DataError


def subset_set(
    source: SourceSet,
    out: str | os.PathLike[str],
    categories: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    *,
    keep_others: bool = False,
    progress: Progress = lambda done, total: None,
) -> int:
    """Write ``OUT.json`` and, beside it, its folder of PNGs.

    Args:
        source: the set.
        out: the JSON file.
        categories: names; images that show none of them are left out, and so are the other categories, whose
            pixels become void. Category ids stay what they are.
        images: file names or ids of the images to keep; with ``categories`` those of them that show one.
        keep_others: keep the other categories and their segments in the images that are kept.
        progress: called with the number of images that are done, and of all.

    Returns:
        The number of images.

    Raises:
        DataError: a category or an image is unknown, no image would be left, or a PNG is missing or wrong.
        OutputError: the files are there already, or cannot be written.
    """
    ids = None if categories is None else {_category_id(source, name) for name in categories}
    listed = None if images is None else _positions(source, images)
    header, chosen = source.header, []
    if ids is not None and not keep_others:
        header = {**header, "categories": [c for c in header["categories"] if c["id"] in ids]}
    for position, (image, annotation) in enumerate(source.entries):
        if listed is not None and position not in listed:
            continue
        if ids is not None and not ids & shown(annotation):
            continue
        new = keep(source, image, annotation)
        chosen.append(new if ids is None or keep_others else _without_others(new, ids))
    if not chosen:
        raise DataError(f"{source.path}: no image would be left; choose other categories or images")
    write_sets([NewSet(Path(out), header, chosen)], progress)
    return len(chosen)


def split_names(source: SourceSet, text: str) -> list[str]:
    """Names of categories in a list with commas; a name that has commas itself stands alone."""
    known = {category.name for category in source.categories}
    return [text] if text in known else [name.strip() for name in text.split(",") if name.strip()]


def read_image_list(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a text file, without empty ones.

    Raises:
        DataError: it cannot be read, or has none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: cannot be read ({reason}); give a text file with an image a line"
        ) from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise DataError(f"{path}: the list is empty; give a file name or an id of an image a line")
    return names


def _category_id(source: SourceSet, name: str) -> int:
    ids = {category.name: category.id for category in source.categories}
    if name not in ids:
        close = get_close_matches(name, ids, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}?" if close else f"choose among {', '.join(ids)}"
        raise DataError(f"{source.path}: categories: there is no {name!r}; {hint}")
    return ids[name]


def _positions(source: SourceSet, names: Sequence[str]) -> set[int]:
    """Positions of images in the file, by file name or else by id."""
    by_name, by_id = {}, {}
    for position, (image, _) in enumerate(source.entries):
        by_name[image["file_name"]] = position
        by_id[str(image["id"])] = position
    for name in names:
        if name not in by_name and name not in by_id:
            raise DataError(
                f"{source.path}: images: none has the file name or id {name!r}; correct the list of images"
            )
    return {by_name[name] if name in by_name else by_id[name] for name in names}


def _without_others(new: NewImage, ids: Collection[int]) -> NewImage:
    assert new.annotation is not None
    infos: list[dict[str, Any]] = new.annotation["segments_info"]
    kept = [info for info in infos if info["category_id"] in ids]
    void = {info["id"]: 0 for info in infos if info["category_id"] not in ids}
    return replace(new, annotation={**new.annotation, "segments_info": kept}, repaint=void)
