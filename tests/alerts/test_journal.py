import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.errors import JournalError, WireError
from sonar_watch.records import Quarantined, SourceRef

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def frame(number: int, **body: object) -> FrameEntry:
    return FrameEntry(frame_id=f"frame-{number}", time_utc=NOW, body={"number": number} | body)


def contents(journal: JournalReader) -> tuple[object, ...]:
    return (
        journal.head_sequence,
        journal.counts(),
        journal.state(),
        journal.checkpoint("k"),
        list(journal.frame_bodies()),
    )


def test_a_commit_stores_everything(journal: Journal) -> None:
    journal.commit([frame(1), frame(2)], [sample_alert(1)], {"tracks": [1.5]}, {"k": [7, "x"]})
    assert journal.is_done("frame-2")
    assert not journal.is_done("frame-3")
    assert journal.head_sequence == 1
    assert journal.state() == {"tracks": [1.5]}
    assert journal.checkpoint("k") == [7, "x"]
    assert journal.checkpoint("unknown") is None
    assert list(journal.frame_bodies()) == [{"number": 1}, {"number": 2}]
    assert journal.alerts_after(0, 9) == [(1, "live.alert.new.", encode_alert(sample_alert(1)))]
    assert journal.counts() == {"frames": 2, "alerts": 1, "open_events": 1, "quarantined": 0}


def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert contents(journal) == (
        0,
        {"frames": 0, "alerts": 0, "open_events": 0, "quarantined": 0},
        None,
        None,
        [],
    )
    assert journal.tense is None


def test_reopening_continues(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "journal.sqlite"
    with Journal(path) as journal:
        journal.commit([frame(1)], [sample_alert(1)], {"a": 1}, {"k": 1})
        before, epoch = contents(journal), journal.epoch
    with Journal(path) as journal:
        assert (contents(journal), journal.epoch) == (before, epoch)
        journal.commit([frame(2)], [sample_alert(2)])
        assert journal.state() == {"a": 1}


def test_two_journals_have_two_epochs(tmp_path: Path) -> None:
    with Journal(tmp_path / "a") as one, Journal(tmp_path / "b") as other:
        assert one.epoch != other.epoch


@pytest.mark.parametrize(
    ("frames", "alerts", "state", "match"),
    [
        ([3, 1], [2], {}, "frame-1 is committed already"),
        ([3, 3], [2], {}, "frame-3 is committed already"),
        ([3], [3], {}, "expected alert 2, received 3"),
        ([3], [1], {}, "expected alert 2, received 1"),
        ([3], [2, 2], {}, "expected alert 3, received 2"),
        ([3], [2], {"x": float("nan")}, "plain JSON"),
        ([3], [2], {"x": object()}, "plain JSON"),
    ],
)
def test_a_refused_commit_leaves_no_trace(
    journal: Journal, frames: list[int], alerts: list[int], state: dict, match: str
) -> None:
    journal.commit([frame(1)], [sample_alert(1)], {"s": 1}, {"k": 1})
    before = contents(journal)
    with pytest.raises(JournalError, match=match):
        journal.commit(map(frame, frames), list(map(sample_alert, alerts)), state, {"k": 2})
    assert contents(journal) == before
    journal.commit([frame(3)], [sample_alert(2)], {"s": 2}, {"k": 2})
    assert journal.head_sequence == 2


def test_an_alert_that_cannot_be_told_leaves_no_trace(journal: Journal) -> None:
    with pytest.raises(WireError):
        journal.commit([frame(1)], [sample_alert(1, height_m=float("nan"))])
    assert journal.counts()["frames"] == 0


def test_a_journal_keeps_its_tense(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path, tense="live") as journal:
        assert journal.tense == "live"
        with pytest.raises(JournalError, match="a live journal cannot take replay alert 1"):
            journal.commit([], [sample_alert(1, tense="replay")])
        assert journal.head_sequence == 0
    with pytest.raises(JournalError, match="holds a live session and cannot take a replay one"):
        Journal(path, tense="replay")
    with Journal(path, tense="live") as journal:
        journal.commit([], [sample_alert(1)])
    with Journal(path) as journal:
        assert journal.tense == "live"


def test_the_first_alert_decides_the_tense(journal: Journal) -> None:
    journal.commit([], [sample_alert(1, tense="replay")])
    with pytest.raises(JournalError, match="replay journal"):
        journal.commit([], [sample_alert(2, tense="live")])


@pytest.mark.parametrize("kind", ["end", "retract"])
def test_open_events_are_the_latest_of_what_is_not_over(journal: Journal, kind: str) -> None:
    journal.commit([], [sample_alert(1, event_id="a"), sample_alert(2, event_id="b")])
    journal.commit([], [sample_alert(3, kind="update", event_id="a")])
    journal.commit([], [sample_alert(4, kind=kind, event_id="b")])
    last = encode_alert(sample_alert(3, kind="update", event_id="a"))
    assert journal.open_events() == [last]
    assert journal.snapshot() == (4, [(3, "live.alert.update.", last)])
    assert journal.counts()["open_events"] == 1


def test_the_same_unusable_thing_counts_once(journal: Journal) -> None:
    first = Quarantined(source=SourceRef(source="raw", file="a.kmall", offset=10), reason="cut")
    other = Quarantined(source=SourceRef(source="raw", file="a.kmall", offset=99), reason="cut")
    for item in (first, first, other, first):
        journal.quarantine(item)
    assert journal.counts()["quarantined"] == 2
    assert list(journal.quarantined()) == [("a.kmall", "cut"), ("a.kmall", "cut")]


def test_odd_file_names_can_be_quarantined(journal: Journal) -> None:
    journal.quarantine(Quarantined(source=SourceRef(source="raw", file="\udcff.wcd"), reason="cut"))
    assert list(journal.quarantined()) == [("\\udcff.wcd", "cut")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), json_values, max_size=3))
def test_the_state_comes_back_exactly(journal: Journal, state: dict) -> None:
    journal.commit([], [], state, {"k": state})
    assert repr(journal.state()) == repr(state)
    assert repr(journal.checkpoint("k")) == repr(state)


def test_there_is_one_writer(journal: Journal) -> None:
    with pytest.raises(JournalError, match="in use: another watch"):
        Journal(journal.path)


def test_readers_see_each_commit_and_cannot_write(journal: Journal) -> None:
    with JournalReader(journal.path) as reader:
        journal.commit([frame(1)], [sample_alert(1)])
        assert contents(reader) == contents(journal)
        assert reader.epoch == journal.epoch
        with pytest.raises(JournalError, match="readonly"), reader._transaction("DEFERRED", "x"):
            reader._connection.execute("DELETE FROM alerts")
    assert journal.head_sequence == 1


def test_a_reader_in_the_middle_does_not_stop_the_writer(journal: Journal) -> None:
    journal.commit([frame(n) for n in range(1200)], [])
    with JournalReader(journal.path) as reader:
        bodies = reader.frame_bodies()
        next(bodies)
        journal.commit([frame(1200)], [sample_alert(1)])
        assert [body["number"] for body in bodies] == list(range(1, 1201))


def test_there_must_be_a_journal_to_read(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot open .*none.sqlite.*folder exists"):
        JournalReader(tmp_path / "none.sqlite")


@pytest.mark.parametrize("kind", [Journal, JournalReader])
def test_other_files_are_refused_and_left_alone(tmp_path: Path, kind: type[JournalReader]) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to have a header " * 100)
    with pytest.raises(JournalError, match=r"notes.txt.*it is no journal"):
        kind(text)
    assert text.read_text().startswith("not a database")
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE things (x)")
    connection.close()
    with pytest.raises(JournalError, match=r"other.sqlite.*it is no journal"):
        kind(other)


def test_a_journal_of_a_later_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal._connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    with pytest.raises(JournalError, match="expected a journal of schema 1, found 2"):
        Journal(path)


def test_a_hole_in_the_sequence_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.commit([], [sample_alert(n) for n in (1, 2, 3)])
        journal._connection.execute("DELETE FROM alerts WHERE sequence = 2")
    with pytest.raises(JournalError, match="2 alerts end at sequence 3"):
        Journal(path)


def test_a_full_disk_is_said_and_got_over(journal: Journal) -> None:
    journal.commit([frame(1)], [sample_alert(1)])
    before = contents(journal)
    pages = journal._value("PRAGMA page_count")
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match=r"cannot write .*journal.sqlite.*free space"):
        journal.commit([frame(n, text="x" * 5000) for n in (2, 3)], [sample_alert(2)], {"s": 2})
    assert contents(journal) == before
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    journal.commit([frame(2)], [sample_alert(2)], {"s": 2})
    assert journal.head_sequence == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(JournalError, match="cannot open"):
        Journal(tmp_path / "journal.sqlite")
    tmp_path.chmod(stat.S_IRWXU)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"cannot open .*file"):
        Journal(tmp_path / "file" / "journal.sqlite")


def test_commits_survive_a_power_cut(journal: Journal) -> None:
    assert journal._value("PRAGMA journal_mode") == "wal"
    assert journal._value("PRAGMA synchronous") == 2  # FULL


def test_no_hot_call_scans_a_table(journal: Journal) -> None:
    asked: list[str] = []
    journal.commit([frame(1)], [sample_alert(1)])
    journal._connection.set_trace_callback(asked.append)
    journal.is_done("frame-1")
    journal.alerts_after(0, 10)
    journal.counts()
    journal.commit([frame(2)], [sample_alert(2)], {}, {"k": 1})
    journal.checkpoint("k")
    journal._connection.set_trace_callback(None)
    plans = [
        row[3]
        for sql in asked
        if sql.startswith(("SELECT", "INSERT", "REPLACE", "DELETE"))
        for row in journal._rows(f"EXPLAIN QUERY PLAN {sql}")
    ]
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert all("open_events" in plan for plan in scans), scans  # a handful of rows


DIE_MIDWAY = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert

def frame(number):
    return FrameEntry(frame_id=f"frame-{number}", time_utc=datetime.now(UTC), body={})

class Stops(list):
    def __iter__(self):
        yield from super().__iter__()
        print("midway", flush=True)
        sys.stdin.read()

journal = Journal(Path(sys.argv[1]))
journal.commit([frame(1)], [sample_alert(1)], {"s": 1}, {"k": 1})
journal.commit([frame(2)], Stops([sample_alert(2)]), {"s": 2}, {"k": 2})
"""


def test_killed_midway_leaves_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", DIE_MIDWAY, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"midway\n"
        process.kill()
    with Journal(path) as journal:
        assert (journal.head_sequence, journal.state(), journal.checkpoint("k")) == (1, {"s": 1}, 1)
        assert not journal.is_done("frame-2")
        journal.commit([frame(2)], [sample_alert(2)], {"s": 2}, {"k": 2})
        assert journal.counts()["frames"] == 2


DIE_ANYWHERE = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert

journal = Journal(Path(sys.argv[1]))
for n in itertools.count(journal.head_sequence + 1):
    frames = [
        FrameEntry(frame_id=f"{n}-{part}", time_utc=datetime.now(UTC), body={"n": n})
        for part in range(3)
    ]
    journal.commit(frames, [sample_alert(n)], {"n": n}, {"k": n})
    print(n, flush=True)
"""


def test_killed_anywhere_what_was_committed_is_there(tmp_path: Path) -> None:
    path, wanted = tmp_path / "journal.sqlite", (3, 11, 42)
    for commits in wanted:
        with subprocess.Popen(
            [sys.executable, "-c", DIE_ANYWHERE, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(commits)]
            process.kill()
            said += map(int, process.stdout.read().split())
        with Journal(path) as journal:
            head = journal.head_sequence
            assert head in (said[-1], said[-1] + 1)  # the last may not have been said
            assert (journal.state(), journal.checkpoint("k")) == ({"n": head}, head)
            assert [b["n"] for b in journal.frame_bodies()] == [
                n for n in range(1, head + 1) for _ in range(3)
            ]


def test_the_memory_of_pictures_is_kept_replaced_and_forgotten(tmp_path):
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.commit([], [], memory={"a": b"1", "b": b"2"})
        journal.commit([], [], memory={"a": b"\x00\xff", "b": None})
    with Journal(tmp_path / "j.sqlite") as again:
        assert again.memory() == {"a": b"\x00\xff"}


def test_a_journal_of_an_earlier_release_has_no_memory_yet(tmp_path):
    with Journal(tmp_path / "j.sqlite") as journal:
        journal._connection.execute("DROP TABLE memory")
    with Journal(tmp_path / "j.sqlite") as again:
        assert again.memory() == {}
        again.commit([], [], memory={"a": b"1"})
