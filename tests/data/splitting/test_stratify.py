"""Which images go to validation: sizes, shares, and every category in both parts where that can be."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from spatialflow.data.splitting.stratify import stratified_split


def missing(labels: Sequence[set[int]], is_val: Sequence[bool]) -> int:
    """Categories of two images or more that one part does not show."""
    count = 0
    for label in set().union(*labels):
        parts = [part for shown, part in zip(labels, is_val, strict=True) if label in shown]
        count += len(parts) >= 2 and len(set(parts)) == 1
    return count


def draw(rng: np.random.Generator, images: int, categories: int, share: float) -> list[set[int]]:
    return [set(np.flatnonzero(rng.random(categories) < share).tolist()) for _ in range(images)]


def test_almost_always_as_good_as_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(0)
    worse = 0
    for seed in range(100):
        labels = draw(rng, int(rng.integers(4, 11)), 6, 0.3)
        num_val = min(max(round(0.3 * len(labels)), 1), len(labels) - 1)
        choices = itertools.combinations(range(len(labels)), num_val)
        best = min(missing(labels, [i in chosen for i in range(len(labels))]) for chosen in choices)
        is_val = stratified_split(labels, 0.3, seed)
        assert is_val.sum() == num_val
        worse += missing(labels, is_val.tolist()) > best
    assert worse <= 5


def test_rare_categories_are_in_both_parts_where_chance_would_leave_them_out() -> None:
    labels: list[set[int]] = [{0} for _ in range(200)]
    for rare in range(1, 11):
        for image in (20 * rare - 20, 20 * rare - 10):
            labels[image] = {0, rare}
    for seed in range(5):
        is_val = stratified_split(labels, 0.1, seed)
        assert is_val.sum() == 20
        assert missing(labels, is_val.tolist()) == 0


def test_shares_are_kept() -> None:
    labels = draw(np.random.default_rng(1), 2000, 20, 0.1)
    is_val = stratified_split(labels, 0.2, 0)
    for label in range(20):
        parts = np.array([part for shown, part in zip(labels, is_val, strict=True) if label in shown])
        assert abs(parts.mean() - 0.2) < 0.02


def test_a_category_of_one_image_is_for_training() -> None:
    labels = [{0}] * 9 + [{0, 1}]
    assert not any(stratified_split(labels, 0.3, seed)[9] for seed in range(20))


@pytest.mark.parametrize(
    ("images", "val", "expected"),
    [(2, 0.1, 1), (2, 0.9, 1), (3, 0.01, 1), (3, 0.99, 2), (8, 0.1, 1), (10, 0.25, 2)],
)
def test_each_part_has_an_image(images: int, val: float, expected: int) -> None:
    assert stratified_split([set()] * images, val, 0).sum() == expected


def test_the_seed_alone_decides() -> None:
    labels = draw(np.random.default_rng(2), 60, 5, 0.3)
    first = stratified_split(labels, 0.2, 7)
    assert np.array_equal(first, stratified_split(labels, 0.2, 7))
    assert not np.array_equal(first, stratified_split(labels, 0.2, 8))


@pytest.mark.parametrize(("images", "val"), [(1, 0.5), (0, 0.5), (5, 0.0), (5, 1.0), (5, float("nan"))])
def test_no_split(images: int, val: float) -> None:
    with pytest.raises(ValueError, match="two images or more"):
        stratified_split([{0}] * images, val, 0)
