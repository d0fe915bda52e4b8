"""Files that cannot be read for now."""

from __future__ import annotations

from pathlib import Path


class Unreadable:
    """Files that cannot be read for now: told once, counted, and tried again.

    A mode, a share that is away or a bad sector is not the content: whoever mends it should
    not have to restart the watch, and nobody wants to read of it every few seconds.
    """

    def __init__(self) -> None:
        self._reasons: dict[Path, str] = {}

    def __len__(self) -> int:
        """How many there are now."""
        return len(self._reasons)

    def __contains__(self, path: Path) -> bool:
        """Tell whether `path` could not be read when last tried."""
        return path in self._reasons

    def add(self, path: Path, reason: str) -> bool:
        """Note why `path` cannot be read; return True when that is news."""
        is_news = self._reasons.get(path) != reason
        self._reasons[path] = reason
        return is_news

    def discard(self, path: Path) -> None:
        """Forget `path`: it was read, or is gone."""
        self._reasons.pop(path, None)
