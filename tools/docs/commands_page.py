"""The page of the command line, made of the program itself: what ``--help`` says, as Markdown."""

from collections.abc import Iterator
from typing import Any

import typer.main
from prose import cell, code_cell

from spatialflow.cli.main import app

PROGRAM = "spatialflow"


def commands_page() -> str:
    """Every command, groups before their members."""
    return "\n".join(line for words, command in all_commands() for line in _section(words, command))


def all_commands() -> Iterator[tuple[list[str], Any]]:
    """Words that call each command, and typer's object for it, in the order of the program's help."""
    yield from _walk([PROGRAM], typer.main.get_command(app))


def _walk(words: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
    for name, member in getattr(command, "commands", {}).items():
        yield [*words, name], member
        yield from _walk([*words, name], member)


def _section(words: list[str], command: Any) -> Iterator[str]:
    yield f"{'#' * len(words)} {' '.join(words)}"
    yield ""
    prose, examples = _split_examples(command.help or "")
    yield from (f"{cell(paragraph)}\n" for paragraph in prose)
    if hasattr(command, "commands"):
        for name, member in command.commands.items():
            first, _ = _split_examples(member.help or "")
            yield f"- [`{' '.join([*words, name])}`](#{'-'.join([*words, name])}): {cell(first[0])}"
        yield ""
        return
    yield "```bash"
    yield _usage(words, command)
    yield "```"
    yield ""
    yield from _table("argument", [p for p in command.params if p.param_type_name == "argument"])
    yield from _table("option", [p for p in command.params if p.param_type_name == "option"])
    if examples:
        yield "```bash"
        yield from examples
        yield "```"
        yield ""


def _split_examples(text: str) -> tuple[list[str], list[str]]:
    """Paragraphs of a help text, and the command lines of those that begin with ``Example:``."""
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n") if p.strip()]
    examples = [p.removeprefix("Example:").strip() for p in paragraphs if p.startswith("Example:")]
    return [p for p in paragraphs if not p.startswith("Example:")], examples


def _usage(words: list[str], command: Any) -> str:
    parts = list(words)
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            name += " ..." if parameter.nargs == -1 else ""
            parts.append(name if parameter.required else f"[{name}]")
        elif parameter.required:
            parts.append(f"{parameter.opts[0]} {parameter.metavar}")
    if any(p.param_type_name == "option" and not p.required for p in command.params):
        parts.append("[options]")
    return " ".join(parts)


def _table(kind: str, parameters: list[Any]) -> Iterator[str]:
    shown = [p for p in parameters if not p.hidden]
    if not shown:
        return
    yield f"| {kind} | | default |"
    yield "|---|---|---|"
    for parameter in shown:
        yield f"| {_name(parameter)} | {cell(parameter.help or '')} | {_default(parameter)} |"
    yield ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return code_cell(parameter.metavar or parameter.name.upper())
    names = [*parameter.opts, *parameter.secondary_opts]
    long_first = sorted(names, key=lambda name: not name.startswith("--"))
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(code_cell(f"{name}{value if i == 0 else ''}") for i, name in enumerate(long_first))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default == "" or parameter.nargs == -1:
        return ""
    if parameter.is_flag if parameter.param_type_name == "option" else False:
        return "on" if parameter.default else "off"
    return code_cell(str(parameter.default))
