"""YAML without what settings never need and a broken or hostile file can use."""

from __future__ import annotations

from typing import Any

import yaml

DEEPEST = 32
"""Lists and mappings within one another; the settings go four deep."""

_BROKEN_PROMISES = (ValueError, LookupError, TypeError, AttributeError, OverflowError)


class PlainLoader(yaml.SafeLoader):
    """Reads plain YAML: every fault is a `yaml.YAMLError` that says its line.

    Not read are aliases (a few lines of them stand for more values than there is memory) and
    values too deep within one another. What looks like a date, a number or a tag and is none
    would be an error of Python's own, without a line.
    """

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next value, as the parser calls for it."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, f"expected a value, received the alias *{event.anchor}: write it out",
                mark,
            )
        if self._depth >= DEEPEST:
            raise yaml.composer.ComposerError(
                None, None, f"expected at most {DEEPEST} lists and keys within one another",
                mark,
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return what a value says."""
        if isinstance(node, yaml.ScalarNode) and "\0" in node.value:
            raise yaml.constructor.ConstructorError(
                None, None, "expected text without the character 0", node.start_mark
            )
        try:
            return super().construct_object(node, deep)
        except _BROKEN_PROMISES as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"{str(node.value)[:60]!r} is not what it looks like: {error}",
                node.start_mark,
            ) from error
