"""Warnings that stand: each told once when it begins and once when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Standing:
    since_utc: str
    text: str
    seen_s: float


class Warnings:
    """What is wrong now, and since when.

    Parameters
    ----------
    ticks : callable
        Seconds that only grow.
    calm_s : float
        A warning has ended when its cause has been away for this long.
    """

    def __init__(
        self, ticks: Callable[[], float] = time.monotonic, calm_s: float = 10.0
    ) -> None:
        self._ticks = ticks
        self._calm_s = calm_s
        self._standing: dict[str, _Standing] = {}

    def update(self, found: Mapping[str, str]) -> None:
        """Take what is wrong now, text by name; log what begins and what has ended."""
        now_s = self._ticks()
        for name, text in found.items():
            known = self._standing.get(name)
            if known is None:
                since_utc = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
                self._standing[name] = _Standing(since_utc, text, now_s)
                log.warning("warning %s begins: %s", name, text)
            else:
                known.text, known.seen_s = text, now_s
        for name, known in list(self._standing.items()):
            if name not in found and now_s - known.seen_s >= self._calm_s:
                del self._standing[name]
                log.warning("warning %s ends, it stood since %s", name, known.since_utc)

    def standing(self) -> list[dict[str, str]]:
        """Return {"name", "since_utc", "text"} of each, the oldest first."""
        return [
            {"name": name, "since_utc": known.since_utc, "text": known.text}
            for name, known in self._standing.items()
        ]
