"""A ship sails survey lines over a scene: where it is at each swath, and what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pyproj import Geod

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FloatArray, NavigationSample, SourceRef, WaterColumnPing, iso_utc
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.random_scene import random_scene
from sonar_watch.simulation.scene import (
    Noise,
    Plume,
    Scene,
    School,
    Seabed,
    random_layers,
    random_noise,
    random_plume,
    random_school,
    random_seabed,
)
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import SOUND_SPEED_M_S, Sounder, sounder_for
from sonar_watch.simulation.swath import TrueBox

_GEOD = Geod(ellps="WGS84")
CYCLE_FACTOR = 1.4
"""Time from ping to ping over the two-way time of the longest beam (1.3-1.6 on real files)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One straight survey line; the start in metres from the scene's origin."""

    name: str
    start_utc: datetime
    east_m: float
    north_m: float
    heading_deg: float
    length_m: float
    speed_m_s: float = 2.5

    @property
    def end_utc(self) -> datetime:
        """When the ship reaches the end of the line."""
        return self.start_utc + timedelta(seconds=self.length_m / self.speed_m_s)

    def place(self, elapsed_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (east, north, heading) after `elapsed_s`; the bow wanders by about a degree."""
        wander = 0.8 * np.sin(2 * np.pi * elapsed_s / 47.0) + 0.3 * np.sin(elapsed_s / 3.1)
        course = np.radians(self.heading_deg)
        run = self.speed_m_s * elapsed_s
        east = self.east_m + run * np.sin(course)
        north = self.north_m + run * np.cos(course)
        return east, north, (self.heading_deg + wander) % 360


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A scene, a sounder and the lines sailed over it; `seed` decides every echo."""

    scene: Scene
    sounder: Sounder
    lines: tuple[Line, ...]
    seed: int

    def transmissions(self, line: Line) -> int:
        """Return how often the sounder transmits along `line`."""
        cycle_s = ping_cycle_s(self.sounder, self.scene.seabed.depth_m)
        return int(line.length_m / line.speed_m_s / cycle_s)

    def swath_count(self) -> int:
        """Return the number of swaths on all lines."""
        return sum(map(self.transmissions, self.lines)) * (1 + self.sounder.dual_swath)

    def states(self, line: Line) -> Iterator[ShipState]:
        """Yield the ship at each swath of `line`, in time order."""
        before = self.lines[: self.lines.index(line)]
        first = 1 + sum(self.transmissions(earlier) for earlier in before)
        cycle_s = ping_cycle_s(self.sounder, self.scene.seabed.depth_m)
        for count in range(self.transmissions(line)):
            for swath in range(1 + self.sounder.dual_swath):
                elapsed = np.array(0.5 + count * cycle_s + 0.003 * swath)
                east, north, heading = line.place(elapsed)
                yield ShipState(
                    time_utc=line.start_utc + timedelta(seconds=float(elapsed)),
                    east_m=float(east),
                    north_m=float(north),
                    heading_deg=float(heading),
                    ping_counter=first + count,
                    swath=swath,
                    speed_m_s=line.speed_m_s,
                    pitch_deg=float(pitch_deg(elapsed)),
                )

    def hear(
        self, state: ShipState, source: SourceRef | None = None
    ) -> tuple[WaterColumnPing, tuple[TrueBox, ...]]:
        """Return the swath at one of the `states`, and the true boxes in it."""
        return hear(self.scene, self.sounder, state, self.seed, source)

    def navigation(self, line: Line, second: int) -> tuple[NavigationSample, NavigationSample]:
        """Return the position at a full second of a line and the ten motions of that second."""
        begin = line.start_utc.timestamp() + second
        east, north, _ = line.place(np.array([float(second)]))
        latitude, longitude = self.to_geographic(east, north)
        position = NavigationSample(
            sensor="spo",
            time_s=np.array([begin]),
            latitude=latitude,
            longitude=longitude,
            course_deg=np.array([line.heading_deg % 360]),
            speed_m_s=np.array([line.speed_m_s]),
            position_sigma_m=1.0,
        )
        elapsed = second + np.arange(10) / 10
        east, north, heading = line.place(elapsed)
        latitude, longitude = self.to_geographic(east, north)
        motion = NavigationSample(
            sensor="skm",
            time_s=line.start_utc.timestamp() + elapsed,
            latitude=latitude,
            longitude=longitude,
            heading_deg=heading,
            roll_deg=1.5 * np.sin(elapsed / 1.3),
            pitch_deg=pitch_deg(elapsed),
            heave_m=np.zeros(10),
        )
        return position, motion

    def to_geographic(
        self, east_m: FloatArray, north_m: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return latitude and longitude in degrees WGS84 of metres from the origin."""
        latitude, longitude = (np.full(np.shape(east_m), value) for value in self.scene.origin)
        bearing = np.degrees(np.arctan2(east_m, north_m))
        lon, lat, _ = _GEOD.fwd(longitude, latitude, bearing, np.hypot(east_m, north_m))
        return np.asarray(lat), np.asarray(lon)

    def truth(self) -> dict[str, Any]:
        """Return plumes and lines with their positions, ready for `truth.json`."""
        return {
            "seed": self.seed,
            "sounder": self.sounder.name,
            "plumes": [self._plume_truth(plume) for plume in self.scene.plumes],
            "lines": [
                {
                    "name": line.name,
                    "start_utc": iso_utc(line.start_utc),
                    "end_utc": iso_utc(line.end_utc),
                    "heading_deg": line.heading_deg,
                }
                for line in self.lines
            ],
        }

    def _plume_truth(self, plume: Plume) -> dict[str, Any]:
        latitude, longitude = self.to_geographic(np.array(plume.east_m), np.array(plume.north_m))
        return {
            "name": plume.name,
            "latitude": float(latitude),
            "longitude": float(longitude),
            "depth_m": float(self.scene.seabed.at(plume.east_m, plume.north_m)),
            "height_m": plume.height_m,
            "radius_m": plume.radius_m,
            "contrast_db": plume.contrast_db,
            "feet": [self._place_truth(plume, place) for place in plume.strand_places()],
        }

    def _place_truth(self, plume: Plume, place: tuple[float, float]) -> dict[str, float]:
        """Return the position of one strand's foot."""
        latitude, longitude = self.to_geographic(
            np.array(plume.east_m + place[0]), np.array(plume.north_m + place[1])
        )
        return {"latitude": float(latitude), "longitude": float(longitude)}


def pitch_deg(elapsed_s: FloatArray) -> FloatArray:
    """Return the ship's pitch, + bow up, `elapsed_s` after the start of a line."""
    return np.asarray(0.6 * np.sin(elapsed_s / 1.1))


def ping_cycle_s(sounder: Sounder, depth_m: float) -> float:
    """Return the time from transmission to transmission over a flat seabed."""
    longest_m = depth_m / np.cos(np.radians(sounder.half_fan_deg))
    return float(CYCLE_FACTOR * 2 * longest_m / SOUND_SPEED_M_S)


def parallel_lines(
    start_utc: datetime, count: int, length_m: float, spacing_m: float, speed_m_s: float
) -> tuple[Line, ...]:
    """Return `count` lines north and south by turns, `spacing_m` apart, centred on the origin."""
    lines: list[Line] = []
    for index in range(count):
        northward = index % 2 == 0
        lines.append(
            Line(
                name=f"{index:04d}_{start_utc:%Y%m%d_%H%M%S}_simulated",
                start_utc=start_utc,
                east_m=(index - (count - 1) / 2) * spacing_m,
                north_m=-length_m / 2 if northward else length_m / 2,
                heading_deg=0.0 if northward else 180.0,
                length_m=length_m,
                speed_m_s=speed_m_s,
            )
        )
        turn = timedelta(seconds=120)
        start_utc = (lines[-1].end_utc + turn).replace(microsecond=0)
    return tuple(lines)


def random_survey(
    seed: int,
    *,
    depth_m: float = 400.0,
    family: str = "em304",
    plumes: int = 4,
    schools: int = 4,
    lines: int = 1,
    length_m: float = 1500.0,
    contrast_db: float | None = None,
    look_alikes: bool = False,
    start_utc: datetime = datetime(2026, 3, 1, 2, 0, 0, tzinfo=UTC),
) -> Survey:
    """Return a seeded survey: plumes spread along the lines, fish between them.

    Parameters
    ----------
    contrast_db : float, optional
        Of every plume; random (4-24 dB) when not given.
    look_alikes : bool
        Dolphins, wrecks and walls, too, as chance has it: often none.

    Raises
    ------
    ConfigurationError
        A number that makes no survey, or an unknown sounder family.
    """
    if depth_m < 10 or length_m <= 0 or lines < 1 or plumes < 0 or schools < 0:
        raise ConfigurationError(
            "expected a depth of at least 10 m, a positive length, one line or more and no "
            f"negative counts, received {depth_m=}, {length_m=}, {lines=}, {plumes=}, {schools=}"
        )
    rng = np.random.default_rng(seed)
    sounder = sounder_for(family, depth_m)
    scene = Scene(
        seabed=random_seabed(rng, depth_m),
        plumes=_spread_plumes(rng, plumes, depth_m, length_m, contrast_db),
        schools=_spread_schools(rng, schools, depth_m, length_m),
        layers=random_layers(rng, depth_m),
        noise=random_noise(rng),
    )
    if look_alikes:
        scene = _with_look_alikes(scene, seed, depth_m, length_m)
    sailed = parallel_lines(start_utc, lines, length_m, depth_m, 2.5)
    return Survey(scene=scene, sounder=sounder, lines=sailed, seed=seed)


def _with_look_alikes(scene: Scene, seed: int, depth_m: float, length_m: float) -> Scene:
    """Dolphins, wrecks and walls; of a seed of their own, so that all else stays as it is."""
    alike = random_scene(np.random.default_rng((seed, 2)), depth_m, along_m=length_m)
    return replace(scene, dolphins=alike.dolphins, wrecks=alike.wrecks, walls=alike.walls)


def _spread_plumes(
    rng: np.random.Generator, count: int, depth_m: float, length_m: float, contrast: float | None
) -> tuple[Plume, ...]:
    """Plumes evenly along the line, at random distances to either side."""
    plumes = []
    for index in range(count):
        north = ((index + 0.5) / count - 0.5) * length_m * 0.9
        east = float(rng.uniform(0.1, 0.75) * depth_m * rng.choice([-1, 1]))
        plume = random_plume(rng, f"plume-{index + 1}", east, north, depth_m)
        if contrast is not None:
            plume = Plume(**{**_fields(plume), "contrast_db": contrast})
        plumes.append(plume)
    return tuple(plumes)


def _fields(plume: Plume) -> dict[str, Any]:
    return {name: getattr(plume, name) for name in plume.__slots__}


def _spread_schools(
    rng: np.random.Generator, count: int, depth_m: float, length_m: float
) -> tuple[School, ...]:
    return tuple(
        random_school(
            rng,
            float(rng.uniform(-1, 1) * depth_m),
            float(rng.uniform(-0.5, 0.5) * length_m),
            depth_m,
        )
        for _ in range(count)
    )


def demo_survey(seed: int = 20) -> Survey:
    """Return the survey of `sonar-watch demo`: two lines, five strong plumes, fish and noise.

    The second line passes again over what the first saw, so that two passes make one site.
    """
    rng = np.random.default_rng(seed)
    depth = 400.0
    seabed = Seabed(
        depth_m=depth,
        slope_east=0.03,
        slope_north=-0.02,
        waves=((9.0, 700.0, 30.0, 0.4), (5.0, 330.0, 110.0, 2.0)),
    )
    places = ((150.0, -520.0), (-210.0, -250.0), (60.0, 60.0), (-330.0, 300.0), (260.0, 540.0))
    plumes = tuple(
        Plume(
            name=f"plume-{number}",
            east_m=east,
            north_m=north,
            radius_m=float(rng.uniform(12, 20)),
            height_m=float(rng.uniform(130, 220)),
            contrast_db=float(rng.uniform(14, 19)),
            lean_east=float(rng.uniform(-0.15, 0.15)),
            lean_north=float(rng.uniform(-0.1, 0.1)),
            strands=2 if number == 3 else 1,
            spread_m=45.0 if number == 3 else 0.0,
        )
        for number, (east, north) in enumerate(places, start=1)
    )
    scene = Scene(
        seabed=seabed,
        plumes=plumes,
        schools=_spread_schools(rng, 7, depth, 1500.0),
        layers=random_layers(rng, depth),
        noise=Noise(static_seed=seed, ghost_db=5.0, spoke_chance=0.2, fish_count=20),
    )
    lines = parallel_lines(datetime(2026, 3, 1, 2, 0, 0, tzinfo=UTC), 2, 1500.0, 120.0, 2.5)
    return Survey(scene=scene, sounder=sounder_for("em304", depth), lines=lines, seed=seed)
