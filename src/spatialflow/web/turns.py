"""A lock whose holders come in the order in which they asked."""

import threading
from collections import deque
from types import TracebackType


class Turns:
    """Lets one in at a time, first come, first served.

    A plain lock may let a loop that takes it again and again, such as that over a clip's frames, go before
    those that have waited for long.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        """Wait for one's turn."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            called = threading.Event()
            self._waiting.append(called)
        called.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Call the next one."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()  # it stays taken, by the next one
            else:
                self._is_taken = False
