"""The graph, run by PyTorch as it is, against the predictor."""

from typing import Any

import numpy as np
import pytest
import torch

from make_export import busy_model, smooth_photo
from make_model import TOY, categories
from spatialflow.categories import Categories
from spatialflow.export.description import Description
from spatialflow.export.exchange import Arrays, found_in, graph_inputs, prediction_in
from spatialflow.export.graph import ExportGraph
from spatialflow.inference.predictor import Predictor

SIZES = [(96, 128), (150, 90), (40, 300), (7, 5)]


def run(predictor: Predictor, photo: np.ndarray, description: Description) -> Arrays:
    graph = ExportGraph(predictor._model, uint8=description.uint8, merged=description.merged)
    inputs = graph_inputs(photo, description, "graph")
    with torch.inference_mode():
        outputs = graph(**{name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.mark.parametrize("uint8", [False, True])
@pytest.mark.parametrize(
    ("classes", "model"),
    [
        (TOY, {}),
        (TOY, {"class_agnostic_masks": True, "detection": {"pre_nms_top_k": 100}}),
        (TOY, {"deformable": {"backbone_stages": (2,), "subnets": True}}),
        (categories(0, 3), {}),
        (categories(3, 0), {"detection": {"score_threshold": 0.9999}}),
    ],
    ids=["plain", "agnostic", "deformable", "only stuff", "only things"],
)
def test_same_as_the_predictor(classes: Categories, model: dict[str, Any], uint8: bool) -> None:
    predictor = Predictor(busy_model(classes, **model), "cpu", "fp32")
    description = Description(predictor.config, predictor.categories, uint8, True, None)
    for size in SIZES:
        photo = smooth_photo(*size)
        outputs = run(predictor, photo, description)
        (expected,), actual = predictor.find([photo]), found_in(outputs)
        assert np.array_equal(actual.things.labels, expected.things.labels)
        assert np.allclose(actual.things.boxes, expected.things.boxes, atol=1e-3)
        assert np.allclose(actual.things.scores, expected.things.scores, atol=1e-5)
        assert np.allclose(actual.things.masks, expected.things.masks, atol=1e-4)
        assert np.array_equal(actual.stuff, expected.stuff)
        assert np.allclose(actual.stuff_scores, expected.stuff_scores, atol=1e-5)
        merged, panoptic = predictor.merge(expected), prediction_in(outputs, description)
        assert (panoptic.segment_ids == merged.segment_ids).float().mean() >= 0.999
        assert [s.label for s in panoptic.segments] == [s.label for s in merged.segments]


def test_lists_are_as_long_as_ever() -> None:
    predictor = Predictor(busy_model(detection={"score_threshold": 0.3}), "cpu", "fp32")
    description = Description(predictor.config, predictor.categories, True, False, None)
    outputs = run(predictor, smooth_photo(96, 128), description)
    count = int(outputs["num_detections"])
    assert count > 0
    assert outputs["boxes"].shape == (100, 4)
    assert outputs["masks"].shape == (100, 28, 28)
    assert (outputs["scores"][:count] > 0.3).all()
    assert not outputs["scores"][count:].any()
    assert "panoptic" not in outputs
