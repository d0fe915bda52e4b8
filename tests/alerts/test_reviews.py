"""Verdicts on events: kept whole or not at all, told to all, and nothing but verdicts."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from sonar_watch.alerts.asking import ask, read_rejected, send_review
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.reviews import Reviews, parse_review, review_lines
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.errors import FormatError, JournalUnavailableError, WireError

LIMIT_S = 20
EVENT = sample_alert(1).event.event_id
OPTIONS = PublisherOptions(
    publish="tcp://127.0.0.1:0", request="tcp://127.0.0.1:0", status_interval_s=0.1
)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[PretendWatch]:
    with PretendWatch(tmp_path, replace(OPTIONS, requests_per_s=1e6)) as started:
        started.say(sample_alert(1), sample_alert(2))
        yield started


def kept(folder: Path) -> list[dict]:
    text = (folder / "reviews.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [parse_review(line, "") for _, line in review_lines(text)]


def test_a_verdict_is_kept_beside_the_journal(tmp_path: Path, watch: PretendWatch) -> None:
    words = {"by": "A. Geologist", "note": "CTD 14\nline 2\u2028\u0085\u20ac"}
    review = send_review(
        watch.endpoints[1], {"event_id": EVENT, "verdict": "rejected"} | words, LIMIT_S
    )
    assert review.pop("time_utc").endswith("Z")
    assert review == {"event_id": EVENT, "verdict": "rejected"} | words
    assert kept(tmp_path) == [review | {"time_utc": kept(tmp_path)[0]["time_utc"]}]
    assert [r["event_id"] for r in read_rejected(watch.endpoints[1], LIMIT_S)] == [EVENT]
    send_review(watch.endpoints[1], {"event_id": EVENT[:8], "verdict": "confirmed"}, LIMIT_S)
    assert read_rejected(watch.endpoints[1], LIMIT_S) == []
    assert [line["verdict"] for line in kept(tmp_path)] == ["rejected", "confirmed"]
    assert Reviews(tmp_path / "reviews.jsonl").last()[EVENT]["verdict"] == "confirmed"


def test_a_verdict_is_told_to_who_listens(watch: PretendWatch) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.linger = 0
        for topic in ("live.review.", "status."):
            sub.subscribe(topic)
        sub.connect(watch.endpoints[0])
        assert sub.recv_multipart()[0] == b"status."  # connected
        review = send_review(
            watch.endpoints[1], {"event_id": EVENT, "verdict": "rejected"}, LIMIT_S
        )
        frames = [b"status."]
        while frames[0] == b"status.":
            frames = sub.recv_multipart()
        assert frames[:2] == [b"live.review.", bytes(8)]
        assert json.loads(frames[2]) == review


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"event_id": "ffffffff"}, "of no event"),
        ({"event_id": ""}, "first letters"),
        ({"event_id": 5}, "first letters"),
        ({"event_id": "../../../etc/passwd"}, "of no event"),
        ({"event_id": "/etc/passwd\x00"}, "of no event"),
        ({"event_id": "%"}, "of no event"),
        ({"event_id": "' OR 1=1 --"}, "of no event"),
        ({"event_id": "e" * 101}, "first letters"),
        ({"verdict": "maybe"}, "verdict: expected"),
        ({"verdict": ["rejected"]}, "verdict: expected"),
        ({"by": "x" * 201}, "by: expected up to 200"),
        ({"note": "x" * 2001}, "note: expected up to 2000"),
        ({"note": {"a": 1}}, "note: expected"),
    ],
)
def test_nothing_but_a_verdict_on_a_known_event_is_kept(
    tmp_path: Path, watch: PretendWatch, fields: dict, error: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(WireError, match=error):
        send_review(
            watch.endpoints[1], {"event_id": EVENT, "verdict": "rejected"} | fields, LIMIT_S
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert watch.publisher.alive


def test_letters_that_begin_two_events_are_refused(watch: PretendWatch) -> None:
    watch.say(sample_alert(3, event_id="abc-1"), sample_alert(4, event_id="abc-12"))
    question = {"verdict": "confirmed", "event_id": "abc"}
    with pytest.raises(WireError, match=r"fits abc-1, abc-12: give more of it"):
        send_review(watch.endpoints[1], question, LIMIT_S)
    whole = question | {"event_id": "abc-1"}
    assert send_review(watch.endpoints[1], whole, LIMIT_S)["event_id"] == "abc-1"


def test_lines_of_people_are_left_as_they_are(tmp_path: Path, watch: PretendWatch) -> None:
    by_hand = '{"event_id": "x", "verdict": "rejected"}\r\nnot json\n{"event_id": "y"'
    (tmp_path / "reviews.jsonl").write_text(by_hand)
    send_review(watch.endpoints[1], {"event_id": EVENT, "verdict": "rejected"}, LIMIT_S)
    text = (tmp_path / "reviews.jsonl").read_bytes().decode()
    assert text.startswith(by_hand + "\n")
    known = [review["event_id"] for review in read_rejected(watch.endpoints[1], LIMIT_S)]
    assert known == ["x", EVENT]


def test_a_verdict_that_does_not_fit_on_the_disk_leaves_no_trace(tmp_path: Path) -> None:
    """The kernel itself cuts the write short: half a line must not stay."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sonar_watch.alerts.reviews import Reviews\n"
        "from sonar_watch.errors import JournalUnavailableError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))\n"
        "reviews, kept = Reviews(Path(sys.argv[1])), 0\n"
        "for n in range(5):\n"
        "    try:\n"
        "        reviews.add({'event_id': str(n), 'verdict': 'rejected'}); kept += 1\n"
        "    except JournalUnavailableError as error:\n"
        "        assert 'not kept' in str(error), error\n"
        "print(kept)\n"
    )
    path = tmp_path / "reviews.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "3\n", done.stderr
    assert [review["event_id"] for review in kept(tmp_path)] == ["0", "1", "2"]
    assert path.stat().st_size < 150


def test_a_file_that_cannot_be_written_or_read_is_said(
    tmp_path: Path, watch: PretendWatch
) -> None:
    (tmp_path / "reviews.jsonl").mkdir()
    for question in ({"verb": "review", "event_id": EVENT, "verdict": "rejected"},
                     {"verb": "rejected"}):  # fmt: skip
        with pytest.raises(WireError, match=r"cannot (write|read) .*reviews\.jsonl"):
            ask(watch.endpoints[1], question, LIMIT_S)
    assert watch.publisher.alive
    with pytest.raises(JournalUnavailableError):
        Reviews(tmp_path / "none" / "reviews.jsonl").add({"a": 1})


def test_a_line_that_is_no_verdict_is_named() -> None:
    with pytest.raises(FormatError, match="somewhere"):
        parse_review("[" * 100_000, "somewhere")


def test_the_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    Reviews(tmp_path / "reviews.jsonl").add({"event_id": "a", "verdict": "rejected"})
    assert (tmp_path / "reviews.jsonl").stat().st_mode & 0o007 == 0
