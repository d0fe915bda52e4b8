"""A watch and a subscriber in processes of their own, to be stopped, cut off and counted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

LIMIT_S = 60.0

_WATCH = """
import json, sys
from pathlib import Path
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert

folder, how = Path(sys.argv[1]), json.loads(sys.argv[2])
how |= {key: Path(how[key]) for key in ("curve_secret", "curve_allowed") if key in how}
with PretendWatch(folder, PublisherOptions(status_interval_s=0.1, **how)) as watch:
    print(*watch.endpoints, flush=True)
    for line in sys.stdin:
        head = watch.journal.head_sequence
        watch.say(*(sample_alert(head + n) for n in range(1, int(line) + 1)))
        print("said", flush=True)
"""

_SUBSCRIBER = """
import sys
from pathlib import Path
from sonar_watch.alerts.curve import client_keys
from sonar_watch.alerts.subscriber import Subscriber

publish, request, heard, *keys = sys.argv[1:]
curve = client_keys(*map(Path, keys)) if keys else None
with Subscriber(publish, request, after=0, curve=curve, retry_s=0.5) as subscriber:
    with open(heard, "a") as out:
        for received in subscriber:
            print(received.sequence, file=out, flush=True)
"""


class WireProcess:
    """A process that is ended with the test.

    Parameters
    ----------
    code : str
    words : sequence of str
        Its arguments.
    inside : sequence of str
        Words before the command, such as those that enter a network namespace.
    """

    def __init__(self, code: str, words: Sequence[str], inside: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*inside, sys.executable, "-c", code, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()

    def handles(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def sockets(self) -> int:
        """Return how many sockets it has open."""
        count = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                count += str(link.readlink()).startswith("socket:")
        return count

    def threads(self) -> int:
        """Return its number of threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def memory_mb(self) -> float:
        """Return its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


class WatchProcess(WireProcess):
    """A publisher over a journal; `options` are those of `PublisherOptions`, as JSON."""

    def __init__(self, folder: Path, options: str = "", inside: Sequence[str] = ()) -> None:
        free = '{"publish": "tcp://127.0.0.1:0", "request": "tcp://127.0.0.1:0"}'
        super().__init__(_WATCH, [str(folder), options or free], inside)
        publish, request = self.process.stdout.readline().split()
        self.endpoints = (publish, request)

    def say(self, count: int) -> None:
        """Store and publish so many alerts."""
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "said\n"


class SubscriberProcess(WireProcess):
    """Writes the sequence of each alert it receives into a file."""

    def __init__(
        self,
        endpoints: tuple[str, str],
        heard: Path,
        keys: Sequence[Path] = (),
        inside: Sequence[str] = (),
    ) -> None:
        self._heard = heard
        super().__init__(_SUBSCRIBER, [*endpoints, str(heard), *map(str, keys)], inside)

    def heard(self) -> list[int]:
        """Return the sequences so far."""
        text = self._heard.read_text() if self._heard.exists() else ""
        return [int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait_for(self, count: int) -> list[int]:
        """Return the sequences when there are at least `count`."""
        wait_until(lambda: len(self.heard()) >= count)
        return self.heard()


def wait_until(what: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Return when something is so, with a deadline."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)
