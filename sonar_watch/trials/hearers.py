"""Many subscribers in few processes, which note when each alert came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sonar_watch.alerts.subscriber import Subscriber
from sonar_watch.errors import SonarWatchError

JOIN_LIMIT_S = 60.0
_HEARERS = 2


@contextmanager
def hearers(out: Path, endpoints: tuple[str, str], subscribers: int) -> Iterator[list[Path]]:
    """Run the subscribers in two processes; yield the files into which they note what they hear.

    Raises
    ------
    SonarWatchError
        Not all of them joined.
    """
    context, processes, files = get_context("spawn"), list[BaseProcess](), list[Path]()
    for number in range(min(_HEARERS, subscribers)):
        share = len(range(number, subscribers, _HEARERS))
        files.append(out / f"heard-{number}.jsonl")
        processes.append(
            context.Process(target=hear, args=(*endpoints, share, files[-1]), daemon=True)
        )
        processes[-1].start()
    try:
        _wait_until_joined(files, subscribers)
        yield files
    finally:
        for process in processes:
            process.terminate()
            process.join()


def hear(publish: str, request: str, subscribers: int, into: Path) -> None:
    """Subscribe so many times and note when each alert came; does not end by itself."""
    lock = threading.Lock()
    with into.open("w", encoding="utf-8") as file:

        def note(body: dict[str, Any]) -> None:
            with lock:
                file.write(json.dumps(body) + "\n")
                file.flush()

        def follow() -> None:
            with Subscriber(publish, request, after=0) as subscriber:
                while subscriber.epoch is None:
                    subscriber.receive(0.1)
                note({"joined": True})
                for received in subscriber:
                    heard_s = time.time()
                    data_s = received.alert.time_utc.timestamp()
                    note({"sequence": received.sequence, "data_s": data_s, "heard_s": heard_s})

        threads = [threading.Thread(target=follow) for _ in range(subscribers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def heard_by(files: list[Path]) -> list[dict[str, Any]]:
    """Return what was noted so far: "sequence", "data_s" and "heard_s", seconds since 1970."""
    lines: list[bytes] = []
    for path in files:
        if path.exists():
            lines += path.read_bytes().rpartition(b"\n")[0].splitlines()
    return [json.loads(line) for line in lines]


def _wait_until_joined(files: list[Path], subscribers: int) -> None:
    deadline = time.monotonic() + JOIN_LIMIT_S
    while sum("joined" in each for each in heard_by(files)) < subscribers:
        if time.monotonic() > deadline:
            raise SonarWatchError(f"not all of {subscribers} subscribers joined")
        time.sleep(0.1)
