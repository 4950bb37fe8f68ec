"""Which images go to validation, so that both parts show every category."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

_TRIED = 2000
"""Images that are tried against each other when a category is to be brought to the part that lacks it."""


def stratified_split(labels: Sequence[Collection[int]], val: float, seed: int) -> NDArray[np.bool_]:
    """Choose the images of a validation set by the categories that they show.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data,
    ECML PKDD 2011): the category with the fewest images left is dealt out first, each image to the part that
    wants it most. Here a category of two images or more is wanted at least once in each part; what is still
    missing in one part then is swapped in, where that takes no other category away.

    Args:
        labels: of each image, the categories it shows; images without any are dealt out as a category.
        val: share of the images that go to validation; at least one image goes to each part.
        seed: of the order in which images are dealt out.

    Returns:
        (N,) whether an image is for validation.

    Raises:
        ValueError: fewer than two images, or ``val`` is not between 0 and 1.
    """
    if len(labels) < 2 or not 0 < val < 1:
        raise ValueError(
            f"two images or more and a share between 0 and 1 are needed, got {len(labels)}, {val}"
        )
    columns = {label: i for i, label in enumerate(sorted({label for shown in labels for label in shown}))}
    shows = np.zeros((len(labels), len(columns) + 1), np.bool_)
    for image, shown in enumerate(labels):
        shows[image, [columns[label] for label in shown] or [-1]] = True
    rng = np.random.default_rng(seed)
    num_val = min(max(round(val * len(labels)), 1), len(labels) - 1)
    is_val = _deal_out(shows, val, num_val, rng)
    _swap_in(shows, is_val, rng)
    return is_val


def _deal_out(
    shows: NDArray[np.bool_], val: float, num_val: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    counts = shows.sum(0)
    wanted_in_val = np.where(counts >= 2, np.clip(counts * val, 1, np.maximum(counts - 1, 1)), counts * val)
    wanted = np.stack([counts - wanted_in_val, wanted_in_val])
    free = np.array([len(shows) - num_val, num_val])
    part = np.full(len(shows), -1)
    order = rng.permutation(len(shows))
    while (part < 0).any():
        left = shows[part < 0].sum(0)
        label = int(np.where(left > 0, left, len(shows) + 1).argmin())
        for image in order[shows[order, label] & (part[order] < 0)]:
            # the part that wants it most; of equals the one with more room, then training
            best = max((0, 1), key=lambda p: (free[p] > 0, wanted[p, label], free[p], -p))
            part[image] = best
            free[best] -= 1
            wanted[best] -= shows[image]
    return part == 1


def _swap_in(shows: NDArray[np.bool_], is_val: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Swap images between the parts, in place, as long as that leaves fewer categories out of one part."""
    needed = shows.sum(0) >= 2
    needed[-1] = False  # images without any category are not missed
    counts = np.stack([shows[~is_val].sum(0), shows[is_val].sum(0)])
    improved = True
    while improved:
        improved = False
        for part, label in np.argwhere((counts == 0) & needed):
            here = rng.permutation(np.flatnonzero(is_val == bool(part)))[:_TRIED]
            there = rng.permutation(np.flatnonzero((is_val != bool(part)) & shows[:, label]))[:_TRIED]
            before = int(((counts == 0) & needed).sum())
            for image in there:
                # of every image here: what the parts would have left if it were swapped for that image
                gain = shows[image].astype(np.int64) - shows[here]
                missing = sum(
                    (((c + g) == 0) & needed).sum(1)
                    for c, g in ((counts[part], gain), (counts[1 - part], -gain))
                )
                best = int(np.argmin(missing))
                if missing[best] < before:
                    is_val[[image, here[best]]] = is_val[[here[best], image]]
                    counts[part] += gain[best]
                    counts[1 - part] -= gain[best]
                    improved = True
                    break
