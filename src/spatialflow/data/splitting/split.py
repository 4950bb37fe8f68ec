"""One data set cut into a training and a validation set."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from spatialflow.data.splitting.source import SourceSet, shown
from spatialflow.data.splitting.stratify import stratified_split
from spatialflow.data.splitting.writer import NewImage, NewSet, Progress, keep, write_sets
from spatialflow.errors import DataError


@dataclass(frozen=True, slots=True)
class Part:
    """Training or validation."""

    path: Path
    images: int
    lacks: list[str]
    """Names of categories that the other part shows."""


def split_set(
    source: SourceSet,
    out: str | os.PathLike[str],
    val: float,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> tuple[Part, Part]:
    """Write ``OUT/train.json`` and ``OUT/val.json``, each with its folder of PNGs.

    The same seed gives the same parts. Images keep their order, and all that their entries say.

    Args:
        source: the set.
        out: a folder; made if need be.
        val: share of the images that go to validation, between 0 and 1.
        seed: of the choice, see :func:`spatialflow.data.splitting.stratify.stratified_split`.
        progress: called with the number of images that are done, and of all.

    Returns:
        Training and validation.

    Raises:
        DataError: the set has but one image, or a PNG is missing.
        OutputError: the files are there already, or cannot be written.
    """
    if len(source.entries) < 2:
        raise DataError(f"{source.path}: images: there is one, and two or more are needed to split them")
    labels = [shown(annotation) for _, annotation in source.entries]
    is_val = stratified_split(labels, val, seed).tolist()
    sets, seen = [], []
    for name, part in (("train", False), ("val", True)):
        chosen = [i for i, other in enumerate(is_val) if other == part]
        images: list[NewImage] = [keep(source, *source.entries[i]) for i in chosen]
        sets.append(NewSet(Path(out) / f"{name}.json", source.header, images))
        seen.append({label for i in chosen for label in labels[i]})
    write_sets(sets, progress)
    train, val_set = (
        Part(new.json_path, len(new.images), _names(source, there - here))
        for new, here, there in zip(sets, seen, reversed(seen), strict=True)
    )
    return train, val_set


def _names(source: SourceSet, ids: Collection[int]) -> list[str]:
    return [category.name for category in source.categories if category.id in ids]
