"""The page of all settings, made of ``config/schema.py``: key, default and what it is for."""

from collections.abc import Iterator
from typing import Any

import griffe
import yaml
from prose import cell, code_cell
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from spatialflow.config import Config


def settings_page() -> str:
    """A table for each section of the configuration."""
    return "\n".join(_section("", Config, griffe.load("spatialflow.config.schema")))


def _section(prefix: str, section: type[BaseModel], source: Any) -> Iterator[str]:
    documented = source.members[section.__name__]
    yield f"## {prefix or 'name'}"
    yield ""
    if prefix:
        yield cell(documented.docstring.value.replace("``", "`"))
        yield ""
    fields = section.model_fields.items()
    plain = [(name, field) for name, field in fields if not _is_section(field)]
    if plain:
        yield "| key | default | |"
        yield "|---|---|---|"
        for name, field in plain:
            note = documented.members[name].docstring
            key = f"{prefix}.{name}" if prefix else name
            text = cell(note.value.replace("``", "`")) if note else ""
            yield f"| {code_cell(key)} | {code_cell(_written(field))} | {text} |"
        yield ""
    for name, field in fields:
        if _is_section(field):
            assert isinstance(field.annotation, type)
            yield from _section(f"{prefix}.{name}" if prefix else name, field.annotation, source)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _written(field: FieldInfo) -> str:
    """The default as one would write it at the end of a command."""
    text = yaml.safe_dump(_lists(field.default), default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip()


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, tuple) else value
