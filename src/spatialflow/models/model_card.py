"""The model card: ``README.md`` of a model's folder, from the model and from an evaluation if there is one.

No figure is made up: what was not given, the card says was not given.
"""

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from huggingface_hub import EvalResult, ModelCardData

from spatialflow.categories import Categories
from spatialflow.errors import DataError
from spatialflow.files import read_json

if TYPE_CHECKING:
    from spatialflow.models.spatialflow import SpatialFlow

MARK = "<!-- Written by spatialflow; a card without this line is never replaced. -->"
LICENSE_UNKNOWN = "unknown"
TASK = "image-segmentation"
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


def model_card(
    model: "SpatialFlow",
    *,
    repo_id: str,
    evaluation: Evaluation | None = None,
    dataset: str | None = None,
    license: str = LICENSE_UNKNOWN,
) -> str:
    """The text of a card, metadata in front, as the Hub reads it.

    Args:
        model: what it describes.
        repo_id: what its example loads: a name on the Hub, or of a folder.
        evaluation: measured quality.
        dataset: name of the data that were evaluated on.
        license: of the weights, as the Hub abbreviates it.

    Raises:
        DataError: the evaluation is none of ours, or of other categories than the model's.
    """
    numbers = None if evaluation is None else _numbers(evaluation, model.categories)
    # the metadata's class wants a model's name as soon as there are results
    data = ModelCardData(
        library_name="spatialflow",
        pipeline_tag=TASK,
        license=license,
        tags=[
            "panoptic-segmentation",
            "instance-segmentation",
            "semantic-segmentation",
            "pytorch",
            "spatialflow",
        ],
        model_name=repo_id.rpartition("/")[2] if numbers else None,
        eval_results=_results(numbers, dataset or _UNNAMED) if numbers else None,
    )
    parts = [
        f"---\n{data.to_yaml().strip()}\n---",
        MARK,
        f"# {repo_id.rpartition('/')[2]}",
        _what(model),
        _use(repo_id),
        _evaluation(numbers, dataset, model.categories),
        _details(model),
        _categories(model.categories),
        _license(license),
    ]
    return "\n\n".join(parts) + "\n"


def _numbers(evaluation: Evaluation, categories: Categories) -> dict[str, Any]:
    """The content of an evaluation, checked."""
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


def _results(numbers: Mapping[str, Any], dataset: str) -> list[EvalResult]:
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
            dataset_name=dataset,
            metric_type="average_precision" if name in _AP.values() else "panoptic_quality",
            metric_name=name,
            metric_value=round(100 * value, 2),
        )
        for name, value in named.items()
    ]


def _has_ap(numbers: Mapping[str, Any], kind: str) -> bool:
    return isinstance(numbers.get(kind), Mapping) and _is_number(numbers[kind].get("ap"))


def _what(model: "SpatialFlow") -> str:
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    things, stuff = model.categories.num_things, model.categories.num_stuff
    return (
        f"Panoptic segmentation: {things} thing and {stuff} stuff classes. SpatialFlow "
        f"([Chen et al., 2020](https://arxiv.org/abs/1910.08787)) on `{model.config.model.backbone}`, "
        f"{parameters:.2f} M parameters, recipe `{model.config.name}`."
    )


def _use(repo_id: str) -> str:
    return f"""## Use

With the Python package `spatialflow`:

```python
import spatialflow as sf

model = sf.SpatialFlow.from_pretrained("{repo_id}")
prediction = sf.Predictor(model).predict("photo.jpg")
for segment in prediction.segments:
    print(segment.category, round(segment.score, 2), segment.area, segment.box)
prediction.save("panoptic.png")
```

On the command line, `spatialflow predict photo.jpg --checkpoint {repo_id} --out results`."""


def _evaluation(numbers: Mapping[str, Any] | None, dataset: str | None, categories: Categories) -> str:
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


def _details(model: "SpatialFlow") -> str:
    m, data = model.config.model, model.config.data
    merge = m.merge
    boxes = f", boxes fill what is void from {merge.bbox_threshold:g}" if merge.using_bbox else ""
    return "\n".join(
        [
            "## Details",
            "",
            "`config.json` has all of it; the main values:",
            "",
            "| | |",
            "|---|---|",
            f"| photos are resized into | {data.test_scale[0]} x {data.test_scale[1]} pixels |",
            f"| mean, std of RGB 0..255 | {_list(data.mean)}; {_list(data.std)} |",
            f"| pyramid | {m.pyramid_levels} levels of {m.pyramid_channels} channels |",
            f"| detections | score above {m.detection.score_threshold:g}, NMS at {m.detection.nms_iou:g}, "
            f"{m.detection.max_detections} at most |",
            f"| merge | score from {merge.score_threshold:g}, overlap to {merge.overlap_threshold:g}, stuff "
            f"from {merge.stuff_area} pixels{boxes} |",
        ]
    )


def _categories(categories: Categories) -> str:
    things = ", ".join(c.name for c in categories if c.is_thing) or "none"
    stuff = ", ".join(c.name for c in categories if not c.is_thing) or "none"
    return f"## Categories\n\nThings: {things}.\n\nStuff: {stuff}."


def _license(license: str) -> str:
    said = (
        "of the weights was not stated; it depends on the data they were trained on"
        if license == LICENSE_UNKNOWN
        else f"of the weights: {license}"
    )
    return f"## Licence\n\nThe licence {said}. The code that runs them is Apache-2.0."


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
