"""The page's events, without the page."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from make_web import draw_photos
from spatialflow.checkpoints import load_model
from spatialflow.inference import Predictor
from spatialflow.structures import PanopticPrediction
from spatialflow.web.actions import Actions
from spatialflow.web.engine import Engine, Look, Thresholds
from spatialflow.web.limits import Limits


@pytest.fixture
def photo(tmp_path: Path) -> dict[str, str]:
    return {"path": str(draw_photos(tmp_path, 1)[0])}


@pytest.fixture
def actions(tmp_path: Path) -> Actions:
    return Actions(Engine(Predictor(load_model("tiny"), "cpu", "fp32")), Limits(), tmp_path / "results")


def test_a_slider_does_not_wait_for_the_network(actions: Actions, photo: dict[str, str]) -> None:
    html, ticket, *_ = actions.look(photo, None, 0.33, 0.37)
    with actions.engine._network:  # somebody else's photo
        other = threading.Thread(target=actions.look, args=(photo, None, 0.33, 0.37))
        other.start()
        changed, *_ = actions.merge_again(ticket, 0.95, 0.37)
        assert other.is_alive()
    other.join(30)
    assert changed != html
    assert actions.merge_again(ticket, 0.33, 0.37)[0] == html


def test_a_threshold_that_moves_while_the_network_runs_counts(
    actions: Actions, photo: dict[str, str]
) -> None:
    _, ticket, *_ = actions.look(photo, None, 0.33, 0.37)
    strict, *_ = actions.merge_again(ticket, 0.95, 0.37)
    _, ticket, *_ = actions.look(photo, ticket, 0.33, 0.37)
    assert actions.catch_up(ticket, 0.95, 0.37)[0] == strict
    assert not isinstance(actions.catch_up(ticket, 0.95, 0.37)[0], str)  # once is enough
    assert not isinstance(actions.catch_up(None, 0.5, 0.37)[0], str)


def test_an_earlier_photo_can_be_merged_until_the_next_one_is_there(
    actions: Actions, photo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, *_ = actions.look(photo, None, 0.33, 0.37)
    during: list[object] = []
    look = actions.engine.look

    def at_work(path: Path) -> Look:
        during.append(actions.merge_again(first, 0.95, 0.37)[0])
        return look(path)

    monkeypatch.setattr(actions.engine, "look", at_work)
    _, second, *_ = actions.look(photo, first, 0.33, 0.37)
    assert isinstance(during[0], str)
    assert list(actions.engine._looks) == [second]


def test_a_merge_that_is_overtaken_shows_nothing(
    actions: Actions, photo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ticket, *_ = actions.look(photo, None, 0.33, 0.37)
    merge = actions.engine.merge
    meanwhile: list[Callable[[], object]] = []

    def overtaken(look: Look, thresholds: Thresholds) -> PanopticPrediction:
        if meanwhile:
            meanwhile.pop()()
        return merge(look, thresholds)

    monkeypatch.setattr(actions.engine, "merge", overtaken)
    assert isinstance(actions.merge_again(ticket, 0.5, 0.37)[0], str)
    meanwhile.append(lambda: actions.merge_again(ticket, 0.95, 0.37))  # by the other slider
    assert not isinstance(actions.merge_again(ticket, 0.5, 0.37)[0], str)
    meanwhile.append(lambda: actions.engine.drop(ticket))  # by another photo
    assert not isinstance(actions.merge_again(ticket, 0.5, 0.37)[0], str)


def test_files_are_those_of_what_was_shown_last(actions: Actions, photo: dict[str, str]) -> None:
    _, ticket, *buttons = actions.look(photo, None, 0.33, 0.37)
    assert not any(button.interactive for button in buttons)
    first = [button.value["path"] for button in actions.write(ticket)]
    actions.merge_again(ticket, 0.95, 0.37)
    second = [button.value["path"] for button in actions.write(ticket)]
    assert len(set(first + second)) == 6
    assert Path(first[0]).read_bytes() != Path(second[0]).read_bytes()


def test_a_photo_that_goes_is_forgotten(actions: Actions, photo: dict[str, str]) -> None:
    _, ticket, *_ = actions.look(photo, None, 0.33, 0.37)
    html, none, *_ = actions.look(None, ticket, 0.33, 0.37)
    assert none is None
    assert "sf-empty" in html
    assert not actions.engine._looks


def test_a_stopped_server_waits_for_those_at_work(actions: Actions, photo: dict[str, str]) -> None:
    import gradio as gr

    order: list[str] = []

    def visit() -> None:
        with actions.engine.at_work():
            begun.set()
            go_on.wait(10)
            order.append("done")

    begun, go_on = threading.Event(), threading.Event()
    visitor = threading.Thread(target=visit)
    visitor.start()
    begun.wait(10)
    threading.Timer(0.2, go_on.set).start()
    actions.engine.end()
    order.append("ended")
    visitor.join(10)
    assert order == ["done", "ended"]
    with pytest.raises(gr.Error, match="server: is being stopped"):
        actions.predict(photo, 0.33, 0.37)
