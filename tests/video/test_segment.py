import json
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import spatialflow as sf
from make_video import add_tone, ids_kept, moving_square, write_clip
from spatialflow.data.synthetic import CATEGORIES
from spatialflow.data.synthetic_clip import draw_clip
from spatialflow.errors import DataError, OutputError
from spatialflow.image_io import read_id_png
from spatialflow.structures import PanopticPrediction, Segment
from spatialflow.video import segment_video
from spatialflow.video.reading import open_video
from spatialflow.video.sources import parse_source

DISC, STRIPES = 2, 8


class Stub:
    """Sees the bright square of :func:`moving_square` as a disc, and all else as stripes."""

    categories = CATEGORIES

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def predict(self, image: NDArray[np.uint8]) -> PanopticPrediction:
        self.sizes.append(image.shape)
        bright = image[..., 0] > 140
        ids = torch.from_numpy(np.where(bright, 1, 2).astype(np.int32))
        rows, columns = np.nonzero(bright)
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        height, width = bright.shape
        return PanopticPrediction(
            ids,
            (
                Segment(1, 0, CATEGORIES[0], True, 0.9, int(bright.sum()), box),
                Segment(2, 5, CATEGORIES[5], False, 0.8, int((~bright).sum()), (0, 0, width, height)),
            ),
        )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """30 frames of 48x64; the square does not leave."""
    return write_clip(tmp_path / "clip.mp4", moving_square(26))


def probe(path: Path) -> tuple[int, Fraction, tuple[int, int], set[str]]:
    """Frames, rate, (H, W) and kinds of streams."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        kinds = {s.type for s in container.streams}
        size = stream.codec_context.height, stream.codec_context.width
        rate = stream.average_rate
        assert rate is not None
        return sum(1 for _ in container.decode(stream)), rate, size, kinds


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_writes_overlay_and_panoptic_frames(clip: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out.mp4", []
    result = segment_video(
        Stub(),
        clip,
        out,
        json_out=tmp_path / "out" / "panoptic.json",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 26) for n in range(1, 27)]
    assert (result.path, result.json_path) == (out, tmp_path / "out" / "panoptic.json")
    assert (result.frames, result.total, result.things, result.dropped) == (26, 26, 1, 0)
    assert result.problem is None
    assert not result.is_interrupted
    assert result.rate == pytest.approx(26 / result.seconds)
    assert probe(out) == (26, 25, (48, 64), {"video"})
    pngs = [f"out/panoptic/{n:06d}.png" for n in range(1, 27)]
    assert names(tmp_path) == sorted(
        ["clip.mp4", "out", "out.mp4", "out/panoptic", "out/panoptic.json", *pngs]
    )
    for n, name in enumerate(pngs):
        ids = read_id_png(tmp_path / name)
        assert np.unique(ids).tolist() == [1, 2]
        assert ids[15, 2 * n + 6] == 1


def test_no_json_unless_asked(clip: Path, tmp_path: Path) -> None:
    assert segment_video(Stub(), str(clip), str(tmp_path / "o.mp4")).json_path is None
    assert names(tmp_path) == ["clip.mp4", "o.mp4"]


def test_overlay_lies_over_the_very_frame(clip: Path, tmp_path: Path) -> None:
    segment_video(Stub(), clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        for n, frame in enumerate(container.decode(video=0)):
            pixels = frame.to_ndarray(format="rgb24").astype(int)
            inside, ground = pixels[12:15, 2 * n + 4 : 2 * n + 8], pixels[30:40, 5:20]
            assert inside[..., 0].mean() > ground[..., 0].mean() + 20, n


def test_sound_comes_along(clip: Path, tmp_path: Path) -> None:
    source = add_tone(clip, tmp_path / "tone.mp4", seconds=5)  # longer than the pictures
    segment_video(Stub(), source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        wave = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert probe(tmp_path / "out.mp4")[0] == 26
    assert len(wave) / 48000 == pytest.approx(26 / 25, abs=0.1)
    spectrum = np.abs(np.fft.rfft(wave[4800:43200]))
    assert spectrum.argmax() * 48000 / 38400 == pytest.approx(440, abs=2)


def test_sound_that_does_not_fit_is_left_out(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = add_tone(clip, tmp_path / "tone.mkv", codec="mp2", seconds=1)
    with caplog.at_level("INFO"):
        segment_video(Stub(), source, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4")[3] == {"video"}
    assert "its sound (mp2) is left out" in caplog.text


def test_stride_and_max_frames(clip: Path, tmp_path: Path) -> None:
    result = segment_video(Stub(), clip, tmp_path / "out.mp4", stride=4)
    assert (result.frames, result.total) == (7, 7)
    with open_video(parse_source(tmp_path / "out.mp4")) as video:
        assert [frame.time for frame in video] == [Fraction(4 * n, 25) for n in range(7)]
    result = segment_video(Stub(), clip, tmp_path / "short.mp4", stride=2, max_frames=5)
    assert (result.frames, result.total, probe(result.path)[0]) == (5, 5, 5)
    for wrong in ({"stride": 0}, {"max_frames": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            segment_video(Stub(), clip, tmp_path / "none.mp4", **wrong)


def test_broken_clip_keeps_what_is_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def photos() -> Any:
        for photo in moving_square(40):
            yield np.where(photo < 100, rng.integers(0, 90, photo.shape, np.uint8), photo)

    whole = write_clip(tmp_path / "whole.mp4", photos()).read_bytes()
    (tmp_path / "part.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    result = segment_video(Stub(), tmp_path / "part.mp4", tmp_path / "out.mp4", json_out=tmp_path / "p.json")
    assert 10 < result.frames < 36
    assert result.problem == f"it breaks off after {result.frames} of 40 frames"
    assert probe(tmp_path / "out.mp4")[0] == result.frames
    assert len(json.loads((tmp_path / "p.json").read_text())["annotations"]) == result.frames


def test_frames_of_another_size_are_brought_to_that_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Camera:
        def __init__(self, _: int) -> None:
            self.photos = [*moving_square(2), *moving_square(2, (96, 128))]

        def read(self) -> tuple[bool, Any]:
            time.sleep(0.1)  # so that none is dropped
            return (True, self.photos.pop(0)[..., ::-1]) if self.photos else (False, None)

        def get(self, _: int) -> float:
            return 0.0

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    stub = Stub()
    result = segment_video(stub, 0, tmp_path / "out.mp4")
    assert set(stub.sizes) == {(48, 64, 3)}
    assert result.frames == 4
    assert result.problem == "the webcam gives no more pictures"


class Interrupting(Stub):
    """Ctrl+C during the tenth frame."""

    def predict(self, image: NDArray[np.uint8]) -> PanopticPrediction:
        if len(self.sizes) == 10:
            raise KeyboardInterrupt
        return super().predict(image)


def test_interrupted_file_keeps_what_is_done(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        segment_video(Interrupting(), clip, out, json_out=tmp_path / "p.json")
    assert probe(out)[0] == 10
    assert len(json.loads((tmp_path / "p.json").read_text())["annotations"]) == 10
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_interruption_leaves_an_earlier_result(clip: Path, tmp_path: Path) -> None:
    out, listed = tmp_path / "out.mp4", tmp_path / "p.json"
    segment_video(Stub(), clip, out, json_out=listed)
    before = names(tmp_path), out.read_bytes(), listed.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        segment_video(Interrupting(), clip, out, json_out=listed)
    assert (names(tmp_path), out.read_bytes(), listed.read_bytes()) == before


class Failing(Stub):
    def predict(self, image: NDArray[np.uint8]) -> PanopticPrediction:
        if len(self.sizes) == 5:
            raise RuntimeError("out of memory")
        return super().predict(image)


def test_failure_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        segment_video(Failing(), clip, tmp_path / "new" / "out.mp4", json_out=tmp_path / "new" / "p.json")
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("name", ["out.jpg", "out", "out.gif"])
def test_name_is_that_of_a_video(clip: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"which ends in \.mp4"):
        segment_video(Stub(), clip, tmp_path / name)


def test_only_own_videos_are_replaced(clip: Path, tmp_path: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="is the video that is read"):
        segment_video(Stub(), clip, tmp_path / "." / "clip.mp4")
    (tmp_path / "holiday.mp4").write_bytes(b"someone's")
    with pytest.raises(OutputError, match="no overlay of spatialflow"):
        segment_video(Stub(), clip, tmp_path / "holiday.mp4")
    assert (tmp_path / "holiday.mp4").read_bytes() == b"someone's"
    assert clip.read_bytes() == before


def test_missing_source_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such video"):
        segment_video(Stub(), tmp_path / "none.mp4", tmp_path / "new" / "out.mp4")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of memory")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """300 frames more would be 35 MB, if they or anything of their size were kept."""
    source = write_clip(tmp_path / "long.mp4", moving_square(400, (160, 240)))
    resident: list[float] = []

    def look(done: int, total: int | None) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    segment_video(Stub(), source, tmp_path / "out.mp4", json_out=tmp_path / "p.json", progress=look)
    assert len(resident) == 400
    assert max(resident[-50:]) - max(resident[50:100]) < 8


@pytest.fixture(scope="module")
def predictor() -> sf.Predictor:
    return sf.Predictor(sf.load_model("tiny"))


@pytest.mark.parametrize(
    ("seeds", "length"), [((100,), 40), pytest.param((101, 102, 103), 60, marks=pytest.mark.slow)]
)
def test_ids_are_kept_end_to_end(
    predictor: sf.Predictor, tmp_path: Path, seeds: tuple[int, ...], length: int
) -> None:
    """Generated clips with known ids, through files, the shipped model and the tracker."""
    scores = []
    for seed in seeds:
        frames = list(draw_clip(seed, length))
        source = write_clip(tmp_path / f"{seed}.mp4", [frame.photo for frame in frames])
        listed = tmp_path / f"{seed}.json"
        segment_video(predictor, source, tmp_path / f"{seed}-out.mp4", json_out=listed)
        scores.append(ids_kept(zip([f.ids for f in frames], predicted_things(listed), strict=True)))
    assert np.mean([score.share for score in scores]) >= 0.95, scores
    assert np.mean([score.matched for score in scores]) >= 0.75, scores


def predicted_things(json_path: Path) -> list[NDArray[Any]]:
    things = {category.id for category in CATEGORIES if category.is_thing}
    maps = []
    for entry in json.loads(json_path.read_text())["annotations"]:
        ids = read_id_png(json_path.with_suffix("") / entry["file_name"])
        maps.append(
            np.where(
                np.isin(ids, [s["id"] for s in entry["segments_info"] if s["category_id"] in things]), ids, 0
            )
        )
    return maps


def test_real_video_runs_whole(predictor: sf.Predictor, shared_data: Path, tmp_path: Path) -> None:
    for source in sorted((shared_data / "video").glob("*.mp4")):
        with open_video(parse_source(source)) as video:
            size = video.info.size
            expected = sum(1 for _ in video)
        listed = tmp_path / source.stem / "panoptic.json"
        result = segment_video(predictor, source, tmp_path / source.name, json_out=listed)
        assert result.problem is None
        assert result.frames == expected
        assert probe(result.path)[0] == expected
        assert probe(result.path)[2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert sf.evaluate_pq(listed, listed).all.pq == 1
