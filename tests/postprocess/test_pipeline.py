"""From dense outputs to panoptic predictions, end to end on a tiny network."""

import numpy as np
import pytest
import torch

from make_model import categories, photo, tiny_model
from spatialflow.postprocess.detection import decode_candidates, select
from spatialflow.postprocess.pipeline import (
    Found,
    find,
    merge_found,
    scale_factors,
    segment_detections,
    stuff_scores,
)
from spatialflow.postprocess.stuff import stuff_map
from spatialflow.structures import Detections

IMAGE, ORIGINAL = (60, 90), (123, 181)


def found_in(
    model_options: dict[str, object], images: torch.Tensor, sizes: list[tuple[int, int]]
) -> list[Found]:
    net = tiny_model(categories(3, 4), **model_options)
    with torch.inference_mode():
        return find(net, net(images), sizes, [ORIGINAL] * len(images))


@pytest.mark.parametrize("agnostic", [False, True])
def test_find_is_the_sum_of_its_parts(agnostic: bool) -> None:
    net = tiny_model(categories(3, 4), class_agnostic_masks=agnostic)
    m = net.config.model
    with torch.inference_mode():
        outputs = net(photo(64, 96))
        (found,) = find(net, outputs, [IMAGE], [ORIGINAL])
        (candidates,) = decode_candidates(outputs, [IMAGE], m.strides, m.anchors, 1000)
        factors = torch.tensor([90 / 181, 60 / 123] * 2)
        detections = select(candidates.boxes / factors, candidates.scores, m.detection)
        logits = net.segment(outputs.mask_features, [detections.boxes * factors])
    things = found.things
    assert len(things.scores) == 100
    assert np.allclose(things.boxes, detections.boxes, atol=1e-3)
    assert np.array_equal(things.labels, detections.labels)
    assert np.all(np.diff(things.scores) <= 0)
    assert things.boxes[:, 2].max() <= 181.001
    assert things.boxes[:, 3].max() <= 123.001
    for i in range(len(things.labels)):
        channel = 0 if agnostic else int(things.labels[i])
        assert np.allclose(things.masks[i], logits[i, channel].sigmoid(), atol=1e-5)
    assert np.array_equal(found.stuff, stuff_map(outputs.stuff_logits[0], IMAGE, ORIGINAL))


def test_a_batch_finds_what_each_image_alone_does() -> None:
    sizes = [(60, 90), (64, 50)]
    images = photo(64, 96, batch=2)
    images[0, :, 60:] = 0
    images[0, :, :, 90:] = 0
    images[1, :, :, 50:] = 0
    together = found_in({}, images, sizes)
    for i in range(2):
        (alone,) = found_in({}, images[i : i + 1], sizes[i : i + 1])
        assert np.allclose(together[i].things.scores, alone.things.scores, atol=1e-5)
        assert np.allclose(together[i].things.boxes, alone.things.boxes, atol=1e-2)
        assert np.allclose(together[i].things.masks, alone.things.masks, atol=1e-3)
        assert (together[i].stuff == alone.stuff).mean() > 0.999


def test_nothing_found() -> None:
    net = tiny_model(categories(3, 4), detection={"score_threshold": 1.0})
    with torch.inference_mode():
        (found,) = find(net, net(photo(64, 96)), [IMAGE], [ORIGINAL])
    assert found.things.boxes.shape == (0, 4)
    assert found.things.masks.shape == (0, 28, 28)
    prediction = merge_found(net, found)
    assert prediction.segment_ids.shape == ORIGINAL
    assert not any(segment.is_thing for segment in prediction.segments)


def test_merge_follows_the_models_settings() -> None:
    images = photo(64, 96)
    (found,) = found_in({}, images, [IMAGE])
    scores = np.linspace(0.9, 0.1, len(found.things.scores), dtype=np.float32)
    found = found._replace(things=found.things._replace(scores=scores))
    few = tiny_model(categories(3, 4), merge={"score_threshold": 1.0, "stuff_area": 10**6})
    assert merge_found(few, found).segments == ()
    many = tiny_model(categories(3, 4), merge={"score_threshold": 0.0, "stuff_area": 0})
    assert len(merge_found(many, found).segments) > 2


def test_masks_of_each_image() -> None:
    net = tiny_model(categories(3, 4))
    boxes = [
        torch.tensor([[0.0, 0, 40, 40], [10, 10, 90, 60]]),
        torch.zeros(0, 4),
        torch.tensor([[5.0, 5, 30, 30]]),
    ]
    labels = [torch.tensor([2, 0]), torch.zeros(0, dtype=torch.int64), torch.tensor([1])]
    detections = [Detections(b, torch.ones(len(b)), c) for b, c in zip(boxes, labels, strict=True)]
    factors = [torch.full((4,), 0.5)] * 3
    with torch.inference_mode():
        outputs = net(photo(64, 96, batch=3))
        masks = segment_detections(net, outputs, detections, factors)
        logits = net.segment(outputs.mask_features, [b * 0.5 for b in boxes])
    assert [m.shape for m in masks] == [(2, 28, 28), (0, 28, 28), (1, 28, 28)]
    assert torch.allclose(masks[0], torch.stack([logits[0, 2], logits[1, 0]]).sigmoid())
    assert torch.allclose(masks[2][0], logits[2, 1].sigmoid())


def test_scale_factors_are_float32_of_each_side() -> None:
    factors = scale_factors((320, 480), (427, 640))
    assert factors.dtype == torch.float32
    assert factors.tolist() == [np.float32(480 / 640), np.float32(320 / 427)] * 2


def test_stuff_scores_by_hand() -> None:
    logits = torch.tensor([[[0.0, 2.0]], [[1.0, 0.0]], [[-5.0, -5.0]]])
    p = logits.softmax(dim=0)
    assert stuff_scores(logits).tolist() == pytest.approx([p[0, 0, 1].item(), p[1, 0, 0].item(), 0])
