"""The commented default file, written from the options' own docstrings: neither can drift."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from sonar_watch.settings.keys import element_type, key_types, options_of
from sonar_watch.settings.models import Settings


def commented_defaults() -> str:
    """Return a YAML file of every key with its default and meaning."""
    lines = [
        "# Settings of sonar-watch: every key with its default. Relative paths count from the",
        "# folder of this file. `sonar-watch check-config FILE` says what is wrong, by line.",
        "",
    ]
    return "\n".join([*lines, *_section(Settings, 0)]) + "\n"


def _section(options: Any, depth: int) -> Iterator[str]:
    indent, meanings = "  " * depth, _meanings(options)
    hints = key_types(options)
    for item in dataclasses.fields(options):
        element = element_type(hints[item.name])
        nested = hints[item.name] if dataclasses.is_dataclass(hints[item.name]) else None
        meaning = _summary(nested) if nested else meanings.get(item.name, "")
        yield from (f"{indent}# {line}" for line in _wrap(meaning, 96 - 2 * depth))
        if nested:
            yield f"{indent}{item.name}:"
            yield from _section(nested, depth + 1)
            if depth == 0:
                yield ""
        elif element:
            yield f"{indent}{item.name}: []"
            yield from (f"{indent}#{line}" for line in _example(element))
        else:
            yield f"{indent}{item.name}: {_as_yaml(item)}"
            if optional := options_of(hints[item.name]):
                yield from (f"{indent}#   {line}" for line in _section(optional, 0))


def _example(element: Any) -> Iterator[str]:
    """Yield one list entry, commented out."""
    first = True
    for line in _section(element, 0):
        if line.startswith("#"):
            yield f"     {line}"
        elif line:
            yield f"   {'-' if first else ' '} {line}"
            first = False


def _as_yaml(item: dataclasses.Field[Any]) -> str:
    missing = dataclasses.MISSING
    value = item.default if item.default is not missing else None
    if item.default_factory is not missing:
        value = item.default_factory()
    plain = json.loads(json.dumps(value, default=str))
    text: str = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")


def _summary(options: Any) -> str:
    return (options.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _meanings(options: Any) -> dict[str, str]:
    """Return what the numpydoc "Parameters" of an options dataclass say, by key."""
    meanings: dict[str, str] = {}
    names: list[str] = []
    after = (options.__doc__ or "").partition("----------\n")[2]
    for line in after.split("\n    Raises")[0].splitlines():
        head = re.fullmatch(r"    (\w[\w, ]*?)(?: : (.*))?", line)
        if head:
            names = [name.strip() for name in head[1].split(",")]
            meanings.update(dict.fromkeys(names, f"({head[2]})" if head[2] else ""))
        elif line.strip() and names:
            meanings.update({name: f"{meanings[name]} {line.strip()}".strip() for name in names})
    return meanings


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(re.sub(r"\s+", " ", text), width)
