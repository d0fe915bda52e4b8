"""Processes side by side give what one gives, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sonar_watch.side_by_side import done_side_by_side

HERE = Path(__file__).parent


def squared(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise ValueError(f"{number} cannot be done")


def stay(folder: str) -> None:
    (Path(folder) / f"{os.getpid()}").touch()
    threading.Event().wait()


def test_everything_is_done_once() -> None:
    assert sorted(done_side_by_side(squared, range(5), 2)) == [0, 1, 4, 9, 16]


def test_one_worker_does_it_here_and_in_order() -> None:
    assert list(done_side_by_side(lambda number: (number, os.getpid()), [2, 1], 1)) == [
        (2, os.getpid()), (1, os.getpid()),
    ]  # fmt: skip


def test_what_goes_wrong_is_raised() -> None:
    with pytest.raises(ValueError, match="cannot be done"):
        list(done_side_by_side(fail, [3, 4], 2))


def test_none_goes_on_when_the_program_is_killed(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from test_side_by_side import stay\n"
        "from sonar_watch.side_by_side import done_side_by_side\n"
        f"if __name__ == '__main__': list(done_side_by_side(stay, [{str(tmp_path)!r}] * 2, 2))\n"
    )
    path = tmp_path.parent / "program.py"
    path.write_text(script)
    program = subprocess.Popen([sys.executable, str(path)])
    try:
        workers = until(lambda: [int(one.name) for one in tmp_path.iterdir()], 2)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    until(lambda: [number for number in workers if not is_running(number)], 2)


def until(look, count: int, limit_s: float = 60.0) -> list[int]:
    """Return what `look` finds once that many are there."""
    deadline_s = time.monotonic() + limit_s
    while len(found := look()) < count:
        assert time.monotonic() < deadline_s, found
        threading.Event().wait(0.02)
    return found


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
