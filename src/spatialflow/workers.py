"""Work on many items, on all cores at once, with the results in order."""

import ctypes
import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_ITEMS_A_TASK = 4
_TASKS_A_WORKER = 4
"""Handed out ahead, so that no worker waits for the slowest; bounds what is in memory."""

_KEPT_BYTES = 1 << 24
"""More than any array made of one image; see :func:`_keep_freed_memory`."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""


def map_in_order(
    work: Callable[[T], R], items: Iterable[T], workers: int | None = None
) -> Generator[R, None, None]:
    """Yield ``work(item)`` of each item, in order, computed on ``workers`` threads (default: all cores).

    Threads, not processes: decoding, encoding and counting of images release the interpreter's lock, and
    nothing needs copying. Items are taken as they are needed, so that they, too, may be read one by one.
    Whoever may stop before the end closes the generator, which waits for the threads.

    Raises:
        ValueError: fewer than one worker.
        Exception: whatever ``work`` raises; of several, the first by order.
    """
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers < 1:
        raise ValueError(f"at least one worker is needed, got {workers}")
    return _map_in_order(work, iter(items), workers)


def _map_in_order(work: Callable[[T], R], items: Iterator[T], workers: int) -> Generator[R, None, None]:
    _keep_freed_memory()

    def work_on(some: list[T]) -> list[R]:
        return [work(item) for item in some]

    tasks = iter(lambda: list(itertools.islice(items, _ITEMS_A_TASK)), [])
    pool = ThreadPoolExecutor(workers)
    try:
        running: deque[Future[list[R]]] = deque()
        for task in itertools.islice(tasks, workers * _TASKS_A_WORKER):
            running.append(pool.submit(work_on, task))
        while running:
            yield from running.popleft().result()
            for task in itertools.islice(tasks, 1):
                running.append(pool.submit(work_on, task))
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_freed_memory() -> None:
    """Let the C library reuse the memory of one image's arrays for the next instead of giving it back.

    glibc hands large freed blocks to the operating system, and each new page costs a fault: on virtual
    machines more time than the work itself. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 4 * _KEPT_BYTES)
