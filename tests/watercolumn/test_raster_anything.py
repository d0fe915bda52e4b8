"""Whatever a sounder sends becomes a picture or one named error."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from watercolumn_builders import OCEAN, make_ping

from sonar_watch.errors import GeometryError
from sonar_watch.records import WaterColumnPing
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions
from sonar_watch.watercolumn.render import annotate

RASTER = Rasteriser(RasterOptions(max_side_px=128, encoding="grey"))


@st.composite
def odd_pings(draw: st.DrawFn) -> WaterColumnPing:
    beams, samples = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    detected = rng.uniform(-5, 1.5 * samples, beams)
    detected[rng.random(beams) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = np.nan
    widest = draw(st.sampled_from([0.0, 1.0, 60.0, 90.0]))
    return replace(
        make_ping(beams=2),
        beam_angle_deg=rng.uniform(-widest, widest, beams).astype(np.float32),
        samples_half_db=rng.integers(-128, 128, (beams, samples)).astype(np.int8),
        first_sample=rng.integers(0, draw(st.sampled_from([1, 30])), beams).astype(np.int32),
        sample_count=rng.integers(0, samples + 1, beams).astype(np.int32),
        detected_sample=detected.astype(np.float32),
        sector=rng.integers(0, 3, beams).astype(np.int32),
        sample_rate_hz=draw(st.sampled_from([20.0, 3000.0, 60_000.0])),
        transducer_depth_m=draw(st.sampled_from([-0.4, 0.0, 6.3])),
        profile=draw(st.sampled_from([None, OCEAN])),
    )


@settings(max_examples=150, deadline=None)
@given(odd_pings())
def test_a_picture_or_a_geometry_error(ping):
    try:
        frame = RASTER.frame(ping)
    except GeometryError:
        return
    assert max(frame.image.shape) <= 128
    assert frame.image.tobytes() == Rasteriser(RASTER.options).frame(ping).image.tobytes()
    annotate(frame)
