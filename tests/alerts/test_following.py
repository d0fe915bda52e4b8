import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.alerts.following import Following
from sonar_watch.alerts.wire import Message


def message(sequence: int) -> Message:
    return Message("live.alert.new.", sequence, b"{}")


def answer(follows: Following, epoch: str, head: int, limit: int = 500) -> list[int]:
    """What the request socket of a journal with `head` alerts would bring."""
    after = follows.question().get("after")
    rows = [] if after is None else range(after + 1, min(after + limit, head) + 1)
    return [got.sequence for got in follows.take_answer(epoch, head, map(message, rows))]


def synced(head: int = 0, after: int = 0) -> Following:
    follows = Following(after)
    follows.hear_epoch("a")
    while follows.behind:
        answer(follows, "a", head)
    return follows


def test_in_order_messages_pass_at_once() -> None:
    follows = synced()
    assert [m.sequence for n in (1, 2, 3) for m in follows.take_published(message(n))] == [1, 2, 3]
    assert not follows.behind


def test_a_gap_is_asked_for() -> None:
    follows = synced()
    assert follows.take_published(message(3)) == []
    assert follows.behind
    assert follows.question() == {"verb": "replay", "after": 0, "limit": 500}
    assert answer(follows, "a", 3) == [1, 2, 3]
    assert not follows.behind


def test_a_status_tells_that_the_last_one_was_missed() -> None:
    follows = synced(head=4)
    follows.hear_head(4)
    assert not follows.behind
    follows.hear_head(5)
    assert follows.behind


def test_nothing_is_believed_before_the_journal_is_known() -> None:
    follows = Following(0)
    assert follows.take_published(message(1)) == []
    assert follows.behind


def test_without_after_it_begins_at_the_head() -> None:
    follows = Following(None)
    assert answer(follows, "a", 17) == []
    follows.hear_epoch("a")
    assert follows.take_published(message(17)) == []
    assert [m.sequence for m in follows.take_published(message(18))] == [18]


def test_another_journal_starts_again_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    follows = synced(head=3)
    # The dangerous case: its next number fits, but it counts in another journal.
    follows.hear_epoch("b")
    assert follows.take_published(message(4)) == []
    with caplog.at_level(logging.WARNING):
        assert answer(follows, "b", 4) == []
    assert "epoch b instead of a" in caplog.text
    assert answer(follows, "b", 4) == [1, 2, 3, 4]
    assert [m.sequence for m in follows.take_published(message(5))] == [5]


def test_more_than_the_journal_has_means_another_journal(caplog: pytest.LogCaptureFixture) -> None:
    follows = Following(after=50)
    assert answer(follows, "b", 2) == []
    assert answer(follows, "b", 2) == [1, 2]
    assert "not known here" in caplog.text


def test_a_known_epoch_is_held_to() -> None:
    follows = Following(after=2, epoch="a")
    assert answer(follows, "b", 9) == []
    assert answer(follows, "b", 9) == list(range(1, 10))


@given(st.integers(0, 40), st.integers(0, 2**32), st.floats(0, 1))
def test_each_once_and_in_order_whatever_is_lost_doubled_or_swapped(
    total: int, seed: int, loss: float
) -> None:
    chance = random.Random(seed)
    follows, got = synced(), []
    for head in range(1, total + 1):
        sent = [head] * chance.choice([1, 1, 2]) + [chance.randint(1, head)]
        for sequence in chance.sample(sent, len(sent)):
            if chance.random() >= loss:
                got += [m.sequence for m in follows.take_published(message(sequence))]
        if follows.behind and chance.random() < 0.5:
            got += answer(follows, "a", head, limit=3)
    follows.hear_head(total)
    while follows.behind:
        got += answer(follows, "a", total, limit=3)
    assert got == list(range(1, total + 1))


def test_a_liar_cannot_make_it_skip() -> None:
    follows = synced()
    assert follows.take_answer("a", 9, [message(5), message(2)]) == []
    assert [m.sequence for m in follows.take_answer("a", 9, [message(1), message(3)])] == [1]
    assert follows.behind
