"""Plumes put into real pings: other bytes stay, the plume passes, truth tells its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.injection import injected_passage, untouched_passage
from sonar_watch.simulation.labels import label_of
from sonar_watch.simulation.passages import Passage
from sonar_watch.simulation.recordings import Recording, read_recording, water_of
from sonar_watch.simulation.scene import Plume, Scene
from sonar_watch.watercolumn.encoding import to_db
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

SWATHS = 9


def one_plume(
    rng: np.random.Generator, depth_m: float, *, heading_deg: float, along_m: float
) -> Scene:
    """A strong column half-way along, to starboard of the ship."""
    course = np.radians(heading_deg)
    side = 0.35 * depth_m
    plume = Plume(
        name="plume-0",
        east_m=float(side * np.cos(course)),
        north_m=float(-side * np.sin(course)),
        radius_m=0.04 * depth_m,
        height_m=0.5 * depth_m,
        contrast_db=20.0,
    )
    return Scene(plumes=(plume,))


def nothing(
    rng: np.random.Generator, depth_m: float, *, heading_deg: float, along_m: float
) -> Scene:
    quiet = random_survey(1, plumes=0, schools=0).scene
    return replace(quiet, layers=(), noise=replace(quiet.noise, fish_count=0))


def stand_in(depth_m: float = 100.0, count: int = 5) -> Recording:
    """Simulated pings in the place of real ones, for where there are none."""
    survey = random_survey(3, depth_m=depth_m, plumes=0, schools=0, length_m=400.0)
    states = list(survey.states(survey.lines[0]))[:count]
    pings = tuple(hear(survey.scene, survey.sounder, one, 3)[0] for one in states)
    return Recording(name="stand-in", pings=pings, fixes=(None,) * count)


def passage_over(recording: Recording, seed: int = 1) -> Passage:
    return injected_passage("inj", np.random.default_rng(seed), recording, SWATHS, one_plume)


def test_a_passage_is_the_recordings_own_without_bodies() -> None:
    recording = stand_in()
    passage = injected_passage("inj", np.random.default_rng(1), recording, SWATHS, nothing)
    order = [0, 1, 2, 3, 4, 3, 2, 1, 0]
    for index, source in enumerate(order):
        ping, boxes = passage.hear(index)
        assert not boxes
        original = recording.pings[source]
        assert np.array_equal(ping.samples_half_db, original.samples_half_db)
        assert ping.ping_counter == recording.pings[0].ping_counter + index
    times = [passage.hear(index)[0].time_utc for index in range(passage.count)]
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert min(steps) > timedelta(0)
    assert max(steps) - min(steps) < timedelta(milliseconds=1)


def test_the_plume_passes_and_the_rest_keeps_its_bytes() -> None:
    recording = stand_in()
    passage = passage_over(recording)
    seen = []
    for index in range(passage.count):
        ping, boxes = passage.hear(index)
        original = recording.pings[recording.order(index)]
        changed = ping.samples_half_db != original.samples_half_db
        assert changed.mean() < 0.1
        assert np.array_equal(ping.detected_sample, original.detected_sample, equal_nan=True)
        seen.append(boxes[0].contrast_db if boxes else 0.0)
    assert max(seen) == max(seen[2:7]) > 8.0
    assert max(seen[0], seen[-1]) < max(seen) - 3.0


def test_the_same_seed_gives_the_same_swath_alone() -> None:
    recording = stand_in()
    first, again = (passage_over(recording).hear(4) for _ in range(2))
    assert np.array_equal(first[0].samples_half_db, again[0].samples_half_db)
    assert first[1] == again[1]


def test_added_power_is_what_truth_says() -> None:
    """The box's contrast, measured from the samples themselves."""
    recording = stand_in()
    ping, boxes = passage_over(recording).hear(4)
    before, after = water_of(recording.pings[recording.order(4)]), water_of(ping)
    (left, right), (top, low) = boxes[0].across_track_m, boxes[0].depth_m
    grid = before.grid
    inside = (grid.across_m > left) & (grid.across_m < right)
    inside &= (grid.depth_m > top) & (grid.depth_m < low)
    inside &= grid.range_m < 0.9 * before.bottom_m[:, None]
    raised = (after.power - before.power)[inside] / before.surroundings[inside]
    visible = raised > 1.0
    measured = 10 * np.log10(1 + raised[visible].mean())
    assert measured == pytest.approx(boxes[0].contrast_db, abs=2.0)


def test_what_stays_below_the_threshold_stays_at_the_floor() -> None:
    recording = stand_in()
    deaf = tuple(
        replace(ping, samples_half_db=np.full_like(ping.samples_half_db, -128))
        for ping in recording.pings
    )
    passage = passage_over(replace(recording, pings=deaf, _waters={}))
    levels = np.concatenate([passage.hear(i)[0].samples_half_db.ravel() for i in range(3, 6)])
    assert 0.5 < (levels == -128).mean() < 1.0


def test_shallow_water_holds_small_plumes() -> None:
    recording = stand_in(depth_m=12.0)
    boxes = [box for i in range(SWATHS) for box in passage_over(recording).hear(i)[1]]
    assert boxes
    assert all(0 < box.depth_m[0] < box.depth_m[1] < 14.0 for box in boxes)
    assert all(abs(edge) < 20.0 for box in boxes for edge in box.across_track_m)


def test_untouched_pings_have_no_boxes() -> None:
    recording = stand_in()
    passage = untouched_passage(recording)
    assert [passage.hear(i) for i in range(passage.count)] == [(p, ()) for p in recording.pings]


def test_single_fish_are_put_in_without_a_box() -> None:
    def busy(
        rng: np.random.Generator, depth_m: float, *, heading_deg: float, along_m: float
    ) -> Scene:
        empty = nothing(rng, depth_m, heading_deg=heading_deg, along_m=along_m)
        return replace(empty, noise=replace(empty.noise, fish_count=40))

    recording = stand_in()
    passage = injected_passage("inj", np.random.default_rng(1), recording, SWATHS, busy)
    ping, boxes = passage.hear(2)
    louder = ping.samples_half_db > recording.pings[2].samples_half_db
    assert boxes == ()
    assert 5 < louder.sum() < 0.01 * louder.size


REAL = (
    "em710_heincke.wcd",
    "em710_karoline.wcd",
    "em2040_simonstevin.wcd",
    "em2040_tampa.kmwcd",
    "em2042_os01_b.kmwcd",
)


@pytest.mark.parametrize("name", REAL)
def test_plumes_stand_out_of_real_pings_where_truth_says(name: str) -> None:
    recording = read_recording(real_data("kongsberg", name))
    passage = passage_over(recording)
    raster = Rasteriser(RasterOptions(max_side_px=512, encoding="grey"))
    gains = []
    for index in range(passage.count):
        ping, boxes = passage.hear(index)
        gains += [
            _gain_db(raster, recording.pings[recording.order(index)], ping, label.xyxy)
            for box in boxes
            if (label := label_of(box, raster.frame(ping).geometry)) and not label.ignored
        ]
    assert len(gains) >= 2
    assert np.median(gains) > 2.0


def _gain_db(
    raster: Rasteriser,
    before: WaterColumnPing,
    after: WaterColumnPing,
    xyxy: tuple[float, float, float, float],
) -> float:
    """How much brighter a box became."""
    x1, y1, x2, y2 = (round(value) for value in xyxy)
    levels = [to_db(raster.frame(ping).image)[y1:y2, x1:x2] for ping in (before, after)]
    return float(np.nanmean(levels[1]) - np.nanmean(levels[0]))
