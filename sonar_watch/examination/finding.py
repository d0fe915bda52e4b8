"""What one look at a machine gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at, what was found, and what to do about it."""

    what: str
    state: Literal["good", "note", "wrong"]
    found: str
    advice: str = ""


def good(what: str, found: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(what=what, state="good", found=found)


def note(what: str, found: str, advice: str) -> Finding:
    """Return a finding that a watch can live with."""
    return Finding(what=what, state="note", found=found, advice=advice)


def wrong(what: str, found: str, advice: str) -> Finding:
    """Return a finding that keeps a watch from its work."""
    return Finding(what=what, state="wrong", found=found, advice=advice)
