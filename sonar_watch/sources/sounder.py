"""The datagrams of one sounder as they come over the network -> navigation and swaths in order."""

from __future__ import annotations

import base64
import bisect
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram, LineContext, RawItem
from sonar_watch.formats.kmall import KmallDecoder, PartitionJoiner
from sonar_watch.formats.kmall_header import BODY, PARTITION, parse_common, parse_header
from sonar_watch.formats.kmall_parts import Lost
from sonar_watch.records import LineEnd, NavigationSample, SourceItem, identify, iso_utc
from sonar_watch.sources.reader import NAVIGATION_LEAD_S, SWATHS_HELD
from sonar_watch.sources.source import Complaints, Ledger

_log = logging.getLogger(__name__)

PARTS_WAIT_S = 2.0
PARTS_WAIT_DATAGRAMS = 256
PARTS_BYTES = 48 << 20
"""Limits of waiting for the parts of a swath after the last that came, and of all that wait."""

HELD_BYTES = 128 << 20
"""Of whole swaths that wait for navigation; the largest have 12 MB and come every few seconds."""

NAVIGATION_WAIT_S = 5.0
"""A stream that carries no navigation, or none any more, does not hold its swaths back longer."""

_SETUP = ("#IIP", "#SVP")
_SETUP_KEPT = "no sounder: what was set up"
_TOLD = 100
_RECENT = 256


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A whole swath: its datagram, and once that is decoded what it gave."""

    order: tuple[float, int, int]
    arrived_s: float
    datagram: Datagram
    decoded: list[SourceItem] | None = None

    @property
    def time_s(self) -> float:
        return self.order[0]


class SounderStream:
    """What one sounder sends, as a source that the others are merged with.

    Navigation is handed on at once. A swath is handed on as from files: when the navigation of
    this stream has come `NAVIGATION_LEAD_S` beyond it (motion is sent up to a second late), or
    when more than `SWATHS_HELD` wait; here also after `NAVIGATION_WAIT_S`. Swaths leave in the
    order of data time: one waits while an earlier one waits for parts. They are decoded when
    they leave, so that their heave (#CHE) may come after their last part, and never with an
    installation or a profile that came later. All that waits is bounded in number, bytes and
    time.

    The first datagrams of a line say where the transducer sits and how fast sound is. A watch
    that starts in the middle of a line knows them from the journal, where they are kept for each
    sender; one that never said them, such as a spare computer, has the last of that sounder.

    Parameters
    ----------
    source : str
        Its name in the configuration.
    sounder : str
        Such as "em712-40": its model and system number.
    sender : str
        Host that sends it.
    ledger : Ledger
    silent_limit_s : float
        Seconds without a datagram after which what waits is let go.
    """

    exhausted = False

    def __init__(
        self, *, source: str, sounder: str, sender: str, ledger: Ledger, silent_limit_s: float
    ) -> None:
        self.name = source
        self._sounder, self._sender, self._ledger = sounder, sender, ledger
        self._silent_limit_s = silent_limit_s
        self._context = LineContext()
        self._decoder = KmallDecoder(
            source=source, file=sender, context=self._context, is_done=ledger.is_done
        )
        self._joiner = PartitionJoiner(
            most_bytes=PARTS_BYTES, most_seen=PARTS_WAIT_DATAGRAMS, longest_s=PARTS_WAIT_S
        )
        self._complaints = Complaints(source, told_in_full=_TOLD)
        self._swaths: list[_Waiting] = []
        self._ready: list[SourceItem] = []
        self._recent: deque[str] = deque(maxlen=_RECENT)
        self._setup: dict[str, bytes] = {}
        self._said: set[str] = set()
        self._bytes = self._held_bytes = 0
        self._lost_parts = self._dropped = self._without_setup = 0
        self._navigation_s = float("-inf")
        self._arrived_s: float | None = None
        self._recall()

    @property
    def held(self) -> int:
        """Swaths that wait for navigation, or for an earlier one."""
        return len(self._swaths)

    @property
    def is_silent(self) -> bool:
        """True when nothing came for long, and all that waited was handed on."""
        return self._arrived_s is None and not self._ready

    def take(self, kind: str, data: bytes, arrived_s: float) -> None:
        """Take one whole datagram, or a part of one, that arrived at `arrived_s` by the clock."""
        self._arrived_s = arrived_s
        datagram = Datagram(kind=kind, data=data, offset=self._bytes)
        self._bytes += len(data)
        try:
            if not self._decoder.wants(data[:64]):
                return
            whole, lost = self._joiner.add(datagram, arrived_s)
            self._tell_lost(lost)
            if whole is None:
                return
            if whole.kind == "#MWC":
                self._queue(whole, arrived_s)
            elif whole.kind in _SETUP:
                self._set_up(whole)
            else:
                self._ready += self._navigation(self._decoder.decode(whole))
        except FormatError as error:
            self._complain(f"{kind}: {error}")

    def settle(self, now_s: float) -> None:
        """Make ready what need not wait any longer at `now_s`, by the clock of `take`."""
        self._tell_lost(self._joiner.expire(now_s))
        before_s = self._joiner.earliest_s
        while self._swaths and self._may_leave(now_s, before_s):
            self._hand_on_first()
        if self._arrived_s is not None and now_s - self._arrived_s >= self._silent_limit_s:
            self._end()

    def poll(self) -> list[SourceItem]:
        """Return what is ready."""
        ready, self._ready = self._ready, []
        return ready

    def counts(self) -> dict[str, int]:
        """Return what waits, and what was lost.

        "lost_parts" never came, "dropped" are swaths that lack one, "without_setup" swaths for
        which depth and lever arms of the transducer were not known.
        """
        return {
            "backlog": len(self._swaths) + len(self._ready),
            "broken": self._complaints.count,
            "dropped": self._dropped,
            "lost_parts": self._lost_parts,
            "without_setup": self._without_setup,
        }

    def close(self) -> None:
        """Nothing to close: the socket is not this one's."""

    def _is_done(self, frame_id: str) -> bool:
        return frame_id in self._recent or self._ledger.is_done(frame_id)

    def _navigation(self, items: list[RawItem]) -> list[RawItem]:
        """Note how far the navigation among `items` reaches."""
        for item in items:
            if isinstance(item, NavigationSample) and item.time_s.size:
                self._navigation_s = max(self._navigation_s, float(item.time_s[-1]))
        return items

    def _set_up(self, whole: Datagram) -> None:
        """Take an installation or a profile; first decode what was measured with the last one."""
        if whole.kind in self._said and self._setup[whole.kind][BODY:] == whole.data[BODY:]:
            return
        self._said.add(whole.kind)
        for waiting in self._swaths:
            self._decode(waiting)
        self._ready += self._decoder.decode(whole)
        self._setup[whole.kind] = whole.data
        self._remember()

    def _queue(self, whole: Datagram, arrived_s: float) -> None:
        header = parse_header(whole.data)
        common = parse_common(whole.data, BODY + PARTITION.size)
        frame_id = identify(
            header.sounder, common.ping_counter, common.swath, iso_utc(header.time_utc)
        )
        if self._is_done(frame_id):
            return
        self._recent.append(frame_id)
        order = header.time_utc.timestamp(), common.ping_counter, common.swath
        waiting = _Waiting(order=order, arrived_s=arrived_s, datagram=whole)
        bisect.insort(self._swaths, waiting, key=lambda each: each.order)
        self._held_bytes += len(whole.data)

    def _may_leave(self, now_s: float, before_s: float) -> bool:
        first = self._swaths[0]
        if len(self._swaths) > SWATHS_HELD or self._held_bytes > HELD_BYTES:
            return True
        heard = self._navigation_s >= first.time_s + NAVIGATION_LEAD_S
        waited = now_s - first.arrived_s > NAVIGATION_WAIT_S
        return first.time_s < before_s and (heard or waited)

    def _hand_on_first(self) -> None:
        first = self._swaths.pop(0)
        self._held_bytes -= len(first.datagram.data)
        self._ready += self._decode(first)

    def _decode(self, waiting: _Waiting) -> list[SourceItem]:
        """Return what a swath gives, decoded now if it was not before."""
        if waiting.decoded is None:
            self._note_without_setup()
            try:
                waiting.decoded = [*self._decoder.decode(waiting.datagram)]
            except FormatError as error:
                ping, swath = waiting.order[1:]
                _log.info("%s: %s ping %d swath %d: %s", self.name, self._sounder, ping, swath,
                          error)
                waiting.decoded = self._complaints.add(self._sender, f"#MWC: {error}")
        return waiting.decoded

    def _note_without_setup(self) -> None:
        if self._context.mounting is not None:
            return
        self._without_setup += 1
        if self._without_setup == 1:
            _log.warning(
                "%s: %s has not said yet how it is installed: until the next line begins, depth "
                "and lever arms of its transducer are taken as 0", self.name, self._sounder,
            )

    def _end(self) -> None:
        """Let everything go: nothing came for long."""
        self._arrived_s = None
        self._tell_lost(self._joiner.flush())
        while self._swaths:
            self._hand_on_first()
        model, _, system = self._sounder.partition("-")
        self._ready.append(
            LineEnd(source=self.name, sounder=model, unit=system, line=self._sender)
        )
        _log.info("%s: %s at %s is silent", self.name, self._sounder, self._sender)

    def _tell_lost(self, lost: list[Lost]) -> None:
        for each in lost:
            self._lost_parts += each.missing
            self._dropped += 1
            _log.info("%s: %s %s %s: %d of %d parts are missing", self.name, self._sounder,
                      each.first.kind, each.swath, each.missing, each.count)
            self._complain(f"{each.first.kind}: parts are missing")

    def _complain(self, reason: str) -> None:
        self._ready += self._complaints.add(self._sender, reason)

    @property
    def _keys(self) -> tuple[str, str]:
        """Where the journal keeps what was set up: by this sender, and by whichever said it."""
        sounder = f"{self.name}/{self._sounder}"
        return f"{sounder}/{self._sender}/setup", f"{sounder}/setup"

    def _remember(self) -> None:
        """Let the journal keep what was set up: the end of no line carries it there."""
        value = {kind: base64.b64encode(data).decode() for kind, data in self._setup.items()}
        for key in self._keys:
            checkpoint = {"key": key, "value": value}
            self._ready.append(
                LineEnd(source=self.name, sounder=_SETUP_KEPT, checkpoint=checkpoint)
            )

    def _recall(self) -> None:
        known: Any = None
        for key in self._keys:
            known = self._ledger.checkpoint(key)
            if isinstance(known, dict):
                break
        else:
            return
        for kind in _SETUP:
            try:
                data = base64.b64decode(known.get(kind, ""), validate=True)
                if data:
                    self._decoder.decode(Datagram(kind=kind, data=data, offset=0))
                    self._setup[kind] = data
                    if key == self._keys[0]:
                        self._said.add(kind)
            except (FormatError, ValueError, TypeError) as error:
                _log.warning("%s: what was set up before cannot be read: %s", key, error)
