"""Journals overwritten, cut short and robbed of their log: kept, replaced, and said."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sonar_watch.alerts import reading
from sonar_watch.alerts.asking import ask, read_status
from sonar_watch.alerts.damage import OVERLAP_S, set_aside
from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.errors import JournalDamagedError, JournalError, WeightsError, WireError
from sonar_watch.settings import parse_settings
from sonar_watch.sources import horizon
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.sources.raw import RawFolderSource, RawOptions

LAST_UTC = datetime(2026, 3, 1, 10, tzinfo=UTC)

WRITER = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.records import parse_utc

journal = Journal(Path(sys.argv[1]), tense="live")
last = parse_utc(sys.argv[2])
for step in range(1, 41):
    if step == 21:  # half of it in the file, half in the log
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    frames = [
        FrameEntry(frame_id=f"{step}-{n}", time_utc=last - timedelta(seconds=40 - step),
                   body={"text": "x" * 400})
        for n in range(10)
    ]
    journal.commit(frames, [sample_alert(step)], {"step": step}, {"k": step})
print(journal.epoch, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a watch that was killed after 40 alerts, and the epoch of its journal."""
    folder = tmp_path_factory.mktemp("left")
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(folder / "journal.sqlite"), LAST_UTC.isoformat()],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    return folder, done.stdout.strip()


@pytest.fixture
def killed(tmp_path: Path, left_behind: tuple[Path, str]) -> tuple[Path, str]:
    """A journal of 40 alerts as a killed watch left it, half of it in its log, and its epoch."""
    folder, epoch = left_behind
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite.lock"):
        shutil.copy(folder / name, tmp_path)
    assert (tmp_path / "journal.sqlite-wal").stat().st_size > 50_000
    return tmp_path / "journal.sqlite", epoch


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def overwrite(path: Path, start: int, count: int, step: int = 0) -> None:
    """Put garbage over `count` bytes, once or every `step` bytes to the end."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for place in range(start, size, step) if step else [start]:
            file.seek(place)
            file.write(b"\xa5\x5a\x00garbage"[: min(10, size - place)] * (count // 10))
        file.truncate(size)


def empty_log(journal: Journal) -> None:
    """Bring all of the log into the file; who reads just then makes SQLite put it off."""
    deadline = time.monotonic() + 20
    while journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        assert time.monotonic() < deadline


def without_log(path: Path, damage: Callable[[Path], None]) -> None:
    """Damage a journal whose log is in the file: one beside it would mend what it holds anew."""
    Journal(path).close()
    damage(path)


def garble_text(path: Path) -> None:
    """Put a wrong byte into the tracker's state: SQLite does not notice."""
    content = path.read_bytes()
    assert b'{"step":40}' in content
    path.write_bytes(content.replace(b'{"step":40}', b'{"step":4\xff}'))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": lambda path: without_log(path, lambda path: overwrite(path, 0, 100)),
    "every page": lambda path: overwrite(path, 4096, 20, 4096),
    "middle": lambda path: overwrite(path, path.stat().st_size // 2 // 4096 * 4096, 4090),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "log overwritten": lambda path: overwrite(log_of(path), 5000, 5000),
    "log header": lambda path: overwrite(log_of(path), 0, 30),
    "log cut": lambda path: os.truncate(log_of(path), log_of(path).stat().st_size // 2),
    "log gone": lambda path: log_of(path).unlink(),
    "text": lambda path: without_log(path, garble_text),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_kept_and_replaced(
    killed: tuple[Path, str], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path, epoch = killed
    DAMAGES[damage](path)
    main = path.read_bytes()
    log = log_of(path).read_bytes() if log_of(path).exists() else b""
    with pytest.raises(JournalDamagedError):
        Journal(path, tense="live")
    with caplog.at_level(logging.CRITICAL), Journal(
        path, tense="live", replace_damaged=True
    ) as journal:
        assert journal.epoch != epoch
        assert journal.counts()["frames"] == journal.head_sequence == 0
        assert journal.begins_utc == LAST_UTC - timedelta(seconds=OVERLAP_S)
        assert "journal.sqlite.damaged-1" in journal.notice
        journal.commit([entry(1)], [])
    assert "is kept as" in caplog.text
    assert "alerts count from 1 again" in caplog.text
    kept = path.with_name("journal.sqlite.damaged-1")
    assert kept.read_bytes() == main
    assert not log or log_of(kept).read_bytes() == log
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert journal.counts()["frames"] == 1
        assert "journal.sqlite.damaged-1" in journal.notice
    for one in path.parent.glob("*.damaged-*"):
        one.unlink()
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert journal.notice is None


def entry(number: int) -> FrameEntry:
    body = {"text": "x" * 4000}
    return FrameEntry(frame_id=f"f{number}", time_utc=LAST_UTC, body=body)


def test_what_a_kill_leaves_is_not_taken_for_damage(killed: tuple[Path, str]) -> None:
    path, epoch = killed
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert (journal.epoch, journal.head_sequence, journal.notice) == (epoch, 40, None)
        assert journal.begins_utc is None


def test_what_the_log_mends_is_no_damage(killed: tuple[Path, str]) -> None:
    path, epoch = killed
    overwrite(path, 0, 100)  # the first page, which is in the log as well
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert (journal.epoch, journal.head_sequence, journal.notice) == (epoch, 40, None)
        assert journal._value("PRAGMA integrity_check") == "ok"


def test_no_damaged_journal_is_ever_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    contents = []
    for number in range(1, 4):
        with Journal(path, tense="live", replace_damaged=True) as journal:
            journal.commit([entry(number)], [])
        overwrite(path, 0, 100)
        contents.append(path.read_bytes())
    Journal(path, tense="live", replace_damaged=True).close()
    kept = [tmp_path / f"journal.sqlite.damaged-{number}" for number in (1, 2, 3)]
    assert [one.read_bytes() for one in kept] == contents


def test_killed_while_it_is_set_aside(killed: tuple[Path, str]) -> None:
    path, _ = killed
    overwrite(path, 4096, 20, 4096)
    with pytest.raises(JournalDamagedError):
        Journal(path)
    # What the start does, up to the new journal.
    set_aside(path)
    lock = path.with_name("journal.sqlite.lock")
    assert b'"damaged":null' in lock.read_bytes()
    lock.write_bytes(lock.read_bytes().replace(b'"damaged":null', b'"damaged":"so"  '))
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert journal.begins_utc == LAST_UTC - timedelta(seconds=OVERLAP_S)
    with Journal(path, tense="live", replace_damaged=True) as again:
        assert again.begins_utc == LAST_UTC - timedelta(seconds=OVERLAP_S)
        assert "damaged-1" in again.notice
        assert "damaged-2" not in again.notice


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_damage_found_while_watching_is_remembered(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path, tense="live") as journal:
        journal.commit([entry(n) for n in range(1500)], [])
        empty_log(journal)
        whole = path.read_bytes()
        if damage == "garbage":
            overwrite(path, 8192, 100, 4096)
        else:
            os.truncate(path, len(whole) // 4)
        with pytest.raises(JournalDamagedError, match=r"journal.sqlite"):
            list(journal.frame_bodies())
    path.write_bytes(whole)  # a disk that gives right bytes again is not to be trusted
    with pytest.raises(JournalDamagedError):
        Journal(path, tense="live")
    with Journal(path, tense="live", replace_damaged=True) as journal:
        assert journal.counts()["frames"] == 0
        assert "damaged-1" in journal.notice


def test_damage_that_a_subscriber_comes_upon_ends_the_publisher_and_is_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A page of old alerts, which the watch itself never reads again."""
    with PretendWatch(tmp_path) as watch:
        watch.say(*(sample_alert(number) for number in range(1, 501)))
        path = watch.journal.path
        empty_log(watch.journal)
        whole = path.read_bytes()
        assert read_status(watch.endpoints[1], 20)["head_sequence"] == 500
        overwrite(path, 8192, 100, 4096)
        with pytest.raises(WireError, match="no answer"):
            ask(watch.endpoints[1], {"verb": "replay", "after": 0}, 2)
        deadline = time.monotonic() + 20
        while watch.publisher.alive:
            assert time.monotonic() < deadline
    assert "publishing ends, the watch with it" in caplog.text
    path.write_bytes(whole)  # as above: found once is enough
    with pytest.raises(JournalDamagedError):
        Journal(path)


def test_a_new_journal_that_is_damaged_at_once_begins_where_it_did(
    killed: tuple[Path, str],
) -> None:
    path, _ = killed
    overwrite(path, 4096, 20, 4096)
    begins_utc = LAST_UTC - timedelta(seconds=OVERLAP_S)
    for _ in range(3):
        with Journal(path, tense="live", replace_damaged=True) as journal:
            assert journal.begins_utc == begins_utc
        overwrite(path, 0, 100)


def test_the_key_of_the_beginning_is_the_same_for_sources_and_journal() -> None:
    assert horizon.BEGINS_KEY == reading.BEGINS_KEY


class Begun:
    """The ledger of a journal that begins at an instant."""

    def __init__(self, begins: datetime) -> None:
        self._begins = begins

    def is_done(self, frame_id: str, /) -> bool:
        return False

    def checkpoint(self, key: str, /) -> str | None:
        return self._begins.isoformat() if key == horizon.BEGINS_KEY else None


@pytest.mark.parametrize(("hours", "seen"), [(-1, 1), (1, 0)])
@pytest.mark.parametrize("kind", ["raw", "images"])
def test_files_older_than_the_journal_are_not_read(
    tmp_path: Path, kind: str, hours: int, seen: int
) -> None:
    (tmp_path / "0001_20260301_100000.kmall").write_bytes(b"not a datagram, but bytes " * 10)
    (tmp_path / "picture.png").write_bytes(b"not a picture either")
    ledger = Begun(datetime.now(UTC) + timedelta(hours=hours))
    source: RawFolderSource | ImageFolderSource
    if kind == "raw":
        source = RawFolderSource(RawOptions(path=tmp_path), ledger, live=False)
    else:
        source = ImageFolderSource(FolderOptions(path=tmp_path), ledger, live=False)
    items = []
    while not source.exhausted:
        items += source.poll()
    source.close()
    assert bool(items) == bool(seen)


@pytest.fixture
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("no_threads_left")
def test_a_watch_that_cannot_start_lets_go_of_the_journal(tmp_path: Path) -> None:
    from sonar_watch.daemon import JOURNAL_NAME, Watch

    def refuse(journal: object, wake: object) -> list:
        raise JournalError("no sources today")

    def nothing(journal: object, wake: object) -> list:
        return []

    where = f"alerts: {{publish: 'ipc://{tmp_path}/p', request: 'ipc://{tmp_path}/r'}}"
    settings = parse_settings(f"data_dir: {tmp_path}\n{where}\ndetector: {{weights: none such}}")
    with pytest.raises(WeightsError):
        Watch(settings, nothing)
    Journal(tmp_path / JOURNAL_NAME, tense="live").close()
    settings = parse_settings(f"data_dir: {tmp_path}\n{where}\ndetector: {{weights: classical}}")
    with pytest.raises(JournalError, match="no sources today"):
        Watch(settings, refuse)
    Journal(tmp_path / JOURNAL_NAME, tense="live").close()
