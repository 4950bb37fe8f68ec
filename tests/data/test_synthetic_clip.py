import itertools

import numpy as np
import pytest

from spatialflow.data.synthetic import CATEGORIES, SIZE
from spatialflow.data.synthetic_clip import ClipFrame, draw_clip


@pytest.fixture(scope="module")
def frames() -> list[ClipFrame]:
    return list(draw_clip(3, 60))


def test_frames_and_truth_have_one_size(frames: list[ClipFrame]) -> None:
    for frame in frames:
        assert frame.photo.shape == (*SIZE, 3)
        assert frame.photo.dtype == np.uint8
        assert frame.ids.shape == frame.stuff.shape == SIZE
        assert set(np.unique(frame.ids)) - {0} == set(frame.labels)
        assert all(CATEGORIES[label].is_thing for label in frame.labels.values())
        assert not any(CATEGORIES[label].is_thing for label in np.unique(frame.stuff))


def test_is_fixed_by_its_seed(frames: list[ClipFrame]) -> None:
    again = list(draw_clip(3, 10))  # the first frames of a longer clip
    for one, other in zip(frames, again, strict=False):
        assert (one.photo == other.photo).all()
        assert (one.ids == other.ids).all()
    assert (next(draw_clip(4, 1)).photo != frames[0].photo).any()


def test_things_move_and_keep_their_class(frames: list[ClipFrame]) -> None:
    """In straight lines, 2 to 8 pixels a frame, where they are seen whole."""
    inner = np.zeros(SIZE, bool)
    inner[2:-2, 2:-2] = True
    speeds = []
    for before, now in itertools.pairwise(frames):
        for thing in set(before.labels) & set(now.labels):
            assert before.labels[thing] == now.labels[thing]
            masks = before.ids == thing, now.ids == thing
            if (
                all(m.sum() > 200 and not (m & ~inner).any() for m in masks)
                and abs(int(masks[0].sum()) - int(masks[1].sum())) < 8
            ):
                places = [np.argwhere(m).mean(0) for m in masks]
                speeds.append(float(np.hypot(*(places[1] - places[0]))))
    assert len(speeds) > 20
    assert np.percentile(speeds, 5) > 1.5
    assert np.percentile(speeds, 95) < 8.7


def test_things_come_go_and_cover_one_another(frames: list[ClipFrame]) -> None:
    seen = [set(frame.labels) for frame in frames]
    assert len(set.union(*seen)) >= 6
    assert len(set.intersection(*seen)) == 0
    for thing in set.union(*seen):  # once gone, gone for good: gaps are only those behind others
        times = [n for n, things in enumerate(seen) if thing in things]
        assert len(times) > 0.6 * (times[-1] - times[0] + 1)
    areas = {t: [int((f.ids == t).sum()) for f in frames] for t in set.union(*seen)}
    assert any(max(a) > 4 * min(x for x in a[5:] if x) for a in areas.values() if any(a[5:]))


def test_photo_shows_what_the_truth_says(frames: list[ClipFrame]) -> None:
    """Pixels of a thing are more alike than those of the whole frame."""
    for frame in frames[::10]:
        for thing in frame.labels:
            mask = frame.ids == thing
            if mask.sum() > 150:
                assert frame.photo[mask].std(0).mean() < frame.photo.reshape(-1, 3).std(0).mean() + 5
