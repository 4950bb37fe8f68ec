"""What the command line writes: results and notes to standard output, errors to standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

output = Console()
errors = Console(stderr=True)


def say(line: str) -> None:
    """One line of standard output, as it is: no markup, never wrapped."""
    output.print(_printable(line), markup=False, highlight=False, soft_wrap=True)


def _printable(text: str) -> str:
    """With escapes for what is no text: file names in another encoding, and what controls a terminal."""
    shown = text.encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in shown)


def complain(kind: str, message: str, style: str) -> None:
    """One line of standard error that begins with ``kind``, coloured in a terminal."""
    line = _printable(" ".join(message.split()))
    errors.print(Text.assemble((f"{kind}:", style), f" {line}"), soft_wrap=True)


@contextmanager
def progress(*titles: str, shown: bool = True) -> Iterator[list[Callable[[int, int], None]]]:
    """Bars, each shown once its work begins; yields a function (done, total) for each.

    Nothing is shown if standard error is no terminal, or if ``shown`` is false.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not (shown and errors.is_terminal)) as bars:
        tasks = [bars.add_task(title, total=None, visible=False) for title in titles]

        def shower(task: int) -> Callable[[int, int], None]:
            # TaskID is an int with a name of its own
            return lambda done, total: bars.update(task, completed=done, total=total, visible=True)  # type: ignore[arg-type]

        yield [shower(task) for task in tasks]


@contextmanager
def one_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A single bar; see :func:`progress`."""
    with progress(title) as (show,):
        yield show
