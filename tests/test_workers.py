"""Work on several threads: all of it, in order, no more ahead than needed, and its errors."""

import threading
import time
from collections.abc import Iterator

import pytest

from spatialflow.workers import map_in_order


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
