"""Reading the next photos while the network computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def ahead(work: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[Iterator[Future[R]]]:
    """Yield ``work(item)`` of each item in order, with the next ``depth`` of them done in a thread meanwhile.

    Not :func:`spatialflow.workers.map_in_order`, which keeps dozens of results: photos may be large. Futures
    rather than results, so that one photo that cannot be read need not end the others.

    Args:
        work: reads one item.
        items: taken in the caller's thread, as they are needed.
        depth: items that wait, read, at most.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        waiting = deque[Future[R]]()

        def results() -> Iterator[Future[R]]:
            waiting.extend(reader.submit(work, item) for item in islice(source, depth))
            while waiting:
                first = waiting.popleft()
                first.exception()  # done, before the next is begun: depth is what bounds memory
                waiting.extend(reader.submit(work, item) for item in islice(source, 1))
                yield first
                del first

        try:
            yield results()
        finally:
            reader.shutdown(cancel_futures=True)
