"""What the command line says of long work where there is no terminal."""

from __future__ import annotations

import logging

import pytest

from sonar_watch.cli import output


def test_the_log_tells_how_far_the_work_is_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), output.progress("tiles", 9000) as advance:
        advance(3000)  # known from an earlier run
        now[0] += 11
        advance(1)
        now[0] += 20
        advance(10)
        now[0] += 5
        advance(90)
    assert caplog.messages == [
        "3001 of 9000 tiles, 0:00:22 left", "3011 of 9000 tiles, 3:19:38 left",
    ]


def test_work_without_an_end_in_sight_tells_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), output.progress("pictures") as advance:
        now[0] += 11
        advance()
    assert caplog.messages == ["1 pictures"]
