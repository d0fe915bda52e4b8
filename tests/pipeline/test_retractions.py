"""What people reject is taken back: once, whatever was killed in between, and for good."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sonar_watch.alerts.asking import send_review
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.reviews import Reviews
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.pipeline.retractions import Retractions
from sonar_watch.records import Alert, EventChange

EVENT = sample_alert(1).event.event_id


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite", tense="live") as opened:
        yield opened


@pytest.fixture
def reviews(tmp_path: Path) -> Reviews:
    return Reviews(tmp_path / "reviews.jsonl")


def judge(reviews: Reviews, verdict: str, event_id: str = EVENT) -> None:
    reviews.add({"event_id": event_id, "verdict": verdict})


def tell(journal: Journal, change: EventChange) -> None:
    alert = replace(
        sample_alert(journal.head_sequence + 1),
        kind=change.kind, time_utc=change.time_utc, event=change.event,
    )  # fmt: skip
    journal.commit([], [alert])


def last(journal: Journal) -> Alert:
    told = journal.last_alert(EVENT)
    assert told is not None
    return decode_alert(told[1])


def test_a_verdict_at_the_request_socket_is_due_once(tmp_path: Path) -> None:
    with PretendWatch(tmp_path) as watch:
        watch.say(sample_alert(1), sample_alert(2))
        retractions = Retractions(watch.journal)
        assert retractions.due() == []
        send_review(watch.endpoints[1], {"event_id": EVENT[:8], "verdict": "rejected"}, 20)
        (change,) = retractions.due()
        assert (change.kind, change.event.state) == ("retract", "retracted")
        assert change.event == replace(sample_alert(1).event, state="retracted")
        assert change.time_utc == sample_alert(1).time_utc
        tell(watch.journal, change)
        assert retractions.due() == []
        send_review(watch.endpoints[1], {"event_id": EVENT, "verdict": "rejected"}, 20)
        assert retractions.due() == []


def test_what_was_judged_while_the_watch_was_away_is_due(
    journal: Journal, reviews: Reviews
) -> None:
    """Killed between verdict and alert, or written by hand."""
    journal.commit([], [sample_alert(1), replace(sample_alert(2, kind="end"),
                                                 event=sample_alert(1).event)])  # fmt: skip
    judge(reviews, "rejected")
    judge(reviews, "rejected", "of another journal")
    judge(reviews, "confirmed", sample_alert(3).event.event_id)
    assert [change.event.event_id for change in Retractions(journal).due()] == [EVENT]
    tell(journal, Retractions(journal).due()[0])
    assert last(journal).kind == "retract"
    assert journal.is_retracted(EVENT)
    assert Retractions(journal).due() == []


def test_the_last_verdict_counts_until_it_is_told(journal: Journal, reviews: Reviews) -> None:
    journal.commit([], [sample_alert(1)])
    judge(reviews, "rejected")
    judge(reviews, "confirmed")
    retractions = Retractions(journal)
    assert retractions.due() == []
    judge(reviews, "rejected")
    assert len(retractions.due()) == 1


def test_what_is_announced_anew_is_taken_back_anew(journal: Journal, reviews: Reviews) -> None:
    """As after a damaged journal: the file of verdicts outlives it."""
    judge(reviews, "rejected")
    retractions = Retractions(journal)
    assert retractions.due() == []
    journal.commit([], [sample_alert(1)])
    assert [change.event.event_id for change in retractions.due()] == [EVENT]


def test_a_file_that_cannot_be_read_stops_nothing(
    journal: Journal, reviews: Reviews, caplog: pytest.LogCaptureFixture
) -> None:
    journal.commit([], [sample_alert(1)])
    reviews.path.mkdir()
    retractions = Retractions(journal)
    assert [retractions.due() for _ in range(5)] == [[]] * 5
    assert caplog.text.count("is not taken back") == 1
    reviews.path.rmdir()
    judge(reviews, "rejected")
    assert len(retractions.due()) == 1


def test_a_file_that_can_be_read_again_as_it_was_is_read(
    journal: Journal, reviews: Reviews, caplog: pytest.LogCaptureFixture
) -> None:
    """No handles left for a while, or a mode put right: the file itself has not changed."""
    journal.commit([], [sample_alert(1)])
    judge(reviews, "rejected")
    retractions = Retractions(journal)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        assert [retractions.due() for _ in range(3)] == [[]] * 3
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert caplog.text.count("is not taken back") == 1
    assert len(retractions.due()) == 1
