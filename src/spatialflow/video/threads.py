"""Reading ahead and writing behind on threads of their own, with few frames under way at any time."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_UNDER_WAY = 3
"""Frames that wait at most; of 4K video each takes 25 MB."""


class _End:
    """Comes after the last item, with what ended the work, if anything."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Ahead(Generic[T]):
    """The items of an iterable, taken on another thread before they are asked for.

    Args:
        items: iterated on the other thread; what it raises, the iteration raises here.
        newest: hand out the newest item only, and drop those that came while nobody asked: for live sources,
            which must be emptied all the time.
    """

    def __init__(self, items: Iterable[T], newest: bool = False) -> None:
        self.dropped = 0
        """Items that were dropped so far."""
        self._newest = newest
        self._queue: queue.Queue[T | _End] = queue.Queue(1 if newest else _UNDER_WAY)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def close(self) -> None:
        """Take no more items, and wait for the thread."""
        self._stopped.set()
        self._empty()
        self._thread.join()  # reading has a timeout of its own

    def _run(self, items: Iterable[T]) -> None:
        end = _End()
        try:
            for item in items:
                if self._stopped.is_set():
                    return
                if self._newest:
                    self.dropped += self._empty()
                self._put(item)
        except BaseException as error:  # handed over to whoever iterates
            end = _End(error)
        self._put(end)

    def _put(self, item: T | _End) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def _empty(self) -> int:
        """Throw away what waits; the number of items."""
        count = 0
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return count
            count += 1


class Behind(Generic[T]):
    """Does work on items on another thread, one after the other.

    Args:
        work: called there; what it raises, the next :meth:`put` or :meth:`close` raises here.
    """

    def __init__(self, work: Callable[[T], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._queue: queue.Queue[T | _End] = queue.Queue(_UNDER_WAY)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand an item over; waits if the work falls behind."""
        self._raise()
        self._queue.put(item)

    def close(self) -> None:
        """Wait until everything is done."""
        self.stop()
        self._raise()

    def stop(self) -> None:
        """The same, but silent about errors; again does nothing."""
        if self._thread.is_alive():
            self._queue.put(_End())
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while not isinstance(item := self._queue.get(), _End):
            if self._error is None:  # after an error items are only taken, so that nobody waits
                try:
                    self._work(item)
                except BaseException as error:  # raised by put or close
                    self._error = error
