"""First come, first served."""

import threading
import time

import pytest

from spatialflow.web.turns import Turns


def test_those_who_wait_go_in_order_and_before_who_comes_again() -> None:
    turns, order = Turns(), []

    def visit(name: str) -> None:
        with turns:
            order.append(name)

    threads = [threading.Thread(target=visit, args=(name,)) for name in "abc"]
    with turns:
        for thread in threads:
            before = len(turns._waiting)
            thread.start()
            while len(turns._waiting) == before:
                time.sleep(0.001)
    with turns:
        order.append("again")
    for thread in threads:
        thread.join(5)
    assert order == ["a", "b", "c", "again"]


def test_one_at_a_time_also_after_an_error() -> None:
    turns, inside, most = Turns(), 0, 0

    def visit() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turns:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=visit) for _ in range(4)]
    with pytest.raises(ZeroDivisionError), turns:
        1 / 0  # noqa: B018
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
