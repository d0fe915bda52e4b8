"""Builders: frames of a ship that sails over plumes whose true places are known."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sonar_watch.association.plane import position_at
from sonar_watch.association.tracker import PlumeTracker
from sonar_watch.records import (
    EventChange,
    GeolocatedDetection,
    GeolocatedFrame,
    NavigationFix,
    SourceRef,
    identify,
)

START = datetime(2026, 3, 1, 6, 0, 0, tzinfo=UTC)
ORIGIN = (32.1, 139.9)
KNOT = 0.514444


@dataclass(frozen=True, kw_only=True)
class Plume:
    """A plume at metres east and north of the origin."""

    east_m: float
    north_m: float
    half_length_m: float = 30.0
    half_width_m: float = 15.0
    strands: int = 1


def make_detection(
    frame_id: str,
    time_utc: datetime,
    place: tuple[float, float] | None,
    *,
    across_m: float = 0.0,
    half_width_m: float = 15.0,
    confidence: float = 0.7,
    sigma_m: float = 8.0,
    class_name: str = "signal",
    veto: str | None = None,
    foot_depth_m: float = 795.0,
    top_depth_m: float = 600.0,
) -> GeolocatedDetection:
    return GeolocatedDetection(
        frame_id=frame_id,
        time_utc=time_utc,
        class_name=class_name,
        confidence=confidence,
        across_track_m=(across_m - half_width_m, across_m + half_width_m),
        depth_m=(top_depth_m, foot_depth_m),
        foot_depth_m=foot_depth_m,
        height_m=foot_depth_m - top_depth_m,
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        covariance_m2=(sigma_m**2, 0.0, sigma_m**2) if place else None,
        veto=veto,
        position_note=None if place else "no navigation within 5 s",
    )


def make_fix(
    time_utc: datetime, place: tuple[float, float], heading_deg: float = 0.0, **more: float
) -> NavigationFix:
    return NavigationFix(
        time_utc=time_utc,
        latitude=place[0],
        longitude=place[1],
        heading_deg=heading_deg,
        position_sigma_m=more.get("position_sigma_m", 3.0),
        heading_sigma_deg=more.get("heading_sigma_deg", 0.3),
    )


def make_frame(
    number: int,
    time_utc: datetime,
    fix: NavigationFix | None,
    detections: Iterable[GeolocatedDetection] = (),
    *,
    sounder: str = "em710-210",
    swath: int = 0,
    half_fan_m: float = 1000.0,
) -> GeolocatedFrame:
    return GeolocatedFrame(
        frame_id=identify(sounder, number, swath),
        time_utc=time_utc,
        sounder=sounder,
        source=SourceRef(source="test", file="line.kmall", ping_counter=number, swath=swath),
        navigation=fix,
        coverage_across_m=(-half_fan_m, half_fan_m),
        seabed_depth_m=800.0,
        detections=tuple(detections),
    )


@dataclass(frozen=True, kw_only=True)
class Ship:
    """Where the ship is, metres east and north of the origin, and where it heads."""

    east_m: float
    north_m: float
    heading_deg: float
    seconds: float


def straight(
    *,
    length_m: float = 1200.0,
    heading_deg: float = 0.0,
    knots: float = 5.0,
    cycle_s: float = 2.8,
    start: tuple[float, float] = (0.0, -600.0),
    at_s: float = 0.0,
) -> list[Ship]:
    """Return a straight line from `start`, one place per ping."""
    step = knots * KNOT * cycle_s
    count = int(length_m / step)
    bow = math.radians(heading_deg)
    return [
        Ship(
            east_m=start[0] + i * step * math.sin(bow),
            north_m=start[1] + i * step * math.cos(bow),
            heading_deg=heading_deg,
            seconds=at_s + i * cycle_s,
        )
        for i in range(count)
    ]


def hover(*, seconds: float, cycle_s: float = 2.8, at: tuple[float, float] = (0.0, 0.0),
          jitter_m: float = 2.0, seed: int = 3) -> list[Ship]:
    """Return a ship on station, its fix and heading jittering."""
    chance = random.Random(seed)
    return [
        Ship(
            east_m=at[0] + chance.gauss(0, jitter_m),
            north_m=at[1] + chance.gauss(0, jitter_m),
            heading_deg=(45.0 + chance.gauss(0, 2.0)) % 360,
            seconds=i * cycle_s,
        )
        for i in range(int(seconds / cycle_s))
    ]


def make_pass(
    ships: Sequence[Ship],
    plumes: Sequence[Plume],
    *,
    hit: float = 0.9,
    false_rate: float = 0.0,
    noise_m: float = 6.0,
    bias_m: tuple[float, float] = (0.0, 0.0),
    seed: int = 1,
    sounder: str = "em710-210",
    navigated: bool = True,
    origin: tuple[float, float] = ORIGIN,
    swaths: int = 1,
    first_number: int = 0,
    half_fan_m: float = 1000.0,
    ahead_m: float = 0.0,
) -> list[GeolocatedFrame]:
    """Return the frames of `ships` over `plumes`, with misses and false detections."""
    chance = random.Random(seed)
    frames = []
    for i, ship in enumerate(ships):
        for swath in range(swaths):
            time_utc = START + timedelta(seconds=ship.seconds + 0.003 * swath)
            frame_id = identify(sounder, first_number + i, swath)
            at = position_at(*origin, (ship.east_m + bias_m[0], ship.north_m + bias_m[1]))
            fix = make_fix(time_utc, at, ship.heading_deg) if navigated else None
            found = []
            for spot in _shown(ship, plumes, chance, hit, half_fan_m, ahead_m):
                found.append(_detect(ship, spot, frame_id, time_utc, origin, noise_m, bias_m,
                                     chance, navigated))
            if chance.random() < false_rate:
                spot = _abeam(ship, chance.uniform(-half_fan_m, half_fan_m))
                found.append(_detect(ship, (*spot, 10.0), frame_id, time_utc, origin, noise_m,
                                     bias_m, chance, navigated))
            frames.append(make_frame(first_number + i, time_utc, fix, found, sounder=sounder,
                                     swath=swath, half_fan_m=half_fan_m))
    return frames


def _shown(
    ship: Ship, plumes: Sequence[Plume], chance: random.Random, hit: float, half_fan_m: float,
    ahead_m: float,
) -> list[tuple[float, float, float]]:
    """Return where the fan cuts plumes: (east, north, half width) of each strand."""
    spots = []
    for plume in plumes:
        along, across = to_ship(ship, plume.east_m, plume.north_m)
        along -= ahead_m
        if abs(along) > plume.half_length_m or abs(across) > half_fan_m or chance.random() > hit:
            continue
        bow = math.radians(ship.heading_deg)
        for strand in range(plume.strands):
            side = (strand - (plume.strands - 1) / 2) * 2 * plume.half_width_m
            spots.append((
                plume.east_m - along * math.sin(bow) + side * math.cos(bow),
                plume.north_m - along * math.cos(bow) - side * math.sin(bow),
                plume.half_width_m / plume.strands,
            ))
    return spots


def _detect(
    ship: Ship, spot: tuple[float, float, float], frame_id: str, time_utc: datetime,
    origin: tuple[float, float], noise_m: float, bias_m: tuple[float, float],
    chance: random.Random, navigated: bool,
) -> GeolocatedDetection:
    east = spot[0] + chance.gauss(0, noise_m) + bias_m[0]
    north = spot[1] + chance.gauss(0, noise_m) + bias_m[1]
    across = to_ship(ship, spot[0], spot[1])[1] + chance.gauss(0, noise_m)
    return make_detection(
        frame_id, time_utc, position_at(*origin, (east, north)) if navigated else None,
        across_m=across, half_width_m=spot[2], confidence=chance.uniform(0.4, 0.95),
        sigma_m=math.hypot(noise_m, 3.0),
        foot_depth_m=795.0 + chance.gauss(0, 3), top_depth_m=600.0 + chance.gauss(0, 15),
    )


def to_ship(ship: Ship, east_m: float, north_m: float) -> tuple[float, float]:
    """Return metres forward and to starboard of the ship."""
    bow = math.radians(ship.heading_deg)
    east, north = east_m - ship.east_m, north_m - ship.north_m
    return (
        east * math.sin(bow) + north * math.cos(bow),
        east * math.cos(bow) - north * math.sin(bow),
    )


def _abeam(ship: Ship, across_m: float) -> tuple[float, float]:
    bow = math.radians(ship.heading_deg)
    return ship.east_m + across_m * math.cos(bow), ship.north_m - across_m * math.sin(bow)


def follow(tracker: PlumeTracker, frames: Iterable[GeolocatedFrame]) -> list[EventChange]:
    """Return all changes of `frames`, in order."""
    return [change for frame in frames for change in tracker.update(frame)]
