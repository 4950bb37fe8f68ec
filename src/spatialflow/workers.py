"""Work on many items, on all cores at once, with the results in order."""

import ctypes
import itertools
import multiprocessing
import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from spatialflow.errors import SpatialFlowError

T = TypeVar("T")
R = TypeVar("R")

_ITEMS_A_TASK = 4
_TASKS_A_WORKER = 4
"""Handed out ahead, so that no worker waits for the slowest; bounds what is in memory."""

_KEPT_BYTES = 1 << 24
"""More than any array made of one image; see :func:`_keep_freed_memory`."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""


def number_of_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    workers = _number(workers)

    def work_on(some: list[T]) -> list[R]:
        return [work(item) for item in some]

    return _map_in_order(ThreadPoolExecutor(workers), work_on, iter(items), workers)


def map_in_processes(
    work: Callable[[T], R], items: Iterable[T], workers: int | None = None
) -> Generator[R, None, None]:
    """As :func:`map_in_order`, but in processes where these begin at once, by a fork, as on Linux.

    For work that keeps the interpreter's lock, so that threads would wait for each other. It must change
    nothing that the caller looks at; items and results are copied between the processes.

    Raises:
        ValueError: fewer than one worker.
        SpatialFlowError: a process was killed.
        Exception: whatever ``work`` raises; of several, the first by order.
    """
    workers = _number(workers)
    if not sys.platform.startswith("linux") or workers == 1:
        return map_in_order(work, items, workers)
    return _map_by_fork(work, items, workers)


def _map_by_fork(work: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R, None, None]:
    _keep_freed_memory()  # before the fork, for the children
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("fork"), initializer=cv2.setNumThreads, initargs=(0,)
    )
    with _FORKING, warnings.catch_warnings():
        # Newer versions of Python warn of a fork beside threads; ours draw progress bars, no child does
        warnings.simplefilter("ignore", DeprecationWarning)
        _INHERITED[:] = [work]
        pool.submit(int).result()  # starts all of them
    try:
        yield from _map_in_order(pool, _work_inherited, iter(items), workers)
    except BrokenProcessPool as error:
        raise SpatialFlowError(
            "a worker process was killed, perhaps for want of memory; try again with fewer (--workers)"
        ) from error


_FORKING = threading.Lock()
_INHERITED: list[Callable[[Any], Any]] = []
"""What processes that are forked now are to do: functions inside others cannot be sent to them."""


def _work_inherited(some: list[Any]) -> list[Any]:
    return [_INHERITED[0](item) for item in some]


def _number(workers: int | None) -> int:
    workers = number_of_cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"at least one worker is needed, got {workers}")
    return workers


def _map_in_order(
    pool: Executor, work_on: Callable[[list[T]], list[R]], items: Iterator[T], workers: int
) -> Generator[R, None, None]:
    _keep_freed_memory()
    tasks = iter(lambda: list(itertools.islice(items, _ITEMS_A_TASK)), [])
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
