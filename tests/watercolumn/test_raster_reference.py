"""The fast raster against a slow one, pixel by pixel, and against real soundings."""

import math

import numpy as np
import pytest
from realdata import real_data
from watercolumn_builders import METRES_PER_SAMPLE, make_ping

from sonar_watch.formats.rawfile import LineContext, RawFile
from sonar_watch.records import WaterColumnPing
from sonar_watch.watercolumn.contrast import MEDIAN_FEWEST
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions


def slow_levels(ping, factor):
    """Means of `factor` samples in half dB above the floor, beam by beam."""
    rows = ping.samples_half_db.shape[1] // factor
    cut = ping.samples_half_db[:, : rows * factor].astype(float) + 128
    return cut.reshape(len(cut), rows, factor).mean(axis=2)


def slow_base(ping, levels, factor):
    """Median over the beams whose bottom is still well ahead, row by row."""
    base, last = [], None
    for row in range(levels.shape[1]):
        ahead = row < np.minimum(ping.detected_sample * 0.93, ping.sample_count) / factor
        if ahead.sum() >= MEDIAN_FEWEST:
            last = np.median(levels[ahead, row])
        base.append(last)
    return np.array(base, float)


def slow_pixel(ping, levels, base, factor, across, below):
    """Grey value of one place, or None where the fan does not see."""
    angle = math.degrees(math.atan2(across, below))
    row = (math.hypot(across, below) / METRES_PER_SAMPLE - (factor - 1) / 2) / factor
    beam = np.interp(angle, ping.beam_angle_deg, np.arange(len(levels)), left=-1, right=-1)
    if beam < 0 or not 0 <= row < levels.shape[1] - 1:
        return None
    value, b, r = 0.0, min(int(beam), len(levels) - 2), int(row)
    for beam_index, beam_weight in ((b, 1 - (beam - b)), (b + 1, beam - b)):
        for row_index, row_weight in ((r, 1 - (row - r)), (r + 1, row - r)):
            above_db = (levels[beam_index, row_index] - base[row_index]) / 2
            grey = 1 + (above_db + 8.0) * 254 / 32
            value += beam_weight * row_weight * min(max(grey, 1), 255)
    return value


def test_fast_raster_equals_the_slow_one():
    ping = make_ping(beams=64, speckle_db=5.0, jitter_deg=0.4, targets=[(30, 300)])
    frame = Rasteriser(RasterOptions(max_side_px=256, encoding="grey")).frame(ping)
    geometry = frame.geometry
    factor = round(geometry.pixel_depth_m / METRES_PER_SAMPLE)
    assert factor > 1
    levels = slow_levels(ping, factor)
    base = slow_base(ping, levels, factor)
    differences = []
    for y in range(geometry.height_px):
        for x in range(geometry.width_px):
            across, depth = geometry.across_track_m(x + 0.5), geometry.depth_m(y + 0.5)
            below = depth - geometry.transducer_depth_m
            if below < 95:
                slow = slow_pixel(ping, levels, base, factor, across, below)
                if slow is not None:
                    differences.append(float(frame.image[y, x]) - slow)
    assert len(differences) > 7_000
    assert abs(np.mean(differences)) < 1.5
    assert np.percentile(np.abs(differences), 99) < 6


def first_ping(stem, suffix, twin):
    context = LineContext()
    beside = RawFile(real_data("kongsberg", stem + twin), source="t", context=context)
    beside.finish()
    beside.close()
    file = RawFile(real_data("kongsberg", stem + suffix), source="t", context=context)
    pings = [item for item in file.finish() if isinstance(item, WaterColumnPing)]
    file.close()
    return pings[0]


@pytest.mark.parametrize(("stem", "suffix", "twin", "depth_m"), [
    ("em710_heincke", ".wcd", ".all", 109.0),
    ("em710_karoline", ".wcd", ".all", 210.0),
    ("em2040_simonstevin", ".wcd", ".all", 26.0),
    ("em2042_os01_a", ".kmwcd", ".kmall", 8.5),
    ("em2040_tampa", ".kmwcd", ".kmall", 3.6),
])  # fmt: skip
def test_real_seabed_is_bright_and_at_its_depth(stem, suffix, twin, depth_m):
    frame = Rasteriser(RasterOptions(encoding="grey")).frame(first_ping(stem, suffix, twin))
    line = frame.geometry.seabed_depth_m
    assert np.nanmedian(line) == pytest.approx(depth_m, rel=0.04)
    middle = slice(frame.geometry.width_px // 2 - 20, frame.geometry.width_px // 2 + 20)
    row = (line[middle] - frame.geometry.top_m) / frame.geometry.pixel_depth_m
    columns = range(middle.start, middle.stop)
    seabed = [frame.image[round(float(y)), x] for y, x in zip(row, columns, strict=True)]
    assert np.median(seabed) > 170
    assert np.median(frame.image[: frame.geometry.height_px // 2][:, middle]) < 120


def test_seabed_agrees_with_the_sounder_s_own_soundings():
    """Kongsberg traced these itself; the oracle reads them, metres from the transducer."""
    oracle = pytest.importorskip("themachinethatgoesping.echosounders_nanopy")
    stem = "em710_karoline"
    paths = [str(real_data("kongsberg", stem + suffix)) for suffix in (".all", ".wcd")]
    theirs = oracle.kongsbergall.KongsbergAllFileHandler(paths, show_progress=False).get_pings()
    xyz = next(ping for ping in theirs if ping.has_watercolumn()).bottom.get_xyz()
    across, below = np.array(xyz.y), np.array(xyz.z)
    geometry = Rasteriser().frame(first_ping(stem, ".wcd", ".all")).geometry
    column = ((across - geometry.left_m) / geometry.pixel_across_m).astype(int)
    inside = (column >= 0) & (column < geometry.width_px)
    ours = geometry.seabed_depth_m[column[inside]] - geometry.transducer_depth_m
    rows = (ours - below[inside]) / geometry.pixel_depth_m
    assert geometry.refraction == "layered"
    assert abs(np.nanmedian(rows)) < 1
    assert np.nanpercentile(np.abs(rows), 95) < 2
