from dataclasses import replace

import numpy as np
import pytest
from watercolumn_builders import (
    BACKGROUND_DB,
    METRES_PER_SAMPLE,
    OCEAN,
    RATE_HZ,
    SPEED_M_S,
    make_ping,
    walk,
)

from sonar_watch.errors import ConfigurationError, GeometryError
from sonar_watch.watercolumn.canvas import frame_extents
from sonar_watch.watercolumn.fan import fan_of
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions, beam_table

GREY_OF_BACKGROUND = 64
BRIGHT = 110


def draw(ping, **options):
    return Rasteriser(RasterOptions(**{"encoding": "grey"} | options)).frame(ping)


def spot(frame, centre, reach=14):
    """Centre of brightness, in pixels, of the echo near `centre`."""
    x, y = (round(value) for value in centre)
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    weight = np.clip(frame.image[rows, columns].astype(float) - BRIGHT, 0, None)
    assert weight.any(), "no echo there"
    return np.average(columns + 0.5, weights=weight), np.average(rows + 0.5, weights=weight)


def shuffled(ping, order):
    names = ("beam_angle_deg", "samples_half_db", "first_sample", "sample_count")
    names += ("detected_sample", "sector")
    return replace(ping, **{name: getattr(ping, name)[order] for name in names})


@pytest.mark.parametrize("target", [(80, 200), (20, 500), (150, 420), (100, 350), (60, 100)])
def test_straight_target_lies_at_its_pixel(target):
    ping = make_ping(targets=[target])
    frame = draw(ping)
    angle = np.radians(ping.beam_angle_deg[target[0]])
    reach = target[1] * METRES_PER_SAMPLE
    expected = frame.geometry.to_pixels(reach * np.sin(angle), 5.0 + reach * np.cos(angle))
    assert spot(frame, expected) == pytest.approx(expected, abs=1.0)
    assert frame.geometry.refraction == "straight"


@pytest.mark.parametrize("target", [(80, 2000), (20, 5000), (150, 4200), (40, 2500)])
def test_refracted_target_lies_at_its_pixel(target):
    ping = make_ping(depth_m=1000.0, targets=[target], profile=OCEAN)
    frame = draw(ping)
    expected_m = walk(
        ping.beam_angle_deg[target[0]],
        target[1] / (2 * RATE_HZ),
        OCEAN,
        transducer_depth_m=5.0,
        sound_speed_m_s=SPEED_M_S,
    )
    expected = frame.geometry.to_pixels(*expected_m)
    assert spot(frame, expected) == pytest.approx(expected, abs=1.0)
    assert frame.geometry.refraction == "layered"


def test_refraction_can_be_switched_off():
    ping = make_ping(depth_m=1000.0, profile=OCEAN)
    frame = draw(ping, refraction=False)
    assert frame.geometry.refraction == "straight"
    np.testing.assert_array_equal(frame.image, draw(replace(ping, profile=None)).image)


def test_scale_is_true_and_longest_side_is_kept():
    geometry = draw(make_ping(), max_side_px=640).geometry
    assert max(geometry.width_px, geometry.height_px) == 640
    assert geometry.pixel_across_m == pytest.approx(geometry.pixel_depth_m)
    assert geometry.top_m == geometry.transducer_depth_m == 5.0


def test_deep_narrow_fan_keeps_the_longest_side():
    geometry = draw(make_ping(half_fan_deg=15.0)).geometry
    assert geometry.height_px == 1024 > geometry.width_px


def test_seabed_and_slant_range_are_the_detected_ones():
    geometry = draw(make_ping()).geometry
    known = np.isfinite(geometry.seabed_depth_m)
    assert known.mean() > 0.85
    np.testing.assert_allclose(geometry.seabed_depth_m[known], 105.0, atol=0.5)
    assert geometry.minimum_slant_range_m == pytest.approx(100.0, abs=0.5)


def test_below_the_bottom_and_outside_the_fan_is_empty():
    frame = draw(make_ping())
    rows, columns = np.indices(frame.image.shape) + 0.5
    across = frame.geometry.across_track_m(columns)
    depth = frame.geometry.depth_m(rows)
    angle = np.degrees(np.arctan2(across, depth - 5.0))
    assert not frame.image[np.abs(angle) > 60.6].any()
    assert not frame.image[depth > 5.0 + 100.0 * 1.06].any()
    inside = (np.abs(angle) < 59.5) & (depth < 5.0 + 100.0 * 1.04)
    assert frame.image[inside].all()


def test_background_is_flat_and_dark():
    frame = draw(make_ping())
    water = frame.image[: frame.image.shape[0] // 2]
    assert abs(int(np.median(water[water > 0])) - GREY_OF_BACKGROUND) <= 2


def test_sector_levels_are_evened_out():
    even = draw(make_ping(beams=200, sectors=2)).image
    stepped = draw(make_ping(beams=200, sectors=2, sector_step_db=10.0)).image
    middle = slice(20, even.shape[0] // 2)
    np.testing.assert_allclose(stepped[middle], even[middle], atol=2)


@pytest.mark.parametrize("order", ["reversed", "mixed"])
def test_order_of_beams_does_not_matter(order):
    ping = make_ping(targets=[(20, 500)], speckle_db=5.0)
    beams = np.arange(ping.beam_angle_deg.size)
    other = beams[::-1] if order == "reversed" else np.random.default_rng(3).permutation(beams)
    np.testing.assert_array_equal(draw(shuffled(ping, other)).image, draw(ping).image)


def test_same_ping_gives_the_same_bytes_whatever_came_before():
    used = Rasteriser(RasterOptions(encoding="grey"))
    for counter in range(12):
        used.frame(make_ping(counter=counter, depth_m=40.0 * 1.1**counter, jitter_deg=0.3))
    ping = make_ping(speckle_db=5.0, jitter_deg=0.3, profile=OCEAN)
    first, again, fresh = used.frame(ping), used.frame(ping), draw(ping)
    assert first.image.tobytes() == again.image.tobytes() == fresh.image.tobytes()
    assert first.geometry.left_m == fresh.geometry.left_m
    assert first.frame_id == ping.frame_id


def test_heave_and_sensor_speed_hardly_change_the_picture():
    still = draw(make_ping(targets=[(20, 500)], profile=OCEAN))
    moved = draw(make_ping(targets=[(20, 500)], profile=OCEAN, transducer_depth_m=5.4))
    assert moved.image.shape == still.image.shape
    assert moved.geometry.top_m - still.geometry.top_m == pytest.approx(0.4)
    assert np.mean(moved.image != still.image) < 0.05


def test_beams_without_samples_leave_a_gap():
    ping = make_ping()
    count = ping.sample_count.copy()
    count[40:60] = 0
    frame = draw(replace(ping, sample_count=count))
    angle = np.radians(ping.beam_angle_deg[50])
    x, y = frame.geometry.to_pixels(60 * np.sin(angle), 5 + 60 * np.cos(angle))
    assert frame.image[int(y), int(x)] == 0
    assert frame.image[int(y), frame.geometry.width_px - int(x)] > 0


def test_two_missing_beams_are_bridged():
    ping = make_ping()
    count = ping.sample_count.copy()
    count[[50, 51]] = 0
    frame = draw(replace(ping, sample_count=count))
    angle = np.radians(ping.beam_angle_deg[50])
    x, y = frame.geometry.to_pixels(60 * np.sin(angle), 5 + 60 * np.cos(angle))
    assert frame.image[int(y), int(x)] > 0


def test_samples_may_begin_away_from_the_transducer():
    ping = make_ping(targets=[(20, 500)])
    start = 80
    later = replace(
        ping,
        samples_half_db=ping.samples_half_db[:, start:],
        first_sample=np.full_like(ping.first_sample, start),
        sample_count=ping.sample_count - start,
    )
    whole, cut = draw(ping).image, draw(later).image
    assert cut.shape == whole.shape
    rows, columns = np.indices(cut.shape) + 0.5
    reach = np.hypot(columns - cut.shape[1] / 2, rows) * draw(ping).geometry.pixel_depth_m
    assert not cut[reach < start * METRES_PER_SAMPLE - 1].any()
    outside = reach > start * METRES_PER_SAMPLE + 1
    np.testing.assert_allclose(cut[outside], whole[outside], atol=1)


def test_no_detections_shows_what_was_recorded():
    frame = draw(make_ping(detections=False, targets=[(80, 200)]))
    geometry = frame.geometry
    assert geometry.minimum_slant_range_m is None
    assert geometry.seabed_depth_m is None
    assert geometry.bottom_m > 105.0
    expected = geometry.to_pixels(0.0, 55.0)
    assert spot(frame, expected) == pytest.approx(expected, abs=1.0)


def test_one_beam_is_a_thin_wedge():
    frame = draw(make_ping(beams=1, half_fan_deg=0.0, targets=[(0, 200)]))
    columns = np.flatnonzero(frame.image.any(axis=0))
    assert 1 <= columns.size < 0.1 * frame.geometry.width_px + 2
    expected = frame.geometry.to_pixels(0.0, 55.0)
    assert spot(frame, expected)[1] == pytest.approx(expected[1], abs=1.0)


def test_ping_without_samples_is_refused():
    ping = make_ping()
    with pytest.raises(GeometryError, match="every beam is empty"):
        draw(replace(ping, sample_count=np.zeros_like(ping.sample_count)))


def test_floor_samples_are_dark_but_are_data():
    ping = make_ping()
    samples = ping.samples_half_db.copy()
    samples[80, 100:140] = -128
    frame = draw(replace(ping, samples_half_db=samples))
    x, y = frame.geometry.to_pixels(0.0, 5.0 + 120 * METRES_PER_SAMPLE)
    assert 1 <= frame.image[int(y), int(x)] < GREY_OF_BACKGROUND / 2
    assert BACKGROUND_DB > -64


def test_a_false_detection_in_midwater_does_not_cut_the_water_below():
    ping = make_ping(targets=[(80, 300)])
    detected = ping.detected_sample.copy()
    detected[79:82] = 150.0
    frame = draw(replace(ping, detected_sample=detected))
    x, y = frame.geometry.to_pixels(0.0, 5.0 + 300 * METRES_PER_SAMPLE)
    assert frame.image[int(y), int(x)] > BRIGHT
    assert frame.geometry.seabed_depth_m[int(x)] == pytest.approx(105.0, abs=0.5)


def test_extents_come_in_steps_so_that_tables_are_reused():
    def extents(depth_m):
        ping = make_ping(depth_m=depth_m)
        return frame_extents(ping, fan_of(ping))

    sizes = {extents(depth) for depth in np.linspace(100.0, 104.0, 9)}
    assert len(sizes) <= 4
    half_width, depth = extents(100.0)
    assert half_width > 100.0 * np.tan(np.radians(58))
    assert 105.0 <= depth <= 105.0 * 1.09


def test_table_of_beams_ends_half_a_spacing_outside():
    table = beam_table(np.array([-2.0, -1.0, 0.0, 1.0, 9.0]), 1.0)
    index = lambda angle: table[round((angle + 90) / 0.02)]  # noqa: E731
    assert index(-2.6) == index(1.6) == index(8.4) == index(9.6) == -10
    assert index(-2.4) == 0
    assert index(-0.5) == pytest.approx(1.5, abs=0.03)
    assert index(9.4) == 4


@pytest.mark.parametrize("wrong", [
    {"max_side_px": 5}, {"encoding": "colour"}, {"recent_weight": 0.0},
    {"below_bottom_fraction": -0.1},
    {"sector_beams": 0},
])  # fmt: skip
def test_options_say_what_was_expected(wrong):
    with pytest.raises(ConfigurationError, match="expected"):
        RasterOptions(**wrong)


def test_the_tilt_of_sectors_is_that_seen_from_abeam():
    """Sectors steered in proportion to the cosine of their beams are tilted as by a pitch."""
    ping = make_ping(sectors=3)
    cosine = np.cos(np.radians(ping.beam_angle_deg))
    middle = [np.median(cosine[ping.sector == sector]) for sector in range(3)]
    tilt_deg = np.degrees(np.arctan(np.tan(np.radians(2.0)) * np.array(middle)))
    steered = draw(replace(ping, sector_tilt_deg=tilt_deg.astype(np.float32)))
    assert steered.geometry.tilt_deg == pytest.approx(2.0, abs=0.1)
    assert steered.geometry.tilt_spread_deg < 0.4
    apart = np.array([-2.0, 0.0, 2.0], np.float32)
    twisted = draw(replace(ping, sector_tilt_deg=apart)).geometry
    assert twisted.tilt_deg == pytest.approx(0.0, abs=1e-6)
    assert twisted.tilt_spread_deg > 2.0


def test_beams_without_a_sector_are_not_tilted():
    ping = make_ping(sectors=1)
    strays = replace(ping, sector=np.full(ping.sector.size, 7, np.int32),
                     sector_tilt_deg=np.array([3.0], np.float32))
    assert draw(strays).geometry.tilt_deg == 0.0
