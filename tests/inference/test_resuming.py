"""Runs that were interrupted, or killed at any moment, and go on."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from make_data import write_photo
from make_training import easy_image
from spatialflow.errors import OutputError
from spatialflow.inference.folder import FolderResult, find_photos, predict_folder
from spatialflow.inference.predictor import Predictor
from spatialflow.inference.tiles import Tiling
from spatialflow.staging import JOURNAL
from spatialflow.training.run import TrainResult

COUNT = 6


class Counting(Predictor):
    """Says how many photos it was asked for, and may stop the run at one."""

    def __init__(
        self, predictor: Predictor, stop_at: int = 0, stop: Callable[[], None] = lambda: None
    ) -> None:
        self.__dict__.update(predictor.__dict__)
        self.asked = 0
        self.stop_at, self.stop = stop_at, stop

    def segment_photos(self, *arguments, **options):  # type: ignore[no-untyped-def]
        """As the predictor's."""
        self.asked += 1
        if self.asked == self.stop_at:
            self.stop()
        return super().segment_photos(*arguments, **options)


@pytest.fixture(scope="module")
def predictor(trained: TrainResult) -> Predictor:
    return Predictor(trained.model, "cpu", "fp32")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    for i in range(COUNT):
        write_photo(folder / f"{i // 2}" / f"x{i % 2}.png", easy_image(str(i), i, (48 + i, 64)))
    (folder / "1" / "x0.png").write_text("no photo")  # the names of those after it depend on that
    return find_photos([str(folder / "*" / "*.png")])


def files(out: Path) -> dict[str, bytes]:
    """All files, hidden ones included."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture
def expected(predictor: Predictor, photos: list[Path], tmp_path: Path) -> dict[str, bytes]:
    """The files of a run that nothing disturbed."""
    predict_folder(predictor, photos, tmp_path / "undisturbed")
    return files(tmp_path / "undisturbed")


def interrupted(predictor: Predictor, photos: list[Path], out: Path, at: int, **options: bool) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_folder(Counting(predictor, at, stop), photos, out, **options)


def resumed(predictor: Predictor, photos: list[Path], out: Path, **options: bool) -> tuple[int, FolderResult]:
    counting = Counting(predictor)
    result = predict_folder(counting, photos, out, resume=True, **options)
    return counting.asked, result


def killed(predictor: Predictor, photos: list[Path], out: Path, at: int, resume: bool = False) -> None:
    """As by ``kill -9``, in a process of its own: nothing is tidied up."""
    child = os.fork()
    if child == 0:
        try:
            counting = Counting(predictor, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            predict_folder(counting, photos, out, resume=resume)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("at", [1, 2, 4])
def test_interrupted_and_resumed_is_as_undisturbed(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path, at: int
) -> None:
    out = tmp_path / "out"
    interrupted(predictor, photos, out, at)
    asked, result = resumed(predictor, photos, out)
    assert (asked, result.taken, result.done) == (COUNT - at, at - 1, COUNT - 1)
    assert len(result.failed) == 1
    assert files(out) == expected


def test_an_interrupted_run_leaves_an_earlier_result_and_can_go_on(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_folder(predictor, photos[:1], out)
    before = files(out)
    interrupted(predictor, photos, out, 4)
    assert {name: content for name, content in files(out).items() if not name.startswith(".")} == before
    asked, result = resumed(predictor, photos, out)
    assert (asked, result.taken) == (COUNT - 4, 3)
    assert files(out) == expected


def test_a_resumed_run_that_is_interrupted_shows_all_that_is_done(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_folder(predictor, photos, out)
    os.utime(photos[0])
    os.utime(photos[4])
    interrupted(predictor, photos, out, 2, resume=True)  # in photo 4, with the last one not looked at
    assert len(json.loads((out / "panoptic.json").read_text())["annotations"]) == COUNT - 2
    asked, _ = resumed(predictor, photos, out)
    assert asked == 1
    content = files(out)
    assert content.pop("panoptic.json") != expected.pop("panoptic.json")  # for the times of change
    assert content == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork of this process")
def test_killed_and_resumed_is_as_undisturbed(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed(predictor, photos, out, 3)
    assert not (out / "panoptic.json").exists()
    killed(predictor, photos, out, 2, resume=True)
    (journal, *_) = sorted(out.glob(f".*/{JOURNAL}"))
    with journal.open("a") as file:
        file.write('{"photo": ["x1.png", 12')  # a line that was being written
    asked, result = resumed(predictor, photos, out)
    assert (asked, result.taken) == (2, 3)
    assert files(out) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork of this process")
def test_killed_while_the_result_appears(
    predictor: Predictor,
    photos: list[Path],
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    moved = []
    replace = Path.replace

    def move(self: Path, target: Path) -> Path:
        if Path(target).parent.name == "panoptic" and Path(target).parent.parent == out:
            moved.append(target)
            if len(moved) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", move)
        killed(predictor, photos, out, COUNT + 1)
    assert len(list((out / "panoptic").iterdir())) == 2
    asked, result = resumed(predictor, photos, out)
    assert (asked, result.taken) == (0, COUNT - 1)
    assert files(out) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork of this process")
def test_without_resume_a_killed_run_is_forgotten(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed(predictor, photos, out, 3)
    counting = Counting(predictor)
    predict_folder(counting, photos, out)
    assert counting.asked == COUNT - 1
    assert files(out) == expected


def test_what_is_done_again(predictor: Predictor, photos: list[Path], tmp_path: Path) -> None:
    """What is new, changed, damaged, or lacks its picture."""
    out = tmp_path / "out"
    predict_folder(predictor, photos[:4], out, overlay=False)
    assert resumed(predictor, photos[:4], out, overlay=False)[0] == 0
    assert resumed(predictor, photos, out, overlay=False)[0] == 2
    os.utime(photos[1], ns=(0, 0))
    assert resumed(predictor, photos, out, overlay=False)[0] == 1
    png = out / "panoptic" / "x0.png"
    content = png.read_bytes()
    png.unlink()
    png.write_bytes(content[: len(content) // 2])
    assert resumed(predictor, photos, out, overlay=False)[0] == 1
    assert png.read_bytes() == content
    assert resumed(predictor, photos, out)[0] == COUNT - 1
    assert resumed(predictor, photos, out, overlay=False)[0] == 0
    assert not (out / "overlay").exists() or not list((out / "overlay").iterdir())


def test_photos_that_are_alike_but_for_their_content(predictor: Predictor, tmp_path: Path) -> None:
    """As two cameras write them, or an archive that knows only seconds: same name, size and time."""
    found = [tmp_path / camera / "1.bmp" for camera in ("left", "right")]
    for i, photo in enumerate(found):
        write_photo(photo, easy_image(str(i), i, (48, 64)))
        os.utime(photo, (1, 1))
    out = tmp_path / "out"
    predict_folder(predictor, found, out)
    before = files(out)
    assert before["panoptic/1.png"] != before["panoptic/1-2.png"]
    asked, result = resumed(predictor, found, out)
    assert (asked, result.taken) == (0, 2)
    assert files(out) == before
    resumed(predictor, found[:1], out)
    assert files(out)["panoptic/1.png"] == before["panoptic/1.png"]
    resumed(predictor, found, out)
    assert files(out) == before


def test_what_is_done_is_not_lost_to_a_file_in_the_way(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    foreign = tmp_path / "out" / "panoptic" / "x1.png"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"somebody's")
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"x1\.png: is of no earlier result .*; remove it"):
            predict_folder(predictor, photos, tmp_path / "out", resume=resume)
        assert foreign.read_bytes() == b"somebody's"
    foreign.unlink()
    asked, result = resumed(predictor, photos, tmp_path / "out")
    assert (asked, result.taken) == (0, COUNT - 1)
    assert files(tmp_path / "out") == expected


def test_names_are_those_of_the_new_list(
    predictor: Predictor, photos: list[Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    """Files and ids of the earlier run's photos change with what is listed before them."""
    out = tmp_path / "out"
    predict_folder(predictor, photos[4:], out)
    assert sorted(p.name for p in (out / "panoptic").iterdir()) == ["x0.png", "x1.png"]
    asked, result = resumed(predictor, photos, out)
    assert (asked, result.taken) == (3, 2)
    assert files(out) == expected


def test_of_another_model_or_other_settings_nothing_is_taken(
    trained: TrainResult, predictor: Predictor, photos: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_folder(predictor, photos[:2], out)
    before = files(out)
    for other, tiling, what in (
        (Predictor(trained.model, "cpu", "bf16"), None, r"precision \(fp32, now bf16\)"),
        (Predictor(trained.model, "cpu", "fp32", tta=True), None, r"augmentation \(no, now yes\)"),
        (predictor, Tiling(64), r"tiles \(none, now 64 pixels, overlapping by 0.25\)"),
    ):
        with pytest.raises(
            OutputError, match=f"panoptic.json: an earlier run was made otherwise: .*{what}; leave"
        ):
            predict_folder(other, photos, out, tiling=tiling, resume=True)
    assert files(out) == before
    edited = json.loads((out / "panoptic.json").read_text())
    del edited["run"]
    (out / "panoptic.json").write_text(json.dumps(edited))
    with pytest.raises(OutputError, match="does not say how it was made"):
        predict_folder(predictor, photos, out, resume=True)


def test_settings_tell_models_apart(trained: TrainResult, predictor: Predictor) -> None:
    assert Predictor(trained.model, "cpu", "fp32").settings == predictor.settings
    other = Predictor(trained.model, "cpu", "fp32")
    next(other._model.parameters()).data.mul_(1.5)
    assert other.settings["weights"] != predictor.settings["weights"]
    merge = trained.model.config.model.merge.model_copy(update={"stuff_area": 7})
    model = trained.model.config.model.model_copy(update={"merge": merge})
    other.config = trained.model.config.model_copy(update={"model": model})
    del other.settings
    assert other.settings["configuration"] != predictor.settings["configuration"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_the_command_killed_at_any_moment(photos: list[Path], weights: Path, tmp_path: Path) -> None:
    out, command = tmp_path / "out", [sys.executable, "-m", "spatialflow", "predict", *map(str, photos)]
    command += ["-c", str(weights), "--out", str(out), "--device", "cpu"]
    undisturbed = [*command[:-3], str(tmp_path / "whole"), "--device", "cpu"]
    subprocess.run(undisturbed, check=False, capture_output=True)
    slow = textwrap.dedent("""
        import sys, time
        from spatialflow.cli.main import run
        from spatialflow.inference.predictor import Predictor
        quick = Predictor.segment_photos
        def slow(*a, **k):
            time.sleep(0.3)
            return quick(*a, **k)
        Predictor.segment_photos = slow
        run(sys.argv[1:])
    """)
    process = subprocess.Popen([sys.executable, "-c", slow, *command[3:]])
    while not sum(len(j.read_text().splitlines()) > 2 for j in out.glob(f".*/{JOURNAL}")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    done = subprocess.run([*command, "--resume"], check=False, capture_output=True, text=True)
    assert done.returncode == 1  # for the one that is no photo
    assert "of them by an earlier run" in done.stdout
    assert files(out) == files(tmp_path / "whole")
