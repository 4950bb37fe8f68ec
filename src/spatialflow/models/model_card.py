"""The model card: ``README.md`` of a model's folder, from the model and from an evaluation if there is one.

No figure is made up: what was not given, the card says was not given.
"""

from typing import TYPE_CHECKING

from huggingface_hub import ModelCardData

from spatialflow.categories import Categories
from spatialflow.models.card_evaluation import (
    TASK,
    Evaluation,
    evaluation_metadata,
    evaluation_section,
    read_evaluation,
)

if TYPE_CHECKING:
    from spatialflow.models.spatialflow import SpatialFlow

MARK = "<!-- Written by spatialflow; a card without this line is never replaced. -->"
LICENSE_UNKNOWN = "unknown"


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
    numbers = None if evaluation is None else read_evaluation(evaluation, model.categories)
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
        eval_results=evaluation_metadata(numbers, dataset) if numbers else None,
    )
    parts = [
        f"---\n{data.to_yaml().strip()}\n---",
        MARK,
        f"# {repo_id.rpartition('/')[2]}",
        _what(model),
        _use(repo_id),
        evaluation_section(numbers, dataset, model.categories),
        _details(model),
        _categories(model.categories),
        _license(license),
    ]
    return "\n\n".join(parts) + "\n"


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


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
