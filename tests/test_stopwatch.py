"""Stages: heard where somebody listens, and closed whatever happens."""

import pytest

from spatialflow.stopwatch import listening, stage


class Notes:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def enter(self, name: str) -> None:
        self.heard.append(name)

    def leave(self) -> None:
        self.heard.append("/")


def test_stages_are_heard_within_the_block_only() -> None:
    notes = Notes()
    with stage("before"), listening(notes):
        with stage("a"), stage("b"):
            pass
        with pytest.raises(ValueError, match="stop"), stage("c"):
            raise ValueError("stop")
    with stage("after"):
        pass
    assert notes.heard == ["a", "b", "/", "/", "c", "/"]
