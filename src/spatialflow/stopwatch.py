"""Named stages of the work, so that a benchmark can listen to the very code that predicts.

Where nobody listens, a stage costs a look at one variable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol


class Listener(Protocol):
    """Is told when stages begin and end; a stage may lie within another."""

    def enter(self, name: str) -> None:
        """A stage begins."""

    def leave(self) -> None:
        """The one that began last ends."""


_listener: ContextVar[Listener | None] = ContextVar("_listener", default=None)


class stage:  # noqa: N801  # reads as a statement: with stage("merge"): ...
    """A part of the work, by name: ``with stage("merge"): ...``."""

    __slots__ = ("_heard", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._heard: Listener | None = None

    def __enter__(self) -> None:
        self._heard = _listener.get()
        if self._heard is not None:
            self._heard.enter(self.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the end, whatever it is."""
        if self._heard is not None:
            self._heard.leave()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear of all stages of this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
