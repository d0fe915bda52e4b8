"""YAML -> settings: unknown keys and wrong values are refused, by line."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from sonar_watch.errors import ConfigurationError
from sonar_watch.settings.keys import element_type, key_types, options_of
from sonar_watch.settings.models import Settings
from sonar_watch.settings.plain import PlainLoader

CONFIG_VARIABLE = "SONAR_WATCH_CONFIG"


def load_settings(path: Path | None = None) -> Settings:
    """Return the settings of a file; the defaults when there is none to read.

    Parameters
    ----------
    path : Path, optional
        Else the file that the environment variable SONAR_WATCH_CONFIG names, if it is set.

    Raises
    ------
    ConfigurationError
        The file is missing, is not YAML, or a key or value is wrong; says file, line and key.
    """
    if path is None and CONFIG_VARIABLE in os.environ:
        path = Path(os.environ[CONFIG_VARIABLE])
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: expected UTF-8 text, received the byte {error.object[error.start]:#04x} "
            f"at {error.start}"
        ) from error
    return parse_settings(text, str(path), path.parent)


def parse_settings(text: str, name: str = "settings", base: Path = Path()) -> Settings:
    """Return the settings of a YAML text; relative paths count from `base`.

    Raises
    ------
    ConfigurationError
        As `load_settings`.
    """
    try:
        node = yaml.compose(text, Loader=PlainLoader)
        content = yaml.load(text, Loader=PlainLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: not YAML: {error}") from error
    content = {} if content is None else content
    _refuse_repeated(node, name)
    _refuse_unknown(content, Settings, node, name, ())
    try:
        settings = TypeAdapter(Settings).validate_python(content)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(error, node, name))) from error
    return typing.cast(Settings, _anchor(settings, base))


def _refuse_repeated(node: yaml.Node | None, name: str) -> None:
    """YAML keeps the last of two equal keys without a word: what the first said is lost."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[Any, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"{name}, line {line}: expected a word for a key")
            if key.value in lines:
                raise ConfigurationError(
                    f"{name}, line {line}: {key.value} stands in line {lines[key.value]} already"
                )
            lines[key.value] = line
            _refuse_repeated(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated(item, name)


def _explain(error: ValidationError, node: yaml.Node | None, name: str) -> Iterator[str]:
    for problem in error.errors():
        place = tuple(problem["loc"])
        key = ".".join(str(part) for part in place)
        message = problem["msg"].removeprefix("Value error, ")
        yield (
            f"{name}, line {_line(node, place)}: {key or 'settings'}: {message}, "
            f"received {problem['input']!r}"
        )


def _line(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    """Return the 1-based line of a key; of its nearest parent when it is not there."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if part not in pairs:
                return line
            key, node = pairs[part]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _refuse_unknown(
    content: Any, expected: Any, node: yaml.Node | None, name: str, place: tuple[str | int, ...]
) -> None:
    """Walk the text beside the dataclasses; pydantic would let unknown keys of these pass."""
    inner = element_type(expected)
    if inner is not None and isinstance(content, list):
        for index, item in enumerate(content):
            _refuse_unknown(item, inner, node, name, (*place, index))
        return
    options = options_of(expected)
    if options is None or (content is None and options is not expected):
        return
    if not isinstance(content, Mapping):
        key = ".".join(map(str, place)) or "settings"
        raise ConfigurationError(
            f"{name}, line {_line(node, place)}: {key}: expected keys and values, "
            f"received {content!r}"
        )
    hints = key_types(options)
    for key, value in content.items():
        if key not in hints:
            where = ".".join(map(str, (*place, key)))
            raise ConfigurationError(
                f"{name}, line {_line(node, (*place, key))}: unknown key {where}; "
                f"expected one of {', '.join(sorted(hints))}"
            )
        _refuse_unknown(value, hints[key], node, name, (*place, key))


def _anchor(value: Any, base: Path) -> Any:
    """Return the options with every relative path counted from `base`."""
    if isinstance(value, Path):
        return value if value.is_absolute() else (base / value)
    if isinstance(value, tuple):
        return tuple(_anchor(item, base) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {
            item.name: _anchor(getattr(value, item.name), base)
            for item in dataclasses.fields(value)
            if item.init
        }
        return dataclasses.replace(value, **changed)
    return value
