"""Swaths -> one event per plume: confirmed by several, updated seldom, ended once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sonar_watch.association.announcement import announce, covariance_m2, has_moved
from sonar_watch.association.gating import nearest, share_out
from sonar_watch.association.options import TrackerOptions
from sonar_watch.association.sightings import counts, foot_of, measured, sighting_of
from sonar_watch.association.sites import SiteIndex
from sonar_watch.association.track import Place, Track, apart_m, begin_track
from sonar_watch.association.track_state import restore_track, track_state
from sonar_watch.errors import FormatError
from sonar_watch.records import (
    AlertKind,
    EventChange,
    GeolocatedFrame,
    iso_utc,
    parse_utc,
    stream_names,
)

__all__ = ["PlumeTracker", "TrackerOptions"]

STATE_VERSION = 1
DISORDER = timedelta(seconds=60)
"""Frames this much out of order are late, not of another time."""

_LONGEST_STEP_M, _STEPS = 150.0, 6
"""Farther is a gap in the line, not the way from swath to swath; how many steps are kept."""


@dataclass(slots=True)
class _Stream:
    """The plumes of one sounder, and its data time.

    It follows the frames; one that comes a little out of order does not turn it back, one that
    is much older does: then the clock was wrong before, or an older line came late.
    """

    now: datetime
    options: TrackerOptions
    """At the pace of the ship."""
    tracks: list[Track] = field(default_factory=list)
    ship: Place | None = None
    steps_m: list[float] = field(default_factory=list)
    """From swath to swath, the last few."""

    @property
    def step_m(self) -> float:
        """Metres from swath to swath lately: of two swaths a ping one takes no way.

        The third largest, so that a jump of the position, there and back, widens nothing.
        """
        return sorted(self.steps_m)[-3] if len(self.steps_m) > 2 else 0.0

    def sail(self, frame: GeolocatedFrame) -> None:
        """Take in how far the ship came since the last swath; a gap in the line is no step."""
        if frame.navigation is None:
            return
        here = (frame.navigation.latitude, frame.navigation.longitude)
        if self.ship is not None and (sailed := apart_m(self.ship, here)) < _LONGEST_STEP_M:
            self.steps_m = [*self.steps_m, sailed][-_STEPS:]
        self.ship = here


class PlumeTracker:
    """Follows the plumes of a watch, per sounder (see `stream_names`); their sites are shared.

    What comes out is decided by the frames that went in and their order alone: the same for a
    live run, its replay, and a run that was cut and restored anywhere.

    Parameters
    ----------
    options : TrackerOptions
    sites : SiteIndex, optional
        The places already known.
    """

    def __init__(self, options: TrackerOptions, sites: SiteIndex | None = None) -> None:
        self.options = options
        self.sites = SiteIndex(options.site_radius_m) if sites is None else sites
        self._streams: dict[str, _Stream] = {}

    def update(self, frame: GeolocatedFrame) -> list[EventChange]:
        """Return what `frame` changed: also one without detections can end a plume.

        Frames may come a few seconds out of order; a frame must come once.
        """
        fresh = _Stream(frame.time_utc, self.options)
        stream = self._streams.setdefault(self._name_of(frame), fresh)
        stream.sail(frame)
        stream.options = self.options.at_pace(stream.step_m)
        if not stream.now - DISORDER < frame.time_utc < stream.now:
            stream.now = frame.time_utc
        changes = list(self._leave(stream, frame))
        self._turn_down(stream, frame)
        self._see(stream, frame)
        changes += self._confirm(stream)
        changes += self._tell_moves(stream)
        reason = frame.out_of_domain
        return [replace(each, event=replace(each.event, out_of_domain=reason)) for each in changes]

    def _name_of(self, frame: GeolocatedFrame) -> str:
        """Return the name of a frame's stream; one that has said less or more so far is the same.

        So do the streams of an older state go on, which were named by the model alone.
        """
        name, *less = stream_names(frame.sounder, frame.unit)
        if name in self._streams or not less:
            return name
        more = [known for known in self._streams if known.startswith(f"{name}-")]
        if len(more) == 1:
            return more[0]
        before = next((each for each in less if each in self._streams), None)
        if before is not None:
            self._streams[name] = self._streams.pop(before)
        return name

    def open_events(self) -> int:
        """Return the number of plumes announced and not ended."""
        return sum(t.state == "open" for s in self._streams.values() for t in s.tracks)

    def best_frames(self) -> dict[str, str]:
        """Return the frame that shows each announced plume best: event id to frame id."""
        return {
            track.event_id: track.best_frame_id
            for stream in self._streams.values()
            for track in stream.tracks
            if track.state == "open"
        }

    def state(self) -> dict[str, Any]:
        """Return everything remembered as JSON-able values; `restore` goes on exactly from it."""
        return {
            "version": STATE_VERSION,
            "streams": {
                sounder: {
                    "now": iso_utc(stream.now),
                    "tracks": [track_state(track) for track in stream.tracks],
                    "ship": stream.ship,
                    "steps_m": stream.steps_m,
                }
                for sounder, stream in self._streams.items()
            },
            "sites": self.sites.state(),
        }

    @classmethod
    def restore(cls, options: TrackerOptions, state: dict[str, Any]) -> PlumeTracker:
        """Return the tracker `state` describes.

        Raises
        ------
        FormatError
            The state is of another version, or lacks something.
        """
        if state.get("version") != STATE_VERSION:
            raise FormatError(
                f"tracker state: expected version {STATE_VERSION}, received "
                f"{state.get('version')!r}"
            )
        try:
            tracker = cls(options, SiteIndex.restore(options.site_radius_m, state["sites"]))
            for sounder, stream in state["streams"].items():
                tracks = [restore_track(row) for row in stream["tracks"]]
                ship = stream.get("ship")
                tracker._streams[sounder] = _Stream(
                    parse_utc(stream["now"]), options, tracks, tuple(ship) if ship else None,
                    [float(step) for step in stream.get("steps_m", ())],
                )
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"tracker state is not whole: {error!r}") from error
        return tracker

    def _leave(self, stream: _Stream, frame: GeolocatedFrame) -> Iterator[EventChange]:
        """End the plumes that the ship left behind or that are gone; drop such candidates."""
        staying = []
        for track in stream.tracks:
            if not self._is_over(track, stream, frame):
                staying.append(track)
            elif track.state == "open":
                yield self._end(track, stream)
        stream.tracks = staying

    def _is_over(self, track: Track, stream: _Stream, frame: GeolocatedFrame) -> bool:
        options = stream.options
        silent_s = (stream.now - track.last_seen_utc).total_seconds()
        longest_s = options.unplaced_gap_s if track.foot is None else options.end_after_s
        return (
            abs(silent_s) > longest_s
            or track.unseen_m > options.gone_after_m
            or track.ship_distance_m(frame.navigation) > options.end_after_m
            or (track.state == "tentative" and track.hopeless(options))
        )

    def _end(self, track: Track, stream: _Stream) -> EventChange:
        track.state = "ended"
        place, covariance = track.here, covariance_m2(track, self.options)
        if place is not None and covariance is not None:
            self._settle_site(track)
            self.sites.settle(track.site_id, *place, covariance)
        return self._change("end", track, stream)

    def _turn_down(self, stream: _Stream, frame: GeolocatedFrame) -> None:
        """Count the vetoed detections beside known plumes."""
        options = stream.options
        for detection in frame.detections:
            if detection.veto is None or not measured(detection):
                continue
            foot = foot_of(detection, frame, options)
            index = nearest(foot, stream.tracks, frame.time_utc, options)
            if index is not None:
                stream.tracks[index].turn_down(detection.veto)

    def _see(self, stream: _Stream, frame: GeolocatedFrame) -> None:
        """Give every plume what the swath showed of it, or that it showed nothing."""
        options = stream.options
        feet = [foot_of(d, frame, options) for d in frame.detections if counts(d)]
        matches = share_out(feet, stream.tracks, frame.time_utc, options)
        for index, track in enumerate(stream.tracks):
            if index in matches.known:
                track.see(frame, sighting_of(matches.known[index]), options)
            else:
                track.pass_by(frame, options)
        stream.tracks += [
            begin_track(frame, sighting_of(group), options) for group in matches.fresh
        ]

    def _confirm(self, stream: _Stream) -> list[EventChange]:
        """Announce the candidates seen often enough, unless they are part of an event."""
        changes = []
        for track in list(stream.tracks):
            ready = track.state == "tentative" and track.confirmed(self.options)
            if not ready or all(track is not t for t in stream.tracks):
                continue
            whole = next((t for t in self._beside(track, stream) if t.state == "open"), None)
            if whole is not None:
                self._absorb(whole, track, stream)
                continue
            for strand in self._beside(track, stream):
                self._absorb(track, strand, stream)
            track.state = "open"
            changes.append(self._change("new", track, stream))
        return changes

    def _beside(self, candidate: Track, stream: _Stream) -> list[Track]:
        """Return the other tracks whose foot lies within the gate of the candidate's."""
        return [
            track for track in stream.tracks
            if track is not candidate and track.here is not None and candidate.here is not None
            and apart_m(track.here, candidate.here) <= stream.options.gate_m
        ]

    def _absorb(self, whole: Track, part: Track, stream: _Stream) -> None:
        whole.absorb(part)
        stream.tracks = [track for track in stream.tracks if track is not part]

    def _tell_moves(self, stream: _Stream) -> list[EventChange]:
        """Announce again the open events that moved, if the last word is long enough ago."""
        changes = []
        for track in stream.tracks:
            if track.state != "open" or not track.dirty or track.told_utc is None:
                continue
            silent_s = (stream.now - track.told_utc).total_seconds()
            if silent_s < self.options.update_interval_s:
                continue
            track.dirty = False
            if has_moved(track):
                changes.append(self._change("update", track, stream))
        return changes

    def _change(self, kind: AlertKind, track: Track, stream: _Stream) -> EventChange:
        self._settle_site(track)
        event = announce(track, stream.now, self.options)
        return EventChange(kind=kind, time_utc=stream.now, event=event)

    def _settle_site(self, track: Track) -> None:
        """Give the track its site as soon as it has a place; it is then kept."""
        place, covariance = track.here, covariance_m2(track, self.options)
        if not track.site_id and place is not None and covariance is not None:
            track.site_id = self.sites.assign(track.event_id, *place, covariance)
