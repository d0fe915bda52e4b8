"""Work on what is already recorded: journals to result files, raw lines to pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.atomic import whole_file
from sonar_watch.exporters.geojson import write_geojson
from sonar_watch.formats.sidecar import write_sidecar
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.images import write_png
from sonar_watch.pipeline.hold import NavigationHold, Settled, SwathItem
from sonar_watch.records import (
    LineEnd,
    NavigationFix,
    Quarantined,
    SourceItem,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.settings import Settings
from sonar_watch.sources.merge import Merger
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
    The journal may be larger than the memory: of its alerts only the last of each event is held.

    Raises
    ------
    JournalError
        The journal cannot be read; of the file being written, the old one stays.
    OSError
        The folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    quarantined: dict[str, list[str]] = {}
    last: dict[str, bytes] = {}
    with JournalReader(journal) as reader:
        bodies = (json.dumps(body, separators=(",", ":")) for body in reader.frame_bodies())
        frames = _write_lines(out / "detections.jsonl", (body.encode() for body in bodies))
        alerts = _write_lines(out / "alerts.jsonl", _noting_last(_alert_bodies(reader), last))
        for file, reason in reader.quarantined():
            quarantined.setdefault(file, []).append(reason)
    events = [json.loads(body) for body in last.values()]
    write_geojson(out / "alerts.geojson", events)
    return {
        "frames": frames,
        "alerts": alerts,
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


def _noting_last(alerts: Iterable[bytes], last: dict[str, bytes]) -> Iterator[bytes]:
    """Pass alerts on; keep the last of each event in `last`, in the order of their first."""
    for body in alerts:
        last[json.loads(body)["properties"]["event_id"]] = body
        yield body


def _write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines one by one and return their number; a reader sees all of them or none."""
    count = 0
    with whole_file(path) as file:
        for line in lines:
            file.write(line + b"\n")
            count += 1
    return count


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
    # Side by side, as a replay does: the ship's positions may be in a log of their own.
    source = Merger(open_inputs(inputs), live=False)
    try:
        while not source.exhausted:
            yield from _settled_pings(hold.take(_usable(source.poll())))
    finally:
        source.close()


def _settled_pings(
    items: Iterable[Settled | LineEnd],
) -> Iterator[tuple[WaterColumnPing, NavigationFix | None]]:
    for left in items:
        if isinstance(left, Settled) and isinstance(left.swath, WaterColumnPing):
            yield left.swath, left.fix


def _usable(items: Iterable[SourceItem]) -> Iterator[SwathItem]:
    """Yield all but what was set aside, which is said."""
    for item in items:
        if isinstance(item, Quarantined):
            log.warning("%s: %s", item.source.file, item.reason)
        else:
            yield item
