"""Which classes a model is trained on: those that its annotations name."""

from pathlib import Path
from typing import Literal

import numpy as np

from spatialflow.categories import AUTO, Categories, Category
from spatialflow.config import DataConfig
from spatialflow.data.index_reading import open_index
from spatialflow.data.panoptic_index import PanopticIndex
from spatialflow.errors import DataError

_SHOWN = 8


def check_annotations(config: DataConfig, *keys: Literal["train", "val", "test"]) -> None:
    """See, before long work, that the files are there which a recipe names.

    Raises:
        DataError: one is not.
    """
    for key in keys:
        path = getattr(config, key)
        if not Path(path).exists():
            raise DataError(f"{path}: no such file; name the annotations, data.{key}=FILE")


def training_categories(config: DataConfig) -> tuple[Categories, list[str]]:
    """The classes to size the heads by, and a line for the user on each oddity.

    With ``config.categories`` = ``auto`` they are those of the training annotations, and those that only
    the validation annotations use: a model cannot learn these, but they count in panoptic quality.

    Raises:
        DataError: a file cannot be read, or the two give one id to different classes.
    """
    check_annotations(config, "train", "val")
    train, val = open_index(config.train), open_index(config.val)
    if config.categories == AUTO:
        extra = [c for c in _used(val) if c.id not in train.categories]
        for theirs in _used(val):
            ours = train.categories[train.categories.label(theirs.id)] if theirs not in extra else theirs
            if (ours.name, ours.is_thing) != (theirs.name, theirs.is_thing):
                raise DataError(
                    f"{val.path}: categories: id {theirs.id} is {_show(theirs)}, but {_show(ours)} in "
                    f"{train.path}; give both files the same categories"
                )
        id_of = {category.name: category.id for category in train.categories}
        for theirs in extra:
            if theirs.name in id_of:
                raise DataError(
                    f"{val.path}: categories: {theirs.name!r} is id {theirs.id}, but {id_of[theirs.name]} in "
                    f"{train.path}; give both files the same ids"
                )
        categories = Categories([*train.categories, *extra], f"{train.path} and {val.path}")
    else:
        categories = Categories.load(config.categories)
    learnt = {category.id for category in _used(train)}
    only_val = [c.name for c in _used(val) if c.id not in learnt]
    missing = [c.name for c in categories if c.id not in learnt and c.name not in only_val]
    notes = []
    if only_val:
        notes.append(
            f"{val.path} shows what {train.path} does not ({_names(only_val)}): it cannot be learnt, so it "
            f"counts as missed"
        )
    if missing:
        notes.append(f"{train.path} has no segment of {len(missing)} classes ({_names(missing)})")
    return categories, notes


def describe_classes(categories: Categories) -> str:
    """``2 things (cat, dog), 1 stuff (grass)``; of many, the first."""
    things = [category.name for category in categories if category.is_thing]
    stuff = [category.name for category in categories if not category.is_thing]
    return ", ".join(
        f"{len(names)} {kind} ({_names(names)})"
        for names, kind in ((things, "things"), (stuff, "stuff"))
        if names
    )


def _used(truth: PanopticIndex) -> list[Category]:
    """The categories of a file that have a segment in it."""
    used = set(np.unique(truth.category_ids).tolist())
    return [category for category in truth.categories if category.id in used]


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _show(category: Category) -> str:
    return f"the {'thing' if category.is_thing else 'stuff'} {category.name!r}"
