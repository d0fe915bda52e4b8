"""Devices that were lost, remembered over restarts: who is lost again and again is left alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.errors import JournalError

log = logging.getLogger(__name__)

LOSS_KEY = "detector/lost"
MOST_LOSSES = 2
"""A device lost so often in a row, without one swath done in between, is done without."""


class Ledger(Protocol):
    """The journal, as losses need it."""

    def counts(self) -> dict[str, int]: ...
    def checkpoint(self, key: str) -> Any | None: ...
    def commit(
        self, frames: list[Any], alerts: list[Any], state: None, checkpoints: Mapping[str, Any]
    ) -> None: ...


class Losses:
    """What the journal knows of lost devices.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, reason: str) -> None:
        """Remember that the device was lost; the process is about to end."""
        try:
            frames, known = self._ledger.counts()["frames"], self._ledger.checkpoint(LOSS_KEY)
            before = 0 if known is None or known["frames"] != frames else int(known["times"])
            loss = {"times": before + 1, "frames": frames, "reason": reason}
            self._ledger.commit([], [], None, {LOSS_KEY: loss})
        except JournalError as error:
            log.error("the loss of the device is not remembered: %s", error)

    def choose(self, options: DetectorOptions) -> tuple[DetectorOptions, str | None]:
        """Return the options to start with, and what to say when they are not those given.

        What was lost once is tried again; what was lost `MOST_LOSSES` times in a row without a
        swath done is left out of one run of the watch.
        """
        known = self._ledger.checkpoint(LOSS_KEY)
        if known is None or known["times"] < MOST_LOSSES or options.device == "cpu":
            return options, None
        self._ledger.commit([], [], None, {LOSS_KEY: None})
        notice = (
            f"the device was lost {known['times']} times in a row ({known['reason']}): the network "
            "runs on the CPU, slower; the next start tries the device again"
        )
        log.critical("%s", notice)
        return replace(options, device="cpu"), notice
