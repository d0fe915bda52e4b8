import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.alerts.answers import Answerer, Desk
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.reviews import Reviews
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.alerts.wire import MAX_BATCH, Message, unpack_many

COUNT = MAX_BATCH + 3


UNLIMITED = {"requests_per_s": 1e9, "replayed_per_s": 1e9}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    path: Path = tmp_path_factory.mktemp("answers") / "journal.sqlite"
    with Journal(path) as journal:
        journal.commit([], [sample_alert(n) for n in range(1, COUNT)])
        journal.commit([], [sample_alert(COUNT, kind="end")])
        yield Answerer(
            journal, lambda: {"epoch": journal.epoch, "head_sequence": COUNT}, **UNLIMITED
        )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with Journal(tmp_path_factory.mktemp("small") / "journal.sqlite") as journal:
        journal.commit([], [sample_alert(1), sample_alert(2)])
        desk = Desk(
            reviews=Reviews(journal.path.with_name("reviews.jsonl")),
            reviewer=lambda _asker: None,
            publish=lambda _message: None,
        )
        yield Answerer(
            journal, lambda: {"epoch": journal.epoch, "head_sequence": 2}, desk, **UNLIMITED
        )


def ask(answerer: Answerer, **request: object) -> tuple[dict, list[Message]]:
    frames = answerer.answer(json.dumps(request).encode())
    return json.loads(frames[0]), unpack_many(frames[1:])


def test_replay_gives_what_was_published(answerer: Answerer) -> None:
    header, messages = ask(answerer, verb="replay", after=2, limit=2, id="q1")
    assert header.pop("epoch")
    marks = {"ok": True, "verb": "replay", "id": "q1"}
    assert header == marks | {"head_sequence": COUNT, "more": True}
    assert messages == [
        Message("live.alert.new.", n, encode_alert(sample_alert(n))) for n in (3, 4)
    ]


def test_batches_are_bounded(answerer: Answerer) -> None:
    header, messages = ask(answerer, verb="replay", after=0, limit=10**30)
    assert len(messages) == MAX_BATCH
    assert header["more"] is True
    header, messages = ask(answerer, verb="replay", after=MAX_BATCH)
    assert [m.sequence for m in messages] == list(range(MAX_BATCH + 1, COUNT + 1))
    assert header["more"] is False


@pytest.mark.parametrize("after", [COUNT, COUNT + 1, 2**63, 10**30])
def test_beyond_the_head_there_is_nothing(answerer: Answerer, after: int) -> None:
    header, messages = ask(answerer, verb="replay", after=after)
    assert (header["head_sequence"], header["more"], messages) == (COUNT, False, [])


def test_snapshot_gives_the_open_events(answerer: Answerer) -> None:
    header, messages = ask(answerer, verb="snapshot")
    assert header["head_sequence"] == COUNT
    assert [m.sequence for m in messages] == list(range(1, COUNT))


def test_status(answerer: Answerer) -> None:
    assert ask(answerer, verb="status")[0]["head_sequence"] == COUNT


@pytest.mark.parametrize(
    ("request_body", "error"),
    [
        (b"", "JSON object"),
        (b"\xff\x00", "JSON object"),
        (b"[1]", "JSON object"),
        (b"[" * 50_000, "JSON object"),
        (b"9" * 5000, "JSON object"),
        (b"{}", "replay | snapshot | status | review | rejected"),
        (b'{"verb": "drop tables"}', "drop tables"),
        (b'{"verb": ["replay"]}', "expected verb"),
        (b'{"verb": "\\ud800", "id": "\\ud800"}', "expected verb"),
        (b'{"verb": "replay", "after": -1}', "after"),
        (b'{"verb": "replay", "after": "0"}', "after"),
        (b'{"verb": "replay", "after": true}', "after"),
        (b'{"verb": "replay", "after": NaN, "id": NaN}', "after"),
        (b'{"verb": "replay", "limit": 0}', "limit"),
    ],
)
def test_broken_requests_get_an_error(answerer: Answerer, request_body: bytes, error: str) -> None:
    frames = answerer.answer(request_body)
    assert len(frames) == 1
    header = json.loads(frames[0])
    assert header["ok"] is False
    assert error in header["error"]


def test_an_id_that_json_cannot_say_back_is_left_out(answerer: Answerer) -> None:
    header = json.loads(answerer.answer(b'{"verb": "replay", "id": Infinity}')[0])
    assert header["ok"] is True
    assert "id" not in header


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
verbs = st.sampled_from(["replay", "snapshot", "status", "crop", "review", "rejected"]) | values
keys = st.sampled_from(["after", "limit", "id", "epoch", "event_id", "by", "note"]) | st.text()
some = st.dictionaries(keys, values, max_size=4)
verdicts = some.map(lambda fields: {"event_id": "", "verdict": "rejected"} | fields)


@given(some | verdicts, verbs, st.binary())
def test_no_request_breaks_it(
    small: Answerer, fields: dict, verb: object, junk: bytes
) -> None:
    for body in (junk, json.dumps(fields | {"verb": verb}).encode()):
        header = json.loads(small.answer(body)[0])
        assert header["ok"] is True or header["error"]
