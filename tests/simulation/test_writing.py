"""What the simulator writes is read back by the readers a ship uses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.rawfile import LineContext, RawFile
from sonar_watch.formats.sidecar import read_frame
from sonar_watch.geolocation.georeference import east_north_m, georeference
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.records import NavigationSample, WaterColumnFrame, WaterColumnPing
from sonar_watch.simulation.cruise import Survey, demo_survey, random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.writing import sail
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions


def short(lines: int = 1) -> Survey:
    survey = demo_survey()
    kept = tuple(replace(line, length_m=30.0) for line in survey.lines[:lines])
    return replace(survey, lines=kept)


def test_raw_twins_hold_the_same_swaths_and_the_ship_s_track(tmp_path: Path) -> None:
    survey = short()
    sailed = list(sail(survey, tmp_path))
    water = RawFile(next((tmp_path / "raw").glob("*.kmwcd")), source="raw", context=LineContext())
    items = water.read(max_pings=100) + water.finish()
    water.close()
    pings = [item for item in items if isinstance(item, WaterColumnPing)]
    assert [ping.frame_id for ping in pings] == [swath.frame_id for swath in sailed]
    heard, _ = hear(survey.scene, survey.sounder, sailed[0].state, survey.seed)
    assert np.array_equal(
        pings[0].samples_half_db[:, : heard.samples_half_db.shape[1]],
        heard.samples_half_db[:, : pings[0].samples_half_db.shape[1]],
    )
    assert pings[0].lever_forward_m == pytest.approx(survey.sounder.lever_forward_m)
    positions = [item for item in items if isinstance(item, NavigationSample)]
    assert positions[0].latitude is not None
    assert positions[0].latitude[0] == pytest.approx(32.4432, abs=0.001)


def test_pictures_read_back_with_their_identity_and_place(tmp_path: Path) -> None:
    sailed = list(sail(short(), tmp_path, kinds=("images",)))
    frames = [read_frame(path) for path in sorted((tmp_path / "images").glob("*.png"))]
    assert [frame.frame_id for frame in frames] == [swath.frame_id for swath in sailed]
    assert frames[0].navigation is not None
    assert frames[0].navigation.heading_deg == pytest.approx(sailed[0].state.heading_deg, abs=1e-3)


def located(frame: WaterColumnFrame) -> tuple[float, float]:
    """Return latitude and longitude of a box at one place in metres of the fan."""
    corners = [frame.geometry.to_pixels(*corner) for corner in ((150.0, 250.0), (190.0, 380.0))]
    row = [*corners[0], *corners[1], 0.9, 0]
    (placed,) = georeference(frame, Detections.from_rows([row], ("signal",)))
    assert placed.latitude is not None
    assert placed.longitude is not None
    return placed.latitude, placed.longitude


def test_raw_lines_and_pictures_put_a_box_at_the_same_place(tmp_path: Path) -> None:
    """And that is where the sounder, which undoes the pitch, heard it."""
    survey, raster, track = short(), Rasteriser(RasterOptions()), NavigationTrack()
    sailed = list(sail(survey, tmp_path, kinds=("both",)))
    context, pings = LineContext(), []
    for path in sorted((tmp_path / "raw").iterdir()):
        raw = RawFile(path, source="raw", context=context)
        for item in raw.read(max_pings=100) + raw.finish():
            if isinstance(item, NavigationSample):
                track.add(item)
            elif isinstance(item, WaterColumnPing):
                pings.append(item)
        raw.close()
    frames = [read_frame(path) for path in sorted((tmp_path / "images").glob("*.png"))]
    assert np.ptp([swath.state.pitch_deg for swath in sailed]) > 0.5
    for ping, frame, swath in zip(pings, frames, sailed, strict=True):
        drawn = raster.frame(ping, track.fix(ping.time_utc))
        assert np.hypot(*east_north_m(*located(drawn), *located(frame))) < 0.05
        sounder, state = survey.sounder, swath.state
        forward = np.array(sounder.lever_forward_m)
        there = state.to_world(forward, np.array(sounder.lever_starboard_m + 170.0))
        heard = [float(value) for value in survey.to_geographic(*there)]
        assert np.hypot(*east_north_m(*heard, *located(frame))) < 0.5


def test_lines_are_written_in_the_kinds_by_turns(tmp_path: Path) -> None:
    count = sum(1 for _ in sail(short(2), tmp_path, kinds=("raw", "images")))
    assert len(list((tmp_path / "raw").iterdir())) == 2
    assert len(list((tmp_path / "images").glob("*.png"))) == count // 2
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(truth["plumes"]) == 5
    assert len((tmp_path / "written.jsonl").read_text().splitlines()) == count


def test_ping_counters_go_on_over_lines() -> None:
    survey = short(2)
    counters = [state.ping_counter for line in survey.lines for state in survey.states(line)]
    assert counters == list(range(1, len(counters) + 1))


def test_a_survey_follows_from_its_seed() -> None:
    assert random_survey(5) == random_survey(5)
    assert random_survey(5).scene != random_survey(6).scene


@pytest.mark.parametrize("wrong", [{"depth_m": 1.0}, {"lines": 0}, {"family": "em999"}])
def test_impossible_surveys_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        random_survey(1, **wrong)  # type: ignore[arg-type]


def test_a_pace_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pace"):
        next(sail(short(), tmp_path, pace=0.0))
