import threading
import time
from collections.abc import Iterator

import pytest

from spatialflow.video.threads import Ahead, Behind


def test_items_come_in_order_and_only_a_few_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(50):
            taken.append(n)
            yield n

    got = []
    for n in Ahead(items()):
        time.sleep(0.001)
        got.append(n)
        assert len(taken) - len(got) <= 5
    assert got == list(range(50))


def test_error_of_the_source_comes_after_its_items() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    iterator = iter(Ahead(items()))
    assert next(iterator) == 1
    with pytest.raises(RuntimeError, match="broken"):
        next(iterator)


def test_newest_drops_what_comes_too_fast() -> None:
    go_on, seen = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        seen.wait(5)
        yield from range(1, 10)
        go_on.set()
        time.sleep(0.05)
        yield 10

    ahead = Ahead(items(), newest=True)
    got = []
    for n in ahead:
        got.append(n)
        if n == 0:
            seen.set()
            assert go_on.wait(5)
    assert got == [0, 9, 10]
    assert ahead.dropped == 8


def test_close_ends_a_source_without_end() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    source = items()
    ahead = Ahead(source)
    next(iter(ahead))
    ahead.close()
    source.close()  # would raise if the thread were still in it
    assert closed.is_set()


def test_work_is_done_in_order_before_close_returns() -> None:
    done = []
    behind = Behind(lambda n: (time.sleep(0.001), done.append(n)))
    for n in range(20):
        behind.put(n)
    behind.close()
    assert done == list(range(20))


def test_error_of_the_work_comes_back() -> None:
    def work(n: int) -> None:
        if n == 2:
            raise RuntimeError("full")
        done.append(n)

    done: list[int] = []
    behind = Behind(work)

    def put_many() -> None:
        for n in range(100):
            behind.put(n)
            time.sleep(0.001)

    with pytest.raises(RuntimeError, match="full"):
        put_many()
    behind.stop()
    with pytest.raises(RuntimeError, match="full"):
        behind.close()
    assert done == [0, 1]
