"""Clips for tests, and how well ids are kept in them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from numpy.typing import NDArray

from spatialflow.data.synthetic import CATEGORIES
from spatialflow.data.synthetic_clip import ClipFrame
from spatialflow.data.synthetic_scene import MIN_THING_AREA
from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.video.writing import VideoWriter


class Kept(NamedTuple):
    """How well ids are kept."""

    share: float
    """Of the matched object-frames, those that have their object's own id: its most frequent one, which no
    other object has as its own (the object with more frames of it keeps it)."""
    matched: float
    """Of the visible object-frames, those with a predicted thing of IoU above 0.5."""
    shared: int
    """Objects whose most frequent id is another's own."""
    objects: int


def ids_kept(frames: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> Kept:
    """Compare true and predicted things of every frame: (H, W) ids, 0 where there is no thing."""
    found: dict[int, Counter[int]] = defaultdict(Counter)
    visible = 0
    for truth, predicted in frames:
        for true_id in np.unique(truth[truth > 0]).tolist():
            mask = truth == true_id
            if mask.sum() < MIN_THING_AREA:
                continue
            visible += 1
            for own, shared in Counter(predicted[mask].tolist()).items():
                if own and shared > 0.5 * (mask.sum() + (predicted == own).sum() - shared):
                    found[true_id][own] += 1
    best = {true_id: ids.most_common(1)[0] for true_id, ids in found.items()}
    owner: dict[int, int] = {}
    for true_id, (own, _) in sorted(best.items(), key=lambda item: -item[1][1]):
        owner.setdefault(own, true_id)
    matched = sum(sum(ids.values()) for ids in found.values())
    kept = sum(count for true_id, (own, count) in best.items() if owner[own] == true_id)
    strangers = sum(owner[own] != true_id for true_id, (own, _) in best.items())
    return Kept(kept / max(matched, 1), matched / max(visible, 1), strangers, len(best))


def true_prediction(
    frame: ClipFrame, rng: np.random.Generator | None = None, dropout: float = 0.0
) -> PanopticPrediction:
    """The truth as a model would say it, in random order; with ``rng``, with ragged borders and drop-outs."""
    rng_or_still = rng or np.random.default_rng(0)
    ids = np.zeros(frame.ids.shape, np.int32)
    segments: list[Segment] = []

    def add(mask: NDArray[np.bool_], label: int) -> None:
        if not mask.any():
            return
        ids[mask] = len(segments) + 1
        category = CATEGORIES[label]
        segments.append(Segment(len(segments) + 1, label, category, category.is_thing, 0.9, 0, (0, 0, 0, 0)))

    for label in np.unique(frame.stuff).tolist():
        add(frame.stuff == label, label)
    for true_id in rng_or_still.permutation(sorted(frame.labels)).tolist():
        if rng is None or rng.uniform() >= dropout:
            mask = frame.ids == true_id
            add(mask if rng is None else _ragged(mask, rng), frame.labels[true_id])
    return prediction_of(ids, segments)


def prediction_of(ids: NDArray[Any], segments: Sequence[Segment]) -> PanopticPrediction:
    """With areas and boxes measured, and without segments that have no pixels."""
    measured = []
    for segment in segments:
        rows, columns = np.nonzero(ids == segment.id)
        if len(rows):
            box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
            measured.append(
                Segment(
                    segment.id,
                    segment.label,
                    segment.category,
                    segment.is_thing,
                    segment.score,
                    len(rows),
                    box,
                )
            )
    return PanopticPrediction(torch.from_numpy(ids.astype(np.int32)), tuple(measured))


def _ragged(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Moved by a pixel or none."""
    return np.roll(mask, tuple(rng.integers(-1, 2, 2).tolist()), (0, 1))


def thing_ids(prediction: PanopticPrediction) -> NDArray[Any]:
    """(H, W) ids of things, 0 elsewhere."""
    ids = prediction.segment_ids.numpy()
    return np.where(np.isin(ids, [s.id for s in prediction.segments if s.is_thing]), ids, 0)


def write_clip(
    path: Path, photos: Iterable[NDArray[np.uint8]], rate: Fraction = Fraction(25), **options: Any
) -> Path:
    """A video of pictures."""
    writer = None
    for number, photo in enumerate(photos):
        if writer is None:
            writer = VideoWriter(path, photo.shape[:2], rate, **options)
        writer.write(photo, number / rate)
    assert writer is not None
    writer.close()
    return path


def moving_square(num_frames: int, size: tuple[int, int] = (48, 64)) -> Iterator[NDArray[np.uint8]]:
    """A bright square on a dark ground, two pixels a frame."""
    for number in range(num_frames):
        photo = np.full((*size, 3), 40, np.uint8)
        left = 2 * number % (size[1] - 12)
        photo[10:22, left : left + 12] = (220, 60, 30)
        yield photo


def add_tone(path: Path, out: Path, codec: str = "aac", seconds: float = 3.0) -> Path:
    """The same video with a tone beside its pictures."""
    with av.open(str(path)) as source, av.open(str(out), "w") as container:
        pictures = source.streams.video[0]
        copied = container.add_stream_from_template(pictures)
        sound = container.add_stream(codec, rate=48000, layout="mono")
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)
        put_tone(container, sound, seconds)
    return out


def put_tone(container: Any, sound: Any, seconds: float) -> None:
    size = 1024
    for start in range(0, int(seconds * 48000), size):
        wave = np.sin(np.arange(start, start + size) * 2 * np.pi * 440 / 48000).astype(np.float32) * 0.3
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, start
        container.mux(sound.encode(frame))
    container.mux(sound.encode(None))
