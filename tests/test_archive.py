"""Journals to result files, raw lines to pictures."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from sonar_watch import archive
from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.archive import export_journal, render_lines
from sonar_watch.errors import JournalError
from sonar_watch.formats.kmall_header import HEADER
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.writing import sail

RESULTS = ("detections.jsonl", "alerts.jsonl", "alerts.geojson")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of three frames and three alerts: two of the first event, one of another."""
    path = tmp_path / "journal.sqlite"
    first, other, last = (sample_alert(number) for number in (1, 2, 3))
    other = replace(other, event=replace(other.event, event_id="other"))
    last = replace(last, event=first.event, kind="update")
    with Journal(path) as opened:
        for number, alert in enumerate((first, other, last)):
            body = {"number": number}
            entry = FrameEntry(
                frame_id=str(number), time_utc=alert.time_utc, body=body)
            opened.commit([entry], [alert])
    return path


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_journal_is_written_out(journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = export_journal(journal, out)
    assert (summary["frames"], summary["alerts"], summary["events"]) == (3, 3, 2)
    assert lines_of(out / "detections.jsonl") == [{"number": number} for number in range(3)]
    alerts = lines_of(out / "alerts.jsonl")
    events = json.loads((out / "alerts.geojson").read_text())["features"]
    assert events == [alerts[2], alerts[1]]  # the last of each, in the order of their first
    assert sorted(path.name for path in out.iterdir()) == sorted(RESULTS)


def test_an_export_that_fails_leaves_the_old_files(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export_journal(journal, out)
    before = {name: (out / name).read_bytes() for name in RESULTS}

    def bodies(_reader: object) -> Iterator[dict[str, int]]:
        yield {"number": 99}
        raise JournalError("disk I/O error")

    monkeypatch.setattr(archive.JournalReader, "frame_bodies", bodies)
    with pytest.raises(JournalError):
        export_journal(journal, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


class LargeJournal:
    """Gives frames and alerts of some kB each, made as they are asked for."""

    rows = 2000
    text = "x" * 5000

    def __init__(self, _path: Path) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def frame_bodies(self) -> Iterator[dict[str, Any]]:
        return ({"number": number, "text": self.text} for number in range(self.rows))

    def alerts_after(self, sequence: int, limit: int) -> list[tuple[int, str, bytes]]:
        return [(number, "topic", self._alert(number))
                for number in range(sequence + 1, min(sequence + min(limit, 50), self.rows) + 1)]

    def _alert(self, number: int) -> bytes:
        properties = {"event_id": str(number % 3), "site_id": "", "text": self.text + str(number)}
        return json.dumps(
            {"type": "Feature", "geometry": None, "properties": properties}).encode()

    def quarantined(self) -> Iterator[tuple[str, str]]:
        return iter(())


def test_an_export_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "JournalReader", LargeJournal)
    tracemalloc.start()
    try:
        summary = export_journal(tmp_path / "any", tmp_path / "out")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (summary["frames"], summary["alerts"], summary["events"]) == (2000, 2000, 3)
    assert peak_bytes < (tmp_path / "out" / "detections.jsonl").stat().st_size / 5


def without_positions(path: Path) -> None:
    """Take the position datagrams out of a raw file."""
    data, kept, at = path.read_bytes(), b"", 0
    while at < len(data):
        size, kind = HEADER.unpack_from(data, at)[:2]
        kept += b"" if kind == b"#SPO" else data[at : at + size]
        at += size
    path.write_bytes(kept)


def write_log(path: Path, begins: datetime, seconds: int) -> Path:
    """Write a log of position and heading, one of each a second."""
    lines: list[str] = []
    for second in range(seconds):
        at = begins + timedelta(seconds=second)
        for sentence in (f"GPGGA,{at:%H%M%S}.00,5400.0000,N,00800.{second:04d},E,2,9,1,0,M,0,M,,",
                         "HEHDT,90.0,T"):
            checksum = 0
            for letter in sentence.encode():
                checksum ^= letter
            lines.append(f"{at:%Y-%m-%dT%H:%M:%S.000000Z} ${sentence}*{checksum:02X}\n")
    path.write_text("".join(lines))
    return path


def test_pictures_get_their_positions_from_a_log(tmp_path: Path) -> None:
    survey = demo_survey()
    line = replace(survey.lines[0], length_m=20.0)
    for _ in sail(replace(survey, lines=(line,)), tmp_path):
        pass
    (water_column,) = (tmp_path / "raw").glob("*.kmwcd")
    without_positions(water_column)
    (tmp_path / "raw" / f"{water_column.stem}.kmall").unlink()
    log = write_log(tmp_path / "nav.log", line.start_utc - timedelta(seconds=10), 60)
    pictures = list(render_lines([water_column, log], tmp_path / "out", Settings()))
    sidecars = [json.loads(path.with_suffix(".json").read_text()) for path in pictures]
    assert len(sidecars) > 2
    assert all(sidecar.get("latitude") == pytest.approx(54.0) for sidecar in sidecars)
