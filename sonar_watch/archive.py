"""Work on what is already recorded: journals to result files, raw lines to pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.exporters.geojson import write_geojson
from sonar_watch.formats.sidecar import write_sidecar
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.images import write_atomic, write_png
from sonar_watch.pipeline.hold import NavigationHold, Settled, SwathItem
from sonar_watch.records import (
    NavigationFix,
    Quarantined,
    SourceItem,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.settings import Settings
from sonar_watch.sources.replay import open_inputs
from sonar_watch.watercolumn.raster import Rasteriser
from sonar_watch.watercolumn.render import annotate

log = logging.getLogger(__name__)

_PAGE = 1000
RESULT_PATTERNS = (
    "journal.sqlite*",
    "detections.jsonl",
    "alerts.jsonl",
    "alerts.geojson",
    "events/*.png",
)
"""What a watch leaves in its folder, and nothing else."""


def export_journal(journal: Path, out: Path) -> dict[str, Any]:
    """Write what a journal holds; return a summary.

    Writes `detections.jsonl` (one object a frame, in the order of processing), `alerts.jsonl`
    (exactly what is published, a line each) and `alerts.geojson` (the last state of each event).

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    with JournalReader(journal) as reader:
        frames = [json.dumps(body, separators=(",", ":")) for body in reader.frame_bodies()]
        alerts = list(_alert_bodies(reader))
        quarantined: dict[str, list[str]] = {}
        for file, reason in reader.quarantined():
            quarantined.setdefault(file, []).append(reason)
    _write_lines(out / "detections.jsonl", frames)
    _write_lines(out / "alerts.jsonl", (body.decode() for body in alerts))
    events = _last_states(alerts)
    write_geojson(out / "alerts.geojson", events)
    return {
        "frames": len(frames),
        "alerts": len(alerts),
        "events": len(events),
        "sites": len({event["properties"]["site_id"] for event in events} - {""}),
        "quarantined": quarantined,
        "out": str(out),
    }


def forget_results(out: Path) -> None:
    """Remove the journal, the result files and the pictures of a watch from a folder."""
    for pattern in RESULT_PATTERNS:
        for path in out.glob(pattern):
            path.unlink()


def _alert_bodies(reader: JournalReader) -> Iterator[bytes]:
    after = 0
    while page := reader.alerts_after(after, _PAGE):
        yield from (body for _, _, body in page)
        after = page[-1][0]


def _last_states(alerts: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the last alert of each event, in the order of their first."""
    last: dict[str, dict[str, Any]] = {}
    for body in alerts:
        feature = json.loads(body)
        last[feature["properties"]["event_id"]] = feature
    return list(last.values())


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    write_atomic(path, "".join(f"{line}\n" for line in lines).encode())


def render_lines(
    inputs: Sequence[Path], out: Path, settings: Settings, *, annotated: bool = False
) -> Iterator[Path]:
    """Draw every swath of raw files as PNG + sidecar; yield each picture's path.

    Parameters
    ----------
    annotated : bool
        Also write pictures for people, with axes and seabed, in `out/annotated`.
    """
    out.mkdir(parents=True, exist_ok=True)
    raster = Rasteriser(settings.raster)
    for ping, fix in _pings(inputs, settings):
        frame = raster.frame(ping, fix)
        path = out / f"{Path(ping.source.file).stem}_{ping.ping_counter:06d}_{ping.swath}.png"
        write_sidecar(path.with_suffix(".json"), frame)
        write_png(path, frame.image)
        if annotated:
            _write_annotated(out / "annotated" / path.name, frame)
        yield path


def _write_annotated(path: Path, frame: WaterColumnFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, annotate(frame, [], []))


def _pings(
    inputs: Sequence[Path], settings: Settings
) -> Iterator[tuple[WaterColumnPing, NavigationFix | None]]:
    """Yield each ping of raw files with the ship's position where it is known."""
    track = NavigationTrack(settings.navigation)
    hold = NavigationHold(track, settings.pipeline.hold_swaths, settings.pipeline.hold_s)
    for source in open_inputs(inputs):
        try:
            while not source.exhausted:
                for left in hold.take(_usable(source.poll())):
                    if isinstance(left, Settled) and isinstance(left.swath, WaterColumnPing):
                        yield left.swath, left.fix
        finally:
            source.close()


def _usable(items: Iterable[SourceItem]) -> Iterator[SwathItem]:
    """Yield all but what was set aside, which is said."""
    for item in items:
        if isinstance(item, Quarantined):
            log.warning("%s: %s", item.source.file, item.reason)
        else:
            yield item
