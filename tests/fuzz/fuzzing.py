"""Runs inputs against a reader and holds it to its word: its errors alone, in time, in memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from bounds import peak_anew_kb, peak_kb
from mutation import Mutator, Repair

FAILURES = "SONAR_WATCH_FUZZ_FAILURES"
"""Environment variable: the folder that failing inputs are written to."""

_PEAK_EACH = 2000
"""Inputs after which the peak of memory is counted anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader and what it promises.

    Parameters
    ----------
    name : str
    seeds : callable
        Returns sound inputs.
    run : callable
        Reads one input.
    allowed : tuple of exception types
        What it may raise.
    thousands : int
        Its part of the million inputs.
    quick : int
        Inputs of the usual test run.
    tokens : sequence of bytes
    repair : callable or None
        See `Mutator`.
    cpu_s : float
        Processor time that one input may take.
    memory_mb : int
        By how much one input may raise the resident memory of the process.
    sound_seeds : bool
        Whether the seeds themselves must be read without an error.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    thousands: int
    quick: int = 300
    tokens: Sequence[bytes] = ()
    repair: Repair | None = None
    cpu_s: float = 2.0
    memory_mb: int = 48
    sound_seeds: bool = True


class TooSlow(BaseException):
    """An input used up its time; no reader may catch this."""


@dataclass(slots=True)
class Tally:
    """What came of a run: how many inputs were read, how many refused, and the dearest of each."""

    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    slowest: int = 0
    largest_mb: float = 0.0
    largest: int = 0
    failures: list[str] = field(default_factory=list)

    def told(self, name: str) -> str:
        """Return the run in one line."""
        return (
            f"{name}: {self.read} read, {self.refused} refused; slowest {self.slowest_s:.2f} s "
            f"(input {self.slowest}), largest {self.largest_mb:.0f} MB (input {self.largest})"
        )


class Campaign:
    """Runs inputs by number against one target.

    Parameters
    ----------
    target : Target
    folder : Path
        Where failing inputs are written, unless the environment names another folder.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self.seeds = list(target.seeds())
        self._inputs = Mutator(
            target.name, self.seeds, tokens=target.tokens, repair=target.repair
        )
        self._folder = Path(os.environ.get(FAILURES, folder))

    def input(self, number: int) -> bytes:
        """Return the input of that number."""
        return self._inputs.make(number)

    def run(self, count: int, *, start: int = 0, most_failures: int = 5) -> Tally:
        """Run inputs `start` to `start + count`; stop after some failures."""
        tally = Tally()
        base_kb = 0
        for number in range(start, start + count):
            if (number - start) % _PEAK_EACH == 0:
                base_kb = peak_anew_kb()
            self._try(number, tally)
            peak_mb = (peak_kb() - base_kb) / 1024
            if peak_mb > tally.largest_mb:
                tally.largest_mb, tally.largest = peak_mb, number
            if peak_mb > self.target.memory_mb:
                self._fail(number, tally, f"took {peak_mb:.0f} MB of memory")
                base_kb = peak_anew_kb()
            if len(tally.failures) >= most_failures:
                break
        return tally

    def _try(self, number: int, tally: Tally) -> None:
        data = self._inputs.make(number)
        began_s = time.process_time()
        try:
            with _within(4 * self.target.cpu_s):
                self.target.run(data)
            tally.read += 1
        except self.target.allowed as error:
            tally.refused += 1
            if self.target.sound_seeds and number < len(self.seeds):
                self._fail(number, tally, f"a sound input was refused: {error}")
        except (Exception, TooSlow) as error:  # noqa: BLE001 - what this is all about
            self._fail(number, tally, f"{type(error).__name__}: {str(error)[:300]}")
        took_s = time.process_time() - began_s
        if took_s > tally.slowest_s:
            tally.slowest_s, tally.slowest = took_s, number
        if took_s > self.target.cpu_s:
            self._fail(number, tally, f"took {took_s:.1f} s of processor time")

    def _fail(self, number: int, tally: Tally, reason: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / f"{self.target.name}-{number}.bin"
        kept.write_bytes(self._inputs.make(number))
        tally.failures.append(f"{self.target.name} {number}: {reason} (input in {kept})")


@contextlib.contextmanager
def _within(cpu_s: float) -> Iterator[None]:
    """Raise TooSlow in the middle of an input that does not end."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow("did not end in time")
