"""The keys an options dataclass takes, and their types."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any


def key_types(options: Any) -> dict[str, Any]:
    """Return the type of every key of an options dataclass."""
    hints = typing.get_type_hints(options)
    return {item.name: hints[item.name] for item in dataclasses.fields(options) if item.init}


def element_type(hint: Any) -> Any:
    """Return X of `tuple[X, ...]` where X is a dataclass, else None."""
    arguments = typing.get_args(hint)
    if len(arguments) == 2 and arguments[1] is Ellipsis and dataclasses.is_dataclass(arguments[0]):
        return arguments[0]
    return None


def options_of(hint: Any) -> Any:
    """Return the options dataclass X of a key that takes X or `X | None`, else None."""
    if dataclasses.is_dataclass(hint):
        return hint
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and dataclasses.is_dataclass(kinds[0]) else None
