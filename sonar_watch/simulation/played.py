"""Surveys whose pings are real ones: a recording played forth and back under a ship on a line.

`injected_survey` puts plumes, one after the other, and fish into them; `untouched_survey` leaves
them as they are, `deepened_survey` but for the metres. The ship's way is made up: a straight
line, level, the fan straight below.

With bodies the pings become those of a sea of the bodies' size: a harbour 4 m deep, its metres
made fifty times as long, is a sea of 200 m, with the cycle and the step of one. Angles,
samples, speckle and artefacts stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from sonar_watch.records import NavigationSample, SourceRef, WaterColumnPing
from sonar_watch.simulation.cruise import Line, Survey, ping_cycle_s, random_survey
from sonar_watch.simulation.fish import random_dolphins
from sonar_watch.simulation.injection import (
    bodies_alone,
    put_into,
    recorded_depth_m,
    recorded_seabed,
)
from sonar_watch.simulation.passages import SPEED_M_S, Heard
from sonar_watch.simulation.recordings import Recording
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import Sounder
from sonar_watch.simulation.swath import TrueBox

SEA_M = (100.0, 1000.0)
"""Depths that shallow recordings are made as deep as; drawn evenly on a logarithmic scale."""

DEEP_ENOUGH_M = 60.0
"""Half of the seas over a seabed this deep are as deep as it is."""

APART_OF_DEPTH, APART_M = 0.8, 150.0
"""Plumes lie this far apart along the line, so that an event belongs to one of them."""

DOLPHINS_EVERY_M = 3000.0
RUN_IN_SWATHS, RUN_OUT_M = 12, 300.0
"""Sailed before the first plume, for the picture's memory, and past the last: its event ends."""

_LEAST_SPEED_M_S, _USUAL_SPEED_M_S, _LEAST_S = 0.05, 2.5, 0.01
_NO_BOXES: tuple[TrueBox, ...] = ()
_START_UTC = datetime(2026, 6, 1, 20, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedSurvey(Survey):
    """A survey heard in the pings of a recording.

    Parameters
    ----------
    recording : Recording
    interval_s : float
        From swath to swath.
    stretch : float
        Metres of the scene in a metre of the recording.
    injected : bool
        The bodies of the scene are put in; without, the pings keep their samples.
    """

    recording: Recording
    interval_s: float
    stretch: float = 1.0
    injected: bool = False

    def transmissions(self, line: Line) -> int:
        """Return how many swaths there are along `line`."""
        return round(line.length_m / line.speed_m_s / self.interval_s)

    def states(self, line: Line) -> Iterator[ShipState]:
        """Yield the ship at each swath of `line`, in time order."""
        for index in range(self.transmissions(line)):
            elapsed_s = np.array(0.5 + index * self.interval_s)
            east, north, heading = line.place(elapsed_s)
            yield ShipState(
                time_utc=line.start_utc + timedelta(seconds=float(elapsed_s)),
                east_m=float(east),
                north_m=float(north),
                heading_deg=float(heading),
                ping_counter=1 + index,
                swath=self.recording.pings[self.recording.order(index)].swath,
                speed_m_s=line.speed_m_s,
            )

    def navigation(self, line: Line, second: int) -> tuple[NavigationSample, NavigationSample]:
        """Return the position at a full second of a line and the ten motions of that second."""
        position, motion = Survey.navigation(self, line, second)
        return position, replace(motion, pitch_deg=np.zeros(motion.time_s.size))

    def hear(self, state: ShipState, source: SourceRef | None = None) -> Heard:
        """Return the swath at one of the `states`, and the true boxes in it."""
        water = self.recording.water(self.recording.order(state.ping_counter - 1))
        ping, boxes = water.ping, _NO_BOXES
        if self.injected:
            rng = np.random.default_rng((self.seed, state.ping_counter))
            ping, boxes = put_into(water, self.scene, state, self.stretch, rng)
        return self._at(ping, state, source), boxes

    def _at(
        self, ping: WaterColumnPing, state: ShipState, source: SourceRef | None
    ) -> WaterColumnPing:
        """The ping of the moment, in the metres of the scene, straight below the ship."""
        profile = ping.profile
        if profile is not None:
            profile = replace(profile, depth_m=profile.depth_m * self.stretch)
        return replace(
            ping,
            time_utc=state.time_utc,
            ping_counter=state.ping_counter,
            source=source or ping.source,
            sample_rate_hz=ping.sample_rate_hz / self.stretch,
            transducer_depth_m=ping.transducer_depth_m * self.stretch,
            sector_tilt_deg=np.zeros_like(ping.sector_tilt_deg),
            lever_forward_m=0.0,
            lever_starboard_m=0.0,
            profile=profile,
        )


def injected_survey(
    name: str,
    seed: int,
    recording: Recording,
    *,
    swaths: int,
    depth_m: float | None = None,
    contrast_db: float | None = None,
) -> PlayedSurvey:
    """Return a line over plumes, one after the other, and fish, heard in real pings.

    Parameters
    ----------
    name : str
        Of the line.
    seed : int
        Decides everything that is not given.
    recording : Recording
    swaths : int
        About, without the run in and out.
    depth_m : float, optional
        Of the sea; drawn when not given.
    contrast_db : float, optional
        Of every plume; drawn when not given.
    """
    rng = np.random.default_rng((seed, 3))
    real_m = recorded_depth_m(recording)
    stretch = (depth_m or _sea_depth_m(rng, real_m)) / real_m
    sounder = _sounder_of(recording, stretch)
    interval_s = ping_cycle_s(sounder, real_m * stretch) / recording.swaths_per_transmission
    speed = round(float(rng.uniform(*SPEED_M_S)), 2)
    length = swaths * interval_s * speed
    scene = _scene(seed, real_m * stretch, length, contrast_db)
    run_in = RUN_IN_SWATHS * interval_s * speed
    line = _northward(name, length / 2 + run_in, run_in + length + RUN_OUT_M, speed)
    return PlayedSurvey(
        scene=replace(scene, seabed=recorded_seabed(recording, stretch, line.heading_deg)),
        sounder=sounder,
        lines=(line,),
        seed=seed,
        recording=recording,
        interval_s=interval_s,
        stretch=stretch,
        injected=True,
    )


def deepened_survey(
    name: str, seed: int, recording: Recording, *, swaths: int, depth_m: float | None = None
) -> PlayedSurvey:
    """Return the same line as `injected_survey`, and nothing put into the pings."""
    survey = injected_survey(name, seed, recording, swaths=swaths, depth_m=depth_m)
    return replace(survey, scene=Scene(seabed=survey.scene.seabed), injected=False)


def untouched_survey(name: str, recording: Recording, *, swaths: int) -> PlayedSurvey:
    """Return a line with the pings of a recording as they are, at its own speed and pace."""
    interval_s = max(recording.interval_s, _LEAST_S)
    own = recording.speed_m_s
    speed = _USUAL_SPEED_M_S if own is None else max(own, _LEAST_SPEED_M_S)
    length = swaths * interval_s * speed
    line = _northward(name, length / 2, length, speed)
    return PlayedSurvey(
        scene=Scene(seabed=recorded_seabed(recording, 1.0, line.heading_deg)),
        sounder=_sounder_of(recording, 1.0),
        lines=(line,),
        seed=0,
        recording=recording,
        interval_s=interval_s,
    )


def _sea_depth_m(rng: np.random.Generator, real_m: float) -> float:
    drawn = float(np.exp(rng.uniform(*np.log(SEA_M))))
    as_it_is = rng.random() < 0.5
    return real_m if real_m > DEEP_ENOUGH_M and as_it_is else max(drawn, real_m)


def _sounder_of(recording: Recording, stretch: float) -> Sounder:
    """What a trial asks of a sounder: its name, its fan and its beams."""
    ping = recording.pings[0]
    model = re.search(r"\d+", ping.sounder)
    return Sounder(
        model=int(model[0]) if model else 0,
        beams=ping.beam_angle_deg.size,
        half_fan_deg=float(np.abs(ping.beam_angle_deg).max()),
        beam_width_deg=ping.beam_width_deg,
        transducer_depth_m=ping.transducer_depth_m * stretch,
        lever_forward_m=0.0,
        lever_starboard_m=0.0,
    )


def _scene(seed: int, depth_m: float, length_m: float, contrast_db: float | None) -> Scene:
    """Plumes evenly along the line, to either side of it, and fish between them."""
    plumes = int(np.clip(length_m / max(APART_M, APART_OF_DEPTH * depth_m), 1, 5))
    scene = random_survey(
        seed, depth_m=depth_m, plumes=plumes, schools=plumes, length_m=length_m,
        contrast_db=contrast_db,
    ).scene
    rng = np.random.default_rng((seed, 4))
    groups = rng.poisson(length_m / DOLPHINS_EVERY_M)
    dolphins = tuple(
        random_dolphins(
            rng, float(rng.uniform(-0.5, 0.5) * depth_m),
            float(rng.uniform(-0.5, 0.5) * length_m), depth_m,
        )
        for _ in range(groups)
    )
    return replace(bodies_alone(scene), dolphins=dolphins)


def _northward(name: str, before_m: float, length_m: float, speed_m_s: float) -> Line:
    """A line north through the origin, which is `before_m` after its start."""
    return Line(
        name=name,
        start_utc=_START_UTC,
        east_m=0.0,
        north_m=-before_m,
        heading_deg=0.0,
        length_m=length_m,
        speed_m_s=speed_m_s,
    )
