"""What a model card says of an evaluation: checked, as text, and as the Hub's metadata."""

import math
import os
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from huggingface_hub import EvalResult

from spatialflow.categories import Categories
from spatialflow.errors import DataError
from spatialflow.files import read_json

TASK = "image-segmentation"
"""What the Hub calls it."""
_GROUPS = {"All": "", "Things": " (things)", "Stuff": " (stuff)"}
_AP = {"bbox": "Box AP", "segm": "Mask AP"}
_UNNAMED = "not named"


@runtime_checkable
class HasJson(Protocol):
    """Such as :class:`spatialflow.PQResult`."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries."""


Evaluation = str | os.PathLike[str] | Mapping[str, Any] | HasJson
"""A JSON file of ``spatialflow evaluate --json-out`` or ``spatialflow pq --json-out``, its content, or a
:class:`spatialflow.PQResult`."""


def read_evaluation(evaluation: Evaluation, categories: Categories) -> dict[str, Any]:
    """The content of an evaluation.

    Raises:
        DataError: it is none of ours, or of other categories.
    """
    source = "evaluation"
    if isinstance(evaluation, str | os.PathLike):
        source, evaluation = str(evaluation), read_json(evaluation)
    elif isinstance(evaluation, HasJson):
        evaluation = evaluation.to_json()
    remedy = "give what `spatialflow evaluate --json-out FILE` wrote"
    if not isinstance(evaluation, Mapping):
        raise DataError(f"{source}: is no evaluation; {remedy}")
    for group in _GROUPS:
        entry = evaluation.get(group)
        if not isinstance(entry, Mapping) or not all(
            _is_number(entry.get(k)) for k in ("pq", "sq", "rq", "n")
        ):
            raise DataError(f"{source}: {group}: is missing, or lacks pq, sq, rq or n; {remedy}")
    per_class = evaluation.get("per_class")
    own = {str(category.id) for category in categories}
    if not isinstance(per_class, Mapping) or {str(key) for key in per_class} != own:
        raise DataError(
            f"{source}: per_class: its category ids are not those of the model ({categories}); give the "
            f"evaluation of this model"
        )
    for key, entry in per_class.items():
        if not isinstance(entry, Mapping) or not all(
            _is_number(entry.get(k)) for k in ("pq", "sq", "rq", "tp", "fp", "fn")
        ):
            raise DataError(f"{source}: per_class: {key}: lacks pq, sq, rq, tp, fp or fn; {remedy}")
    return {**evaluation, "per_class": {str(key): entry for key, entry in per_class.items()}}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def evaluation_metadata(numbers: Mapping[str, Any], dataset: str | None) -> list[EvalResult]:
    """For the metadata ``model-index``, in percent; groups without any category are left out."""
    named = {
        f"{key.upper()}{suffix}": numbers[group][key]
        for group, suffix in _GROUPS.items()
        if numbers[group]["n"]
        for key in ("pq", "sq", "rq")
    }
    named |= {name: numbers[kind]["ap"] for kind, name in _AP.items() if _has_ap(numbers, kind)}
    return [
        EvalResult(
            task_type=TASK,
            task_name="Panoptic segmentation",
            dataset_type="coco-panoptic",
            dataset_name=dataset or _UNNAMED,
            metric_type="average_precision" if name in _AP.values() else "panoptic_quality",
            metric_name=name,
            metric_value=round(100 * value, 2),
        )
        for name, value in named.items()
    ]


def _has_ap(numbers: Mapping[str, Any], kind: str) -> bool:
    return isinstance(numbers.get(kind), Mapping) and _is_number(numbers[kind].get("ap"))


def evaluation_section(numbers: Mapping[str, Any] | None, dataset: str | None, categories: Categories) -> str:
    """In Markdown: groups, then every category."""
    if numbers is None:
        return "## Evaluation\n\nNo evaluation was given when this card was written."
    on = f"On {dataset}" if dataset else "The data were not named"
    lines = [
        "## Evaluation",
        "",
        f"{on}; panoptic, segmentation and recognition quality in percent, means over N categories.",
        "",
        "| | PQ | SQ | RQ | N |",
        "|---|---:|---:|---:|---:|",
    ]
    for group in _GROUPS:
        entry = numbers[group]
        cells = [_percent(entry[k]) if entry["n"] else "-" for k in ("pq", "sq", "rq")]
        lines.append(f"| {group} | {' | '.join(cells)} | {entry['n']} |")
    aps = [f"{name} {_percent(numbers[kind]['ap'])}" for kind, name in _AP.items() if _has_ap(numbers, kind)]
    if aps:
        lines += ["", f"{', '.join(aps)} (COCO's, in percent)."]
    lines += [
        "",
        "Every category, with its matched (TP), spurious (FP) and missed (FN) segments:",
        "",
        "| category | | PQ | SQ | RQ | TP | FP | FN |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for category in categories:
        entry = numbers["per_class"][str(category.id)]
        counts = [entry["tp"], entry["fp"], entry["fn"]]
        cells = [_percent(entry[k]) if any(counts) else "-" for k in ("pq", "sq", "rq")]
        kind = "thing" if category.is_thing else "stuff"
        lines.append(f"| {_cell(category.name)} | {kind} | {' | '.join([*cells, *map(str, counts)])} |")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
