"""The ``spatialflow`` program: its commands, and how its errors are told."""

import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from spatialflow.cli import commands, convert, data, view
from spatialflow.cli.console import complain, errors, say
from spatialflow.cli.evaluate import evaluate
from spatialflow.cli.predict import predict
from spatialflow.cli.serve import serve
from spatialflow.errors import SpatialFlowError

app = typer.Typer(
    name="spatialflow",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    commands.demo,
    commands.train,
    evaluate,
    predict,
    commands.pq,
    serve,
):
    app.command()(command)

data.app.command()(view.view)
app.add_typer(convert.app, name="convert")
app.add_typer(data.app, name="data")


def _flowing(text: str) -> str:
    """Paragraphs without the line ends of the source, which typer would keep."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


for each in (app, convert.app, data.app):
    for registered in each.registered_commands:
        registered.help = _flowing(getattr(registered.callback, "__doc__", None) or "")

# typer exports only one of its usage errors; this is what all of them have in common
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

INTERRUPTED = 130
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
"""What an operating system says when a file cannot grow."""


@app.callback()
def spatialflow(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Panoptic segmentation with SpatialFlow: train, evaluate, predict."""
    if version:
        say(f"spatialflow {version_of('spatialflow')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process.

    Exit code 0: done. 1: done, but some images were skipped, or ``data check`` found errors. 2: the user's
    mistake, told in one line on standard error. 130: interrupted.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: without the program's name; by default those of the process.
    """
    _show_notes()
    try:
        code = app(arguments, prog_name=app.info.name, standalone_mode=False)
    except SpatialFlowError as error:
        return _fail(str(error))
    except _UsageError as error:
        return _fail(_describe(error))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return _fail(
                f"{error.filename or 'a file'}: {error.strerror}; change its permissions, or choose another"
            )
        if error.errno not in _WRITING:
            raise
        reason = f"cannot be written ({error.strerror}); free some space and run the command again"
        return _fail(f"{error.filename or 'output'}: {reason}")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # newer versions of typer answer Ctrl+C by this code themselves
        errors.print("interrupted")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    complain("error", message, "bold red")
    return 2


def _describe(error: Exception) -> str:
    """A wrong use of the command line in one line, with the way to the right one."""
    context = getattr(error, "ctx", None)
    program = context.command_path if context else app.info.name
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{message.rstrip('.')}; see `{program} --help`"


class _Notes(logging.Handler):
    """What the package logs goes to standard output: standard error is for errors and progress."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        say(f"note: {record.getMessage()}")


def _show_notes() -> None:
    """Show our own notes, and of several processes only those of the first."""
    logger = logging.getLogger("spatialflow")
    if not logger.handlers:
        logger.addHandler(_Notes())
    logger.setLevel(logging.INFO if os.environ.get("LOCAL_RANK", "0") == "0" else logging.ERROR)
