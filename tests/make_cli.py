"""The commands, run in the test's own process."""

from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]
"""Takes the arguments after the program's name, of any type."""
