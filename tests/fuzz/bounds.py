"""How much memory and time something takes."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def peak_kb() -> int:
    """Return the most resident memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_anew_kb() -> int:
    """Return the resident memory from here on; where the kernel can, the peak begins here."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_kb()


@contextmanager
def little_taken(memory_mb: float = 48, cpu_s: float = 2.0) -> Iterator[None]:
    """Hold what happens inside to some memory and processor time."""
    began_kb, began_s = peak_anew_kb(), time.process_time()
    yield
    taken_s, taken_mb = time.process_time() - began_s, (peak_kb() - began_kb) / 1024
    assert taken_s < cpu_s, f"took {taken_s:.1f} s"
    assert taken_mb < memory_mb, f"took {taken_mb:.0f} MB"
