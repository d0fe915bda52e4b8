"""Which alert comes next: the subscriber's bookkeeping, without sockets.

What is published says where the head is, and may be lost, late or doubled. Only the answers of
the request socket say which journal (epoch) is followed: they alone change it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from sonar_watch.alerts.wire import MAX_BATCH, Message

log = logging.getLogger(__name__)


class Following:
    """Turns messages in any order, with gaps and repeats, into each one once and in order.

    Parameters
    ----------
    after : int or None
        The last sequence already handled; None to begin with what comes from now on.
    epoch : str or None
        The journal that `after` counts in, when it is known.
    """

    def __init__(self, after: int | None = None, epoch: str | None = None) -> None:
        self.last = after
        self.epoch = epoch
        self.head: int | None = None
        self.behind = True
        """Whether there is something to ask for."""
        self._stream_epoch: str | None = None

    def question(self) -> dict[str, Any]:
        """Return the request that brings what is missing."""
        if self.last is None:
            return {"verb": "status"}
        return {"verb": "replay", "after": self.last, "limit": MAX_BATCH}

    def hear_epoch(self, epoch: str) -> None:
        """Take note of the journal that the published stream tells of from here on."""
        self._stream_epoch = epoch
        if epoch != self.epoch:
            self.behind = True

    def hear_head(self, head: int) -> None:
        """Take note that the stream has come to `head`."""
        if self.last is None or head > self.last:
            self.behind = True

    def take_published(self, message: Message) -> list[Message]:
        """Return what `message` makes deliverable: itself, or nothing."""
        if self.last is None or self.epoch is None or self._stream_epoch != self.epoch:
            self.behind = True
            return []
        if message.sequence > self.last + 1:
            self.behind = True
        return self._take([message])

    def take_answer(self, epoch: str, head: int, messages: Iterable[Message]) -> list[Message]:
        """Return what an answer makes deliverable."""
        if self._is_other_journal(epoch, head):
            self._start_again(epoch)
            return []
        self.epoch, self.head = epoch, head
        if self.last is None:
            self.last = head
        taken = self._take(messages)
        self.behind = self.last < head
        return taken

    def _take(self, messages: Iterable[Message]) -> list[Message]:
        taken = []
        for message in messages:
            if self.last is not None and message.sequence == self.last + 1:
                self.last = message.sequence
                taken.append(message)
        if self.last is not None:
            self.head = max(self.head or 0, self.last)
        return taken

    def _is_other_journal(self, epoch: str, head: int) -> bool:
        """Return whether our sequences count in another journal than this answer's."""
        if self.epoch is not None:
            return epoch != self.epoch
        return self.last is not None and self.last > head

    def _start_again(self, epoch: str) -> None:
        log.warning(
            "the publisher has another journal: epoch %s instead of %s; all of its alerts follow, "
            "from sequence 1 on (the last one received was %s)",
            epoch,
            self.epoch or "one not known here",
            self.last,
        )
        self.last, self.epoch, self.head, self.behind = 0, epoch, None, True
