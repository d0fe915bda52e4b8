"""Recordings played under a ship: the samples of real pings at the places of a line."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.played import (
    PlayedSurvey,
    deepened_survey,
    injected_survey,
    untouched_survey,
)
from sonar_watch.simulation.recordings import Recording, read_recording
from sonar_watch.watercolumn.raster import Rasteriser

SWATHS = 40


def stand_in(depth_m: float = 30.0, count: int = 5) -> Recording:
    """Simulated pings in the place of real ones, for where there are none."""
    survey = random_survey(3, depth_m=depth_m, plumes=0, schools=0, length_m=400.0)
    states = list(survey.states(survey.lines[0]))[:count]
    pings = tuple(hear(survey.scene, survey.sounder, one, 3)[0] for one in states)
    return Recording(name="stand-in", pings=pings, fixes=(None,) * count)


def injected(recording: Recording, seed: int = 5) -> PlayedSurvey:
    return injected_survey("x", seed, recording, swaths=SWATHS, depth_m=300.0, contrast_db=18.0)


def seabed_m(ping: WaterColumnPing) -> float:
    seabed = Rasteriser().frame(ping).geometry.seabed_depth_m
    assert seabed is not None
    return float(np.nanmedian(seabed))


def test_an_untouched_survey_keeps_every_sample_and_the_pace() -> None:
    recording = stand_in()
    survey = untouched_survey("x", recording, swaths=12)
    (line,) = survey.lines
    states = list(survey.states(line))
    assert len(states) == survey.swath_count() == 12
    for state, source in zip(states, [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3], strict=True):
        ping, boxes = survey.hear(state)
        assert boxes == ()
        assert (ping.time_utc, ping.ping_counter) == (state.time_utc, state.ping_counter)
        assert np.array_equal(ping.samples_half_db, recording.pings[source].samples_half_db)
        assert ping.sample_rate_hz == recording.pings[source].sample_rate_hz
    steps_s = [(after.time_utc - before.time_utc).total_seconds()
               for before, after in pairwise(states)]
    assert steps_s == pytest.approx([recording.interval_s] * 11, abs=1e-5)


def test_a_shallow_recording_becomes_a_sea_of_the_depth_asked_for() -> None:
    survey = injected(stand_in())
    assert survey.scene.seabed.depth_m == pytest.approx(300.0, rel=0.01)
    state = next(survey.states(survey.lines[0]))
    assert seabed_m(survey.hear(state)[0]) == pytest.approx(300.0, rel=0.05)
    assert survey.scene.plumes
    assert survey.scene.walls == survey.scene.layers == ()


def test_a_deepened_survey_is_the_same_sea_and_nothing_put_into_it() -> None:
    recording = stand_in()
    deepened = deepened_survey("x", 5, recording, swaths=SWATHS, depth_m=300.0)
    (line,) = deepened.lines
    assert (line,) == injected(recording).lines
    for state in list(deepened.states(line))[::9]:
        ping, boxes = deepened.hear(state)
        source = recording.pings[recording.order(state.ping_counter - 1)]
        assert boxes == ()
        assert np.array_equal(ping.samples_half_db, source.samples_half_db)
    assert seabed_m(ping) == pytest.approx(300.0, rel=0.05)


def test_plumes_are_heard_where_the_truth_puts_them() -> None:
    """A box is beside the ship as far as the foot, or its strands and their lean, are."""
    survey = injected(stand_in())
    feet = {plume.name: plume for plume in survey.scene.plumes}
    checked = 0
    for state in survey.states(survey.lines[0]):
        for box in survey.hear(state)[1]:
            if box.name in feet and box.contrast_db > 10:
                plume = feet[box.name]
                _, starboard = state.to_ship(plume.east_m, plume.north_m)
                wide = 3 * plume.radius_m + plume.strands * plume.spread_m
                lean = abs(plume.lean_east) + abs(plume.lean_north) + abs(plume.shear_east)
                assert sum(box.across_track_m) / 2 == pytest.approx(
                    starboard, abs=wide + lean * plume.height_m)
                checked += 1
    assert checked > 3


def test_one_swath_is_the_same_heard_alone() -> None:
    recording = stand_in()
    first, again = (
        survey.hear(list(survey.states(survey.lines[0]))[20])
        for survey in (injected(recording), injected(recording))
    )
    assert np.array_equal(first[0].samples_half_db, again[0].samples_half_db)
    assert first[1] == again[1]


def test_the_fan_is_straight_below_a_level_ship() -> None:
    survey = injected(stand_in())
    (line,) = survey.lines
    position, motion = survey.navigation(line, 3)
    assert motion.pitch_deg is not None
    assert not motion.pitch_deg.any()
    assert position.latitude is not None
    ping, _ = survey.hear(next(survey.states(line)))
    assert not ping.sector_tilt_deg.any()
    assert (ping.lever_forward_m, ping.lever_starboard_m) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "together", "real_m"),
    [("em710_karoline.wcd", 2, 210.0), ("em2042_os01_b.kmwcd", 1, 4.6)],
)
def test_real_files_keep_their_pace_or_take_that_of_the_sea(
    name: str, together: int, real_m: float
) -> None:
    recording = read_recording(real_data("kongsberg", name))
    assert recording.swaths_per_transmission == together
    as_is, deep = untouched_survey("x", recording, swaths=5), injected(recording)
    assert as_is.interval_s == pytest.approx(recording.interval_s)
    assert as_is.scene.seabed.depth_m == pytest.approx(real_m, rel=0.05)
    assert deep.stretch == pytest.approx(300.0 / real_m, rel=0.05)
    state = next(deep.states(deep.lines[0]))
    assert seabed_m(deep.hear(state)[0]) == pytest.approx(300.0, rel=0.15)
