"""Masks and semantic maps against loops over pixels."""

import warnings

import pytest
import torch
from torch import Tensor

from spatialflow.categories import Categories, Category, coco_panoptic
from spatialflow.ops.masks import IGNORED, binary_masks, semantic_from_ids, semantic_map
from spatialflow.structures import Target

IDS = torch.tensor([70000, 3, 12, 16777215])
ID_MAP = torch.tensor([[0, 3, 3, 70000], [12, 12, 99, 16777215], [3, 0, 0, 70000]], dtype=torch.int32)


def target(id_map: Tensor, ids: list[int], labels: list[int]) -> Target:
    n = len(ids)
    return Target(
        id_map,
        torch.tensor(ids, dtype=torch.int64),
        torch.tensor(labels, dtype=torch.int64),
        torch.zeros(n, dtype=torch.bool),
        torch.zeros(n, 4),
        1,
        "a.jpg",
        (id_map.shape[0], id_map.shape[1]),
    )


def test_binary_masks() -> None:
    masks = binary_masks(ID_MAP, torch.tensor([3, 5, 70000]))
    assert masks.dtype == torch.bool
    assert masks.int().tolist() == [
        [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]],
    ]


def test_binary_masks_of_no_segment() -> None:
    assert binary_masks(ID_MAP, torch.zeros(0, dtype=torch.int64)).shape == (0, 3, 4)


def test_semantic_from_ids_leaves_void_and_unlisted_ids_out() -> None:
    semantic = semantic_from_ids(ID_MAP, IDS, torch.tensor([7, 0, 2, 7]))
    assert semantic.dtype == torch.int64
    assert semantic.tolist() == [[255, 0, 0, 7], [2, 2, 255, 7], [0, 255, 255, 7]]


def test_semantic_from_ids_equals_a_loop_over_pixels() -> None:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randperm(1 << 24, generator=generator)[:40] + 1
    choices = torch.cat([ids, torch.zeros(5, dtype=torch.int64), torch.tensor([4])])
    id_map = choices[torch.randint(len(choices), (37, 53), generator=generator)].int()
    channels = torch.randint(0, 54, (40,), generator=generator)
    channel_of = dict(zip(ids.tolist(), channels.tolist(), strict=True))
    expected = [[channel_of.get(i, IGNORED) for i in row] for row in id_map.tolist()]
    assert semantic_from_ids(id_map, ids, channels).tolist() == expected


def test_semantic_from_ids_of_a_flipped_view() -> None:
    flipped = ID_MAP.flip(1)[:, ::2]
    whole = semantic_from_ids(ID_MAP, IDS, torch.arange(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PyTorch warns where the layout makes it slow
        semantic = semantic_from_ids(flipped, IDS, torch.arange(4))
    assert torch.equal(semantic, whole.flip(1)[:, ::2])


def test_no_segment_is_ignored_everywhere() -> None:
    semantic = semantic_from_ids(ID_MAP, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert semantic.dtype == torch.int64
    assert (semantic == IGNORED).all()


def test_semantic_map_of_coco_has_things_at_channel_36() -> None:
    categories = coco_panoptic()
    id_map = torch.tensor([[1, 2, 3, 4, 0]], dtype=torch.int32)
    labels = [categories.label(category_id) for category_id in (1, 90, 92, 200)]
    semantic = semantic_map(target(id_map, [1, 2, 3, 4], labels), categories)
    # person and toothbrush are things; banner is the first stuff channel, rug-merged (200) the last of 54
    assert semantic.tolist() == [[36, 36, 0, 53, 255]]


def test_semantic_map_of_other_data_has_things_last() -> None:
    categories = Categories(
        Category(i, name, i == 1, (0, 0, 0)) for i, name in enumerate(["sky", "cat", "grass"])
    )
    semantic = semantic_map(
        target(torch.tensor([[5, 6, 7]], dtype=torch.int32), [5, 6, 7], [0, 1, 2]), categories
    )
    assert semantic.tolist() == [[2, 0, 1]]


def test_more_stuff_classes_than_the_ignored_value_allows() -> None:
    categories = Categories(Category(i, str(i), False, (0, 0, 0)) for i in range(255))
    with pytest.raises(ValueError, match="255 stuff classes"):
        semantic_map(target(ID_MAP, [], []), categories)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_semantic_map_on_a_gpu() -> None:
    categories = coco_panoptic()
    on_cpu = target(ID_MAP, IDS.tolist(), [0, 80, 90, 100])
    on_gpu = semantic_map(on_cpu.to("cuda"), categories)
    assert on_gpu.is_cuda
    assert torch.equal(on_gpu.cpu(), semantic_map(on_cpu, categories))
