"""A simulated survey as files: growing raw twins, pictures with sidecars, the truth.

With a pace, files grow as a sounder writes them: in pieces, also in the middle of a datagram.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.datagrams import Mounting
from sonar_watch.formats.kmall_mwc import encode_mwc
from sonar_watch.formats.kmall_sensors import encode_skm, encode_spo
from sonar_watch.formats.kmall_setup import encode_iip, encode_iop, encode_svp
from sonar_watch.formats.sidecar import write_sidecar
from sonar_watch.images import write_png
from sonar_watch.records import (
    NavigationFix,
    WaterColumnPing,
    iso_utc,
)
from sonar_watch.simulation.cruise import Line, Survey
from sonar_watch.simulation.echo import TrueBox, hear
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounder import PROFILE
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

Kind = Literal["raw", "images", "both"]


class LineWriter(Protocol):
    """Takes the swaths of one line in order."""

    def write(self, ping: WaterColumnPing, state: ShipState) -> None: ...
    def close(self) -> None: ...


class RawLineWriter:
    """Writes one line as `.kmall` (navigation, attitude) and `.kmwcd` (water column).

    Parameters
    ----------
    folder : Path
    survey, line
        What is sailed.
    pieces : bool
        Append datagrams in two pieces with a flush between them, as a file grows at sea.
    """

    def __init__(self, folder: Path, survey: Survey, line: Line, pieces: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._survey, self._line, self._pieces = survey, line, pieces
        self._water: BufferedWriter = (folder / f"{line.name}.kmwcd").open("wb")
        self._motion: BufferedWriter = (folder / f"{line.name}.kmall").open("wb")
        self._second = 0
        header = self._header()
        self._append(self._motion, header)
        self._append(self._water, header)
        self._navigate_until(0)

    def _header(self) -> bytes:
        """Installation, runtime settings and sound speed, as both twins begin."""
        sounder, start = self._survey.sounder, self._line.start_utc
        mounting = Mounting(
            lever_forward_m=sounder.lever_forward_m,
            lever_starboard_m=sounder.lever_starboard_m,
            depth_m=sounder.transducer_depth_m,
            beam_width_deg=sounder.beam_width_deg,
        )
        return (
            encode_iip(start, mounting, sounder=sounder.name)
            + encode_iop(start, "Mode: simulated\n", sounder=sounder.name)
            + encode_svp(start, PROFILE, sounder=sounder.name)
        )

    def write(self, ping: WaterColumnPing, state: ShipState) -> None:
        """Append one swath, and the navigation up to its second."""
        elapsed = (state.time_utc - self._line.start_utc).total_seconds()
        self._navigate_until(int(elapsed))
        swaths = 1 + self._survey.sounder.dual_swath
        self._append(self._water, encode_mwc(ping, swaths_per_ping=swaths))

    def _navigate_until(self, second: int) -> None:
        while self._second <= second:
            position, motion = self._survey.navigation(self._line, self._second)
            name = self._survey.sounder.name
            place = encode_spo(position, sounder=name)
            self._append(self._motion, place + encode_skm(motion, sounder=name))
            self._append(self._water, place)
            self._second += 1

    def _append(self, file: BufferedWriter, data: bytes) -> None:
        half = len(data) // 2 if self._pieces else 0
        for piece in (data[:half], data[half:]):
            if piece:
                file.write(piece)
                file.flush()

    def close(self) -> None:
        """End the line: navigation goes on for two seconds after the last ping."""
        self._navigate_until(self._second + 1)
        self._water.close()
        self._motion.close()


class ImageLineWriter:
    """Writes one line as PNG pictures with sidecars that carry the ship's position."""

    def __init__(self, folder: Path, survey: Survey, raster: Rasteriser) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._survey, self._raster = folder, survey, raster

    def write(self, ping: WaterColumnPing, state: ShipState) -> None:
        """Write the sidecar, then the picture: the picture completes the pair."""
        frame = self._raster.frame(ping, self._fix(state))
        stem = f"{state.time_utc:%Y%m%dT%H%M%S}_{state.ping_counter:06d}_{state.swath}"
        path = self._folder / f"{stem}.png"
        write_sidecar(path.with_suffix(".json"), frame)
        write_png(path, frame.image)

    def _fix(self, state: ShipState) -> NavigationFix:
        latitude, longitude = self._survey.to_geographic(
            np.array(state.east_m), np.array(state.north_m)
        )
        return NavigationFix(
            time_utc=state.time_utc,
            latitude=float(latitude),
            longitude=float(longitude),
            heading_deg=state.heading_deg,
            pitch_deg=state.pitch_deg,
            speed_m_s=state.speed_m_s,
            position_sigma_m=1.0,
            heading_sigma_deg=0.3,
            source="simulation",
        )

    def close(self) -> None:
        """Nothing is left open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sailed:
    """One swath, written; `written_s` is the wall clock (seconds since 1970) then."""

    state: ShipState
    frame_id: str
    boxes: tuple[TrueBox, ...]
    written_s: float


def sail(
    survey: Survey, out: Path, *, kinds: Sequence[Kind] = ("raw",), pace: float | None = None
) -> Iterator[Sailed]:
    """Sail all lines and write them; yield each swath once its files are written.

    Leaves `truth.json` (plumes, lines), `truth_boxes.jsonl` (boxes by swath) and `written.jsonl`
    (when each swath was written) in `out`, raw files in `out/raw`, pictures in `out/images`.

    Parameters
    ----------
    kinds : sequence of {"raw", "images", "both"}
        Of the lines, by turns.
    pace : float, optional
        Data seconds per second of wall clock; None writes as fast as possible. The time between
        lines is skipped.

    Raises
    ------
    ConfigurationError
        A pace that is not above 0.
    """
    if pace is not None and not pace > 0:
        raise ConfigurationError(f"pace: expected above 0, received {pace}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "truth.json").write_text(json.dumps(survey.truth(), indent=1), encoding="utf-8")
    raster = Rasteriser(RasterOptions())
    with (
        (out / "truth_boxes.jsonl").open("w", encoding="utf-8") as boxes,
        (out / "written.jsonl").open("w", encoding="utf-8") as written,
    ):
        for index, line in enumerate(survey.lines):
            writers = _open_line(kinds[index % len(kinds)], out, survey, line, raster, pace)
            for sailed in _sail_line(survey, line, writers, pace):
                _log(boxes, _box_body(sailed))
                _log(written, _written_body(sailed))
                yield sailed


def _open_line(
    kind: Kind, out: Path, survey: Survey, line: Line, raster: Rasteriser, pace: float | None
) -> list[LineWriter]:
    writers: list[LineWriter] = []
    if kind in ("raw", "both"):
        writers.append(RawLineWriter(out / "raw", survey, line, pieces=pace is not None))
    if kind in ("images", "both"):
        writers.append(ImageLineWriter(out / "images", survey, raster))
    return writers


def _sail_line(
    survey: Survey, line: Line, writers: Sequence[LineWriter], pace: float | None
) -> Iterator[Sailed]:
    began = time.monotonic()
    try:
        for state in survey.states(line):
            ping, boxes = hear(survey.scene, survey.sounder, state, survey.seed)
            if pace is not None:
                due = began + (state.time_utc - line.start_utc).total_seconds() / pace
                time.sleep(max(due - time.monotonic(), 0.0))
            for writer in writers:
                writer.write(ping, state)
            yield Sailed(state=state, frame_id=ping.frame_id, boxes=boxes, written_s=time.time())
    finally:
        for writer in writers:
            writer.close()


def _box_body(sailed: Sailed) -> dict[str, Any]:
    return {
        "frame_id": sailed.frame_id,
        "time_utc": iso_utc(sailed.state.time_utc),
        "boxes": [
            {
                "class": box.class_name,
                "name": box.name,
                "across_track_m": [round(value, 2) for value in box.across_track_m],
                "depth_m": [round(value, 2) for value in box.depth_m],
                "contrast_db": round(box.contrast_db, 1),
            }
            for box in sailed.boxes
        ],
    }


def _written_body(sailed: Sailed) -> dict[str, Any]:
    return {
        "frame_id": sailed.frame_id,
        "time_utc": iso_utc(sailed.state.time_utc),
        "written_s": round(sailed.written_s, 4),
    }


def _log(file: Any, body: dict[str, Any]) -> None:
    file.write(json.dumps(body) + "\n")
    file.flush()
