"""Two sounders of one model side by side: neither is drawn over the background of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from watercolumn_builders import make_ping

from sonar_watch.records import WaterColumnPing
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

OPTIONS = RasterOptions(max_side_px=128)
PINGS = 4


def sail(unit: str, loud: slice, first: int = 0, pings: int = PINGS) -> list[WaterColumnPing]:
    """Return pings a second apart of a sounder with some loud beams."""
    made = []
    for number in range(first, first + pings):
        ping = make_ping(counter=number + 1, speckle_db=5.0, beams=81)
        samples = ping.samples_half_db.copy()
        samples[loud] = np.clip(samples[loud].astype(int) + 24, -128, 127)
        made.append(replace(
            ping, samples_half_db=samples, sounder="em2040", unit=unit,
            time_utc=ping.time_utc + timedelta(seconds=number),
        ))  # fmt: skip
    return made


def drawn(pings: Sequence[WaterColumnPing], raster: Rasteriser | None = None) -> list[bytes]:
    raster = raster or Rasteriser(OPTIONS)
    return [raster.frame(ping).image.tobytes() for ping in pings]


def test_each_of_two_is_drawn_as_if_it_were_alone() -> None:
    port, starboard = slice(10, 14), slice(60, 64)
    for units, alike in ((("40-1", "41-2"), True), (("40-1", "40-2"), True), (("", ""), False)):
        one, two = sail(units[0], port), sail(units[1], starboard)
        mixed = drawn([ping for pair in zip(one, two, strict=True) for ping in pair])
        assert (mixed[0::2] == drawn(one)) is alike
        assert (mixed[1::2] == drawn(two)) is alike


def test_what_an_older_release_kept_goes_on() -> None:
    """It knew the model alone; a sounder that says who it is in the middle is the same case."""
    before, loud = Rasteriser(OPTIONS), slice(10, 14)
    drawn(sail("", loud), before)
    kept = {name: body for name, body in before.memory().items() if body is not None}
    after = Rasteriser(OPTIONS)
    after.restore(kept)
    assert drawn(sail("40", loud, PINGS, 2), after) == drawn(sail("", loud, PINGS, 2), before)
    expected = drawn(sail("", loud, PINGS + 2, 2), before)
    assert drawn(sail("40-7", loud, PINGS + 2, 2), after) == expected
    names = {name: body is None for name, body in after.memory().items()}
    assert len(names) == 3
    assert [name for name, gone in names.items() if not gone] == [
        name for name in names if name.startswith("em2040-40-7/")
    ]
