"""Receives each alert exactly once and in order, whatever happens in between.

Messages may be lost, the publisher or this program restarted, the network gone for a while:
what is missing is asked for. Needs the base installation only.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sonar_watch.alerts.asking import RefusedError, read_status, unpack_answer
from sonar_watch.alerts.curve import ClientKeys
from sonar_watch.alerts.following import Following
from sonar_watch.alerts.link import Link
from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.wire import (
    ALERT_TOPICS,
    EPOCH_TOPIC,
    STATUS_TOPIC,
    Message,
    unpack,
    unpack_object,
)
from sonar_watch.errors import ConfigurationError, WireError
from sonar_watch.records import Alert, Tense

__all__ = ["ReceivedAlert", "Subscriber", "read_status"]

log = logging.getLogger(__name__)

_LIVE: tuple[Tense, ...] = ("live",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAlert:
    """One alert as it came.

    Parameters
    ----------
    sequence : int
        1, 2, 3 ... within `epoch`; keep both to resume after it.
    epoch : str
        The journal it comes from.
    topic : str
        Such as "live.alert.new.".
    alert : Alert
    body : bytes
        The GeoJSON Feature, exactly as the journal holds it.
    """

    sequence: int
    epoch: str
    topic: str
    alert: Alert
    body: bytes


class Subscriber:
    """A subscription to one watch, for use from one thread.

    Parameters
    ----------
    publish, request : str
        The watch's PUB and ROUTER endpoints.
    after : int or None
        Sequence of the last alert handled before: 0 brings everything the watch ever said,
        None begins with what comes from now on.
    epoch : str or None
        Epoch of that alert. When the watch has another journal by now, all of that one follows
        from sequence 1, with a warning in the log.
    tenses : collection of {"live", "replay", "test"}
        What to deliver; anything else is passed over.
    curve : ClientKeys or None
        Needed for a watch on another host.
    retry_s : float
        Seconds before a question without an answer is asked again.

    Raises
    ------
    ConfigurationError
        An endpoint is not one, or leaves this host without keys; `tenses` has unknown words.

    Examples
    --------
    >>> with Subscriber("tcp://127.0.0.1:6790", "tcp://127.0.0.1:6791") as subscriber:
    ...     received = subscriber.receive(timeout_s=0)
    """

    def __init__(
        self,
        publish: str,
        request: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        tenses: Collection[Tense] = _LIVE,
        curve: ClientKeys | None = None,
        retry_s: float = 2.0,
    ) -> None:
        _check(after, tenses)
        self.endpoints = (publish, request)
        self.status: dict[str, Any] | None = None
        """The last status heard."""
        self._following = Following(after, epoch)
        self._tenses = frozenset(tenses)
        self._ready: deque[ReceivedAlert] = deque()
        self._retry_s = retry_s
        self._asked, self._ask_at = 0, 0.0
        self._link = Link(publish, request, curve)

    @property
    def after(self) -> int | None:
        """Sequence of the last alert that `receive` returned or passed over."""
        return self._ready[0].sequence - 1 if self._ready else self._following.last

    @property
    def epoch(self) -> str | None:
        """The journal that is followed; None before the first answer."""
        return self._following.epoch

    @property
    def caught_up(self) -> bool:
        """Whether everything that the watch is known to have said has been returned."""
        return not self._following.behind and not self._ready

    def receive(self, timeout_s: float | None = None) -> ReceivedAlert | None:
        """Return the next alert, or None when `timeout_s` passes without one.

        Without `timeout_s` it waits as long as it takes.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ready:
            left_s = self._retry_s if deadline is None else deadline - time.monotonic()
            self._turn(max(left_s, 0))
            if left_s <= 0:
                break
        return self._ready.popleft() if self._ready else None

    def __iter__(self) -> Iterator[ReceivedAlert]:
        while True:
            received = self.receive()
            if received is not None:
                yield received

    def close(self) -> None:
        """Close the sockets; harmless when closed already."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _turn(self, wait_s: float) -> None:
        """Ask for what is missing, wait for something to happen, take it in."""
        now, to_send = time.monotonic(), False
        if self._following.behind and now >= self._ask_at:
            to_send = not self._ask(now)
        elif self._following.behind:
            wait_s = min(wait_s, self._ask_at - now)
        self._link.wait(wait_s, to_send=to_send)
        for frames in self._link.answers():
            self._take_answer(frames)
        for frames in self._link.published():
            self._take_published(frames)

    def _ask(self, now: float) -> bool:
        """Return whether the question is on its way."""
        sent = self._link.send(self._following.question() | {"id": self._asked + 1})
        if sent:
            self._asked += 1
            self._ask_at = now + self._retry_s
        return sent

    def _take_answer(self, frames: list[bytes]) -> None:
        try:
            header, messages = unpack_answer(frames)
            epoch, head = _position(header)
        except RefusedError as error:
            self._take_refusal(error)
            return
        except WireError as error:
            log.warning("%s: %s", self.endpoints[1], error)
            return
        if header.get("id") != self._asked:
            return  # Late: asked again since.
        self._link.heard()
        before = (self._following.epoch, self._following.last)
        self._deliver(self._following.take_answer(epoch, head, messages))
        if not self._following.behind or before != (self._following.epoch, self._following.last):
            self._ask_at = 0.0  # It brought us on: the next question need not wait.

    def _take_refusal(self, refusal: RefusedError) -> None:
        """Ask again when the publisher says that it may be asked."""
        if refusal.retry_after_s is None:
            log.warning("%s: %s", self.endpoints[1], refusal)
            return
        log.info("%s: %s", self.endpoints[1], refusal)
        self._link.heard()
        self._ask_at = time.monotonic() + refusal.retry_after_s

    def _take_published(self, frames: list[bytes]) -> None:
        try:
            self._take_frames(frames)
        except WireError as error:
            log.warning("%s: %s", self.endpoints[0], error)

    def _take_frames(self, frames: list[bytes]) -> None:
        if len(frames) == 1 and frames[0].startswith(EPOCH_TOPIC.encode()):
            self._following.hear_epoch(frames[0][len(EPOCH_TOPIC) :].decode(errors="replace"))
            return
        message = unpack(frames)
        if message.topic == STATUS_TOPIC:
            self._take_status(message)
        else:
            self._deliver(self._following.take_published(message))
        self._link.heard()

    def _take_status(self, message: Message) -> None:
        status = unpack_object(message.body)
        epoch, head = _position(status)
        self.status = status
        self._following.hear_epoch(epoch)
        self._following.hear_head(head)

    def _deliver(self, messages: list[Message]) -> None:
        for message in messages:
            received = self._decode(message)
            if received is not None and received.alert.tense in self._tenses:
                self._ready.append(received)

    def _decode(self, message: Message) -> ReceivedAlert | None:
        if not message.topic.startswith(ALERT_TOPICS):
            return None  # A durable kind that this version does not know.
        try:
            alert = decode_alert(message.body)
        except WireError as error:
            log.error("alert %d passed over, not understood: %s", message.sequence, error)
            return None
        return ReceivedAlert(
            sequence=message.sequence,
            epoch=self._following.epoch or "",
            topic=message.topic,
            alert=alert,
            body=message.body,
        )


def _check(after: int | None, tenses: Collection[Tense]) -> None:
    if after is not None and after < 0:
        raise ConfigurationError(f"after: expected a sequence from 0 up, or None, received {after}")
    unknown = sorted(set(tenses) - {"live", "replay", "test"})
    if unknown or not tenses:
        raise ConfigurationError(f"tenses: expected live, replay or test, received {unknown}")


def _position(fields: dict[str, Any]) -> tuple[str, int]:
    """Return epoch and head sequence of a status or an answer."""
    epoch, head = fields.get("epoch"), fields.get("head_sequence")
    if not isinstance(epoch, str) or not isinstance(head, int) or head < 0:
        raise WireError(f"expected epoch and head_sequence, received {epoch!r:.60}, {head!r:.60}")
    return epoch, head
