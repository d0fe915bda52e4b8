"""Limits of time for a machine that may have other work to do."""

from __future__ import annotations

import os


def on_this_machine(seconds: float) -> float:
    """Return `seconds`, times the number of processes that share each core at the moment."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
