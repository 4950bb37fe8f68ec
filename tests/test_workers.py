"""Work on several threads or processes: all of it, in order, no more ahead than needed, and its errors."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from spatialflow.errors import DataError, SpatialFlowError
from spatialflow.workers import map_in_order, map_in_processes


@pytest.mark.parametrize("workers", [1, 2, 7, None])
@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_order(count: int, workers: int | None) -> None:
    def work(i: int) -> int:
        time.sleep(0.002 * (i % 3 == 0))
        return i * i

    assert list(map_in_order(work, range(count), workers)) == [i * i for i in range(count)]


def test_several_at_once() -> None:
    """Eight items make two tasks; each waits until both run."""
    meet = threading.Barrier(2, timeout=20)
    assert len(set(map_in_order(lambda i: meet.wait() * 0 + threading.get_ident(), range(8), 2))) == 2


def test_items_are_taken_as_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(10_000):
            taken.append(i)
            yield i

    results = map_in_order(lambda i: i, items(), workers=2)
    assert next(results) == 0
    assert len(taken) < 100


def test_the_first_error_by_order() -> None:
    def work(i: int) -> int:
        if i in (6, 30):
            time.sleep(0.01 * (i == 6))
            raise ValueError(str(i))
        return i

    done = []
    with pytest.raises(ValueError, match=r"^6$"):
        done.extend(map_in_order(work, range(50), 4))
    with pytest.raises(ValueError, match="at least one worker"):
        map_in_order(work, [1], 0)


def test_closing_waits_for_the_threads() -> None:
    running: set[int] = set()

    def work(i: int) -> int:
        running.add(i)
        time.sleep(0.01)
        running.discard(i)
        return i

    results = map_in_order(work, range(1000), workers=3)
    assert next(results) == 0
    results.close()
    assert not running


# ---- processes ----------------------------------------------------------------------------------------

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")


@on_linux
def test_processes_keep_the_order_and_take_functions_inside_others() -> None:
    offset = 100

    def work(item: int) -> tuple[int, int]:
        time.sleep(0.01 * (item % 3))
        return item + offset, os.getpid()

    found = list(map_in_processes(work, iter(range(30)), 2))
    assert [value for value, _ in found] == list(range(100, 130))
    pids = {pid for _, pid in found}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_one_process_is_this_one() -> None:
    assert set(map_in_processes(lambda item: os.getpid(), range(9), 1)) == {os.getpid()}


@on_linux
def test_the_first_error_of_processes_by_order() -> None:
    def work(item: int) -> int:
        if item in (5, 6):
            raise DataError(f"item {item}: is wrong")
        return item

    done = []
    with pytest.raises(DataError, match="item 5: is wrong"):
        done.extend(map_in_processes(work, range(40), 2))
    assert done == [0, 1, 2, 3]  # whole tasks before it


@on_linux
def test_a_killed_process_is_told() -> None:
    def work(item: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(SpatialFlowError, match="a worker process was killed"):
        list(map_in_processes(work, range(8), 2))


@on_linux
def test_processes_end_with_the_generator() -> None:
    items = iter(range(1000))
    found = map_in_processes(lambda item: os.getpid(), items, 2)
    pid = next(found)
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert next(items) < 100  # no more were taken than were to be worked on next
