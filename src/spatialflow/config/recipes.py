"""Recipes: YAML files that name only what differs from the defaults, or from another recipe (``base``)."""

import difflib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from spatialflow.config.schema import Config
from spatialflow.errors import ConfigError


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    folder = resources.files("spatialflow").joinpath("configs")
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(name_or_path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Config:
    """Read a recipe and apply dotted overrides.

    Args:
        name_or_path: a shipped recipe's name (see :func:`recipe_names`) or the path of a YAML file. The path
            in the original's layout, ``configs/spatialflow/NAME.py`` (or ``.yaml``), stands for our recipe of
            that name, unless there is such a YAML file.
        overrides: such as ``"model.backbone=resnet101"``; values are read as YAML.

    Raises:
        ConfigError: unknown recipe or key (the nearest known name is given), or a value out of range.
    """
    name, content = _read_recipe(_shipped_instead(str(name_or_path)))
    return _apply(content, overrides, name)


def _shipped_instead(name: str) -> str:
    """The shipped recipe that a path of the original's layout means; else the name itself."""
    path = Path(name)
    absent = path.suffix == ".py" or (path.suffix == ".yaml" and not path.exists())
    is_theirs = path.parts[-3:-1] == ("configs", "spatialflow")
    return path.stem if absent and is_theirs and path.stem in recipe_names() else name


def override_config(config: Config, overrides: Sequence[str], source: str) -> Config:
    """A config with dotted overrides; ``source`` is what errors call it.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    return _apply(config.model_dump(), overrides, source)


def _apply(content: dict[str, Any], overrides: Sequence[str], source: str) -> Config:
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"override {override!r}: expected key.sub=value without blanks, such as train.lr=0.01"
            )
        try:
            _assign(content, key.split("."), yaml.safe_load(value), override)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"override {override!r}: the value is not valid YAML ({_one_line(error)})"
            ) from error
    return config_from_dict(content, source)


def config_from_dict(content: Mapping[str, Any], source: str) -> Config:
    """Validate a nested dictionary; ``source`` is what errors call it.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error)}") from error


def _read_recipe(name: str, derived: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """The recipe's name for errors, and its content with that of its base under it.

    Args:
        name: of a shipped recipe, or a path.
        derived: the recipes whose base this is, to notice a circle.
    """
    if name in derived:
        raise ConfigError(f"{derived[-1]}: base: {name} is based on this recipe itself; break the circle")
    stem, content = _parse(name)
    base = content.pop("base", None)
    content.setdefault("name", stem)
    if base is not None:
        base = str(base)
        if base not in recipe_names():  # a path, like every path in a file relative to that file
            base = str(Path(name).parent / base)
        content = _merge(_read_recipe(base, (*derived, name))[1], content)
    return name, content


def _parse(name: str) -> tuple[str, dict[str, Any]]:
    """A recipe's short name, and what its file says."""
    known = recipe_names()
    if name in known:
        stem = name
        text = resources.files("spatialflow").joinpath("configs", f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith((".yaml", ".yml")) or Path(name).is_file():
        stem = Path(name).stem
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"{name}: the recipe cannot be read ({reason}); give a YAML file, or one of: "
                f"{', '.join(known)}"
            ) from error
    else:
        if "=" in name:
            raise ConfigError(
                f"{name!r} stands where RECIPE is expected; put one before it: {', '.join(known)}"
            )
        raise ConfigError(f"recipe {name!r} is unknown{_closest(name, known)} (recipes: {', '.join(known)})")
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: is not valid YAML ({_one_line(error)})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: a mapping of sections (model, data, loss, train) is expected")
    return stem, content


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _assign(content: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(f"override {override!r}: {key} is a value, not a section")
    content[keys[-1]] = value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        section: Any = Config
        for part in first["loc"][:-1]:
            section = section.model_fields[str(part)].annotation
        above = "".join(f"{part}." for part in first["loc"][:-1])
        return f"{path} is no known key{_nearest(str(first['loc'][-1]), list(section.model_fields), above)}"
    if first["type"] == "model_type":
        return f"{path}: a section with keys of its own is expected; got {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    if isinstance(first["input"], dict) and first["type"] == "value_error":  # of a section as a whole
        return f"{path}: {message}" if path else message
    return f"{path}: {message}; got {first['input']!r}" if path else message


def _nearest(name: str, known: Sequence[str], above: str = "") -> str:
    return _closest(name, known, above) or f" (known: {', '.join(known)})"


def _closest(name: str, known: Sequence[str], above: str = "") -> str:
    """A question to add to an error; ``above`` goes before what it names."""
    # a name that was not typed to its end; of several the shortest
    close = sorted((other for other in known if other.startswith(name)), key=len)
    close = close or difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {above + close[0]!r}?" if close else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
